//! Calls about logged models, registered models and versions.

use std::collections::BTreeMap;

use axum::http::Method;
use lapwing_core::{RunId, Timestamp};
use lapwing_store::registry as table;
use serde_json::{Value, json};

use super::{input, render};
use crate::registry::{check_model_name, no_model, no_version};
use crate::{Error, ModelVersion, NewVersion, RegisteredModel, Result, Tracking, artifacts};

const DEFAULT_MODELS: u32 = 100;
/// Versions and models in one answer.
const DEFAULT_VERSIONS: u32 = 10_000;
const STAGES: [&str; 4] = ["None", "Staging", "Production", "Archived"];

/// Conditions `key op 'value'` joined by AND, over few enough things to be looked at one by one.
pub(super) struct Conditions {
    parts: Vec<(String, String, String)>,
}

impl Conditions {
    /// `known` are the keys that may be asked for; a prefix ends in a dot.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self> {
        let mut parts = Vec::new();
        for part in split_and(text) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let operator = [
                "!=", ">=", "<=", "=", ">", "<", " ILIKE ", " LIKE ", " ilike ", " like ", " IN ",
                " in ",
            ]
            .into_iter()
            .filter_map(|operator| part.find(operator).map(|at| (at, operator)))
            .min_by_key(|(at, operator)| (*at, usize::MAX - operator.len()));
            let Some((at, operator)) = operator else {
                return Err(Error::Invalid(format!(
                    "Invalid filter: `{part}` has no comparison"
                )));
            };
            let key: String = part
                .get(..at)
                .unwrap_or_default()
                .trim()
                .replace(['`', '"'], "");
            let value = part
                .get(at + operator.len()..)
                .unwrap_or_default()
                .trim()
                .to_owned();
            let key = key
                .strip_prefix("attribute.")
                .or_else(|| key.strip_prefix("attributes."))
                .unwrap_or(&key)
                .to_owned();
            let key = key
                .strip_prefix("tag.")
                .map_or(key.clone(), |tag| format!("tags.{tag}"));
            if !known
                .iter()
                .any(|one| key == *one || (one.ends_with('.') && key.starts_with(one)))
            {
                return Err(Error::Invalid(format!(
                    "Invalid filter: there is no key `{key}`, only {}",
                    known.join(", ").replace("s.", "s.*")
                )));
            }
            parts.push((key, operator.trim().to_uppercase(), value));
        }
        Ok(Self { parts })
    }

    pub fn hold(&self, value_of: &dyn Fn(&str) -> Option<String>) -> bool {
        self.parts.iter().all(|(key, operator, wanted)| {
            let found = value_of(key);
            let plain = wanted.trim_matches(['\'', '"']);
            match (operator.as_str(), found) {
                ("!=", found) => found.as_deref() != Some(plain),
                (_, None) => false,
                ("=", Some(found)) => found == plain,
                ("LIKE", Some(found)) => like(&found, plain),
                ("ILIKE", Some(found)) => like(&found.to_lowercase(), &plain.to_lowercase()),
                ("IN", Some(found)) => wanted
                    .trim_matches(['(', ')'])
                    .split(',')
                    .any(|one| one.trim().trim_matches(['\'', '"']) == found),
                (operator, Some(found)) => compare(operator, &found, plain),
            }
        })
    }
}

/// Cut at `AND` outside of quotes.
fn split_and(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut inside = None;
    for word in text.split_inclusive(' ') {
        if inside.is_none() && word.trim().eq_ignore_ascii_case("and") {
            parts.push(String::new());
            continue;
        }
        for letter in word.chars().filter(|letter| matches!(letter, '\'' | '"')) {
            inside = match inside {
                None => Some(letter),
                Some(mark) if mark == letter => None,
                other => other,
            };
        }
        if let Some(last) = parts.last_mut() {
            last.push_str(word);
        }
    }
    parts
}

fn compare(operator: &str, found: &str, wanted: &str) -> bool {
    let (Ok(found), Ok(wanted)) = (found.parse::<f64>(), wanted.parse::<f64>()) else {
        return false;
    };
    match operator {
        ">" => found > wanted,
        ">=" => found >= wanted,
        "<" => found < wanted,
        "<=" => found <= wanted,
        _ => false,
    }
}

/// SQL's LIKE: `%` is any text, `_` any letter.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) =
        (text.chars().collect(), pattern.chars().collect());
    let mut reach = vec![false; text.len() + 1];
    if let Some(first) = reach.first_mut() {
        *first = true;
    }
    for letter in pattern {
        let mut next = vec![false; text.len() + 1];
        let mut any = false;
        for (at, known) in reach.iter().enumerate() {
            any |= known;
            if letter == '%'
                && any
                && let Some(slot) = next.get_mut(at)
            {
                *slot = true;
            }
            let fits = letter == '_' || text.get(at) == Some(&letter);
            if letter != '%'
                && *known
                && fits
                && let Some(slot) = next.get_mut(at + 1)
            {
                *slot = true;
            }
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

pub(super) fn logged(
    tracking: &Tracking,
    method: &Method,
    path: &[&str],
    given: &Value,
) -> Result<Value> {
    match (method.as_str(), path) {
        ("POST", []) => create_logged(tracking, given),
        ("POST" | "GET", ["search"]) => search_logged(tracking, given),
        ("GET", [id]) => Ok(json!({ "model": render::logged_model(&tracking.logged_model(id)?) })),
        ("PATCH", [id]) => {
            let status = input::text(given, "status")?.to_owned();
            change_logged(tracking, id, &|row| row.status.clone_from(&status))
        }
        ("DELETE", [id]) => {
            table::delete_logged(tracking.store(), id)?;
            Ok(json!({}))
        }
        ("POST", [id, "params"]) => {
            let more = input::list(given, "params");
            change_logged(tracking, id, &|row| row.params = merged(&row.params, &more))
        }
        ("PATCH" | "POST", [id, "tags"]) => {
            let more = input::list(given, "tags");
            change_logged(tracking, id, &|row| row.tags = merged(&row.tags, &more))
        }
        ("DELETE", [id, "tags", key]) => {
            change_logged(tracking, id, &|row| row.tags = without(&row.tags, key))
        }
        ("GET", [id, "artifacts", "directories"]) => {
            let model = tracking.logged_model(id)?;
            let path = input::optional(given, "artifact_directory_path").unwrap_or_default();
            let files = artifacts::list(&model.folder, path)?;
            let root = format!(
                "mlflow-artifacts:/{}/models/{id}/artifacts",
                model.row.experiment_id
            );
            Ok(json!({ "root_uri": root, "files": super::artifacts::rows(&files) }))
        }
        _ => Err(Error::NotFound(format!(
            "there is no call logged-models/{}",
            path.join("/")
        ))),
    }
}

fn create_logged(tracking: &Tracking, given: &Value) -> Result<Value> {
    let experiment_id = input::experiment_id(given)?;
    super::runs::experiment(tracking, experiment_id)?;
    let now = Timestamp::now();
    let id = format!("m-{}", RunId::random());
    table::put_logged(
        tracking.store(),
        table::LoggedModel {
            id: id.clone(),
            experiment_id,
            run_id: input::optional(given, "source_run_id").map(str::to_owned),
            name: input::optional(given, "name").unwrap_or("model").to_owned(),
            kind: input::optional(given, "model_type")
                .unwrap_or_default()
                .to_owned(),
            status: "LOGGED_MODEL_PENDING".to_owned(),
            created: now,
            updated: now,
            tags: Value::Array(input::list(given, "tags")).to_string(),
            params: Value::Array(input::list(given, "params")).to_string(),
        },
    )?;
    Ok(json!({ "model": render::logged_model(&tracking.logged_model(&id)?) }))
}

fn change_logged(
    tracking: &Tracking,
    id: &str,
    change: &dyn Fn(&mut table::LoggedModel),
) -> Result<Value> {
    let mut row = tracking.logged_model(id)?.row;
    change(&mut row);
    row.updated = Timestamp::now();
    table::put_logged(tracking.store(), row)?;
    Ok(json!({ "model": render::logged_model(&tracking.logged_model(id)?) }))
}

fn merged(known: &str, more: &[Value]) -> String {
    let mut all: Vec<Value> = serde_json::from_str(known).unwrap_or_default();
    all.retain(|old| !more.iter().any(|new| new.get("key") == old.get("key")));
    all.extend(more.iter().cloned());
    Value::Array(all).to_string()
}

fn without(known: &str, key: &str) -> String {
    let mut all: Vec<Value> = serde_json::from_str(known).unwrap_or_default();
    all.retain(|old| old.get("key").and_then(Value::as_str) != Some(key));
    Value::Array(all).to_string()
}

/// The value beside a key in a JSON list of both.
fn value_in(pairs: &str, key: &str) -> Option<String> {
    let all: Vec<Value> = serde_json::from_str(pairs).ok()?; // Only our own words are ever written.
    let found = all
        .iter()
        .find(|pair| pair.get("key").and_then(Value::as_str) == Some(key))?;
    Some(found.get("value")?.as_str()?.to_owned())
}

fn search_logged(tracking: &Tracking, given: &Value) -> Result<Value> {
    let experiments = input::texts(given, "experiment_ids");
    let conditions = Conditions::parse(
        input::optional(given, "filter").unwrap_or_default(),
        &[
            "name",
            "model_id",
            "source_run_id",
            "status",
            "tags.",
            "params.",
        ],
    )?;
    let max = input::count(given, "max_results")?.unwrap_or(DEFAULT_MODELS) as usize;
    let mut found = Vec::new();
    for row in table::logged_of(tracking.store(), None)? {
        let fits = experiments.is_empty() || experiments.contains(&row.experiment_id.to_string());
        let holds = conditions.hold(&|key| match key {
            "name" => Some(row.name.clone()),
            "model_id" => Some(row.id.clone()),
            "source_run_id" => row.run_id.clone(),
            "status" => Some(row.status.trim_start_matches("LOGGED_MODEL_").to_owned()),
            key => match (key.strip_prefix("tags."), key.strip_prefix("params.")) {
                (Some(tag), _) => value_in(&row.tags, tag),
                (None, Some(param)) => value_in(&row.params, param),
                (None, None) => None,
            },
        });
        if fits && holds && found.len() < max {
            found.push(render::logged_model(&tracking.logged_model(&row.id)?));
        }
    }
    Ok(json!({ "models": found }))
}

fn one(tracking: &Tracking, name: &str) -> Result<Value> {
    let model = tracking.model(name)?;
    Ok(json!({ "registered_model": render::model(&model, &tracking.versions(name)?) }))
}

fn tag_map(given: &Value) -> Result<BTreeMap<String, String>> {
    Ok(input::pairs(given, "tags")?.into_iter().collect())
}

pub(super) fn registered(
    tracking: &Tracking,
    method: &Method,
    verb: &str,
    given: &Value,
) -> Result<Value> {
    let now = Timestamp::now();
    if verb == "search" {
        return search_models(tracking, given);
    }
    let name = input::text(given, "name")?;
    match verb {
        "create" => {
            check_model_name(name)?;
            let description = input::optional(given, "description").unwrap_or_default();
            if !table::create_model(tracking.store(), name, description, &tag_map(given)?, now)? {
                return Err(Error::Exists(format!(
                    "Registered Model (name={name}) already exists."
                )));
            }
        }
        "get" => {}
        "update" => {
            let description = input::optional(given, "description")
                .unwrap_or_default()
                .to_owned();
            update(
                tracking,
                name,
                table::ModelUpdate {
                    description: Some(description),
                    ..table::ModelUpdate::default()
                },
            )?;
        }
        "rename" => {
            let new = input::text(given, "new_name")?;
            check_model_name(new)?;
            if tracking.model(new).is_ok() {
                return Err(Error::Exists(format!(
                    "Registered Model (name={new}) already exists."
                )));
            }
            update(
                tracking,
                name,
                table::ModelUpdate {
                    name: Some(new.to_owned()),
                    ..table::ModelUpdate::default()
                },
            )?;
            return one(tracking, new);
        }
        "delete" => {
            if !table::delete_model(tracking.store(), name)? {
                return Err(no_model(name));
            }
            return Ok(json!({}));
        }
        "get-latest-versions" => return latest(tracking, name, given),
        "set-tag" | "delete-tag" => return tag_model(tracking, name, verb, given),
        "alias" => return alias(tracking, method, name, given),
        other => {
            return Err(Error::NotFound(format!(
                "there is no call registered-models/{other}"
            )));
        }
    }
    one(tracking, name)
}

fn update(tracking: &Tracking, name: &str, update: table::ModelUpdate) -> Result<()> {
    if table::update_model(tracking.store(), name, update, Timestamp::now())? {
        Ok(())
    } else {
        Err(no_model(name))
    }
}

fn tag_model(tracking: &Tracking, name: &str, verb: &str, given: &Value) -> Result<Value> {
    let mut tags = tracking.model(name)?.tags;
    change_tags(&mut tags, verb, given)?;
    update(
        tracking,
        name,
        table::ModelUpdate {
            tags: Some(tags),
            ..table::ModelUpdate::default()
        },
    )?;
    Ok(json!({}))
}

fn change_tags(tags: &mut BTreeMap<String, String>, verb: &str, given: &Value) -> Result<()> {
    let key = input::text(given, "key")?;
    if verb == "set-tag" {
        let value = given
            .get("value")
            .and_then(Value::as_str)
            .unwrap_or_default();
        tags.insert(key.to_owned(), value.to_owned());
    } else {
        tags.remove(key);
    }
    Ok(())
}

fn alias(tracking: &Tracking, method: &Method, name: &str, given: &Value) -> Result<Value> {
    let alias = input::text(given, "alias")?;
    match method.as_str() {
        "POST" => {
            tracking.set_alias(name, alias, number(given)?)?;
            Ok(json!({}))
        }
        "DELETE" => {
            tracking.delete_alias(name, alias)?;
            Ok(json!({}))
        }
        _ => {
            let model = tracking.model(name)?;
            let version = model.aliases.get(alias).copied();
            let version = version.ok_or_else(|| {
                Error::Invalid(format!("Registered model alias {alias} not found."))
            })?;
            Ok(json!({ "model_version": render::version(&tracking.version(name, version)?) }))
        }
    }
}

fn number(given: &Value) -> Result<u32> {
    let number = input::count(given, "version")?;
    number
        .ok_or_else(|| Error::Invalid("Missing value for required parameter 'version'.".to_owned()))
}

fn latest(tracking: &Tracking, name: &str, given: &Value) -> Result<Value> {
    let stages = input::texts(given, "stages");
    let rendered = render::model(&tracking.model(name)?, &tracking.versions(name)?);
    let all = rendered
        .get("latest_versions")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let wanted = |row: &Value| {
        let stage = row
            .get("current_stage")
            .and_then(Value::as_str)
            .unwrap_or_default();
        stages.is_empty()
            || stages
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(stage))
    };
    Ok(json!({ "model_versions": all.into_iter().filter(wanted).collect::<Vec<_>>() }))
}

/// Prompts are registered models too; they are shown only to those who ask for them.
const PROMPT_TAG: &str = "mlflow.prompt.is_prompt";

fn search_models(tracking: &Tracking, given: &Value) -> Result<Value> {
    let filter = input::optional(given, "filter").unwrap_or_default();
    let conditions = Conditions::parse(filter, &["name", "tags."])?;
    let asks_for_prompts = filter.contains(PROMPT_TAG);
    let fits = |model: &RegisteredModel| {
        let is_prompt = model.tags.contains_key(PROMPT_TAG);
        (asks_for_prompts || !is_prompt)
            && conditions.hold(&|key| match key.strip_prefix("tags.") {
                Some(tag) => model.tags.get(tag).cloned(),
                None => (key == "name").then(|| model.name.clone()),
            })
    };
    let mut found: Vec<RegisteredModel> = tracking.models()?.into_iter().filter(fits).collect();
    if let Some(order) = input::texts(given, "order_by").first() {
        let (key, direction) = order.split_once(' ').unwrap_or((order, "ASC"));
        if key.trim_matches('`') != "name" {
            found.sort_by_key(|model| model.updated);
        }
        if direction.trim().eq_ignore_ascii_case("desc") {
            found.reverse();
        }
    }
    let versions = table::versions(tracking.store(), None)?;
    let rows = found
        .iter()
        .map(|model| render::model(model, &versions))
        .collect();
    paged(rows, "registered_models", given, DEFAULT_MODELS)
}

fn paged(rows: Vec<Value>, key: &str, given: &Value, default: u32) -> Result<Value> {
    let max = input::count(given, "max_results")?
        .unwrap_or(default)
        .max(1) as usize;
    let offset: usize = input::optional(given, "page_token")
        .and_then(|token| token.strip_prefix('o')?.parse().ok())
        .unwrap_or(0); // Not a token of ours: from the start.
    let more = rows.len() > offset + max;
    let page: Vec<Value> = rows.into_iter().skip(offset).take(max).collect();
    let mut answer = json!({});
    if let Some(answer) = answer.as_object_mut() {
        answer.insert(key.to_owned(), Value::Array(page));
        if more {
            answer.insert(
                "next_page_token".to_owned(),
                json!(format!("o{}", offset + max)),
            );
        }
    }
    Ok(answer)
}

pub(super) fn versions(tracking: &Tracking, verb: &str, given: &Value) -> Result<Value> {
    if verb == "search" {
        return search_versions(tracking, given);
    }
    let name = input::text(given, "name")?;
    if verb == "create" {
        let version = tracking.add_version(NewVersion {
            name: name.to_owned(),
            source: input::text(given, "source")?.to_owned(),
            run_id: input::optional(given, "run_id").map(str::to_owned),
            model_id: input::optional(given, "model_id").map(str::to_owned),
            description: input::optional(given, "description")
                .unwrap_or_default()
                .to_owned(),
            tags: tag_map(given)?,
        })?;
        return Ok(json!({ "model_version": render::version(&version) }));
    }
    let number = number(given)?;
    let known = tracking.version(name, number)?;
    let change = |update: table::VersionUpdate| -> Result<()> {
        let done = table::update_version(tracking.store(), name, number, update, Timestamp::now())?;
        if done {
            Ok(())
        } else {
            Err(no_version(name, number))
        }
    };
    match verb {
        "get" => {}
        "update" => change(table::VersionUpdate {
            description: Some(
                input::optional(given, "description")
                    .unwrap_or_default()
                    .to_owned(),
            ),
            ..table::VersionUpdate::default()
        })?,
        "delete" => {
            table::delete_version(tracking.store(), name, number)?;
            return Ok(json!({}));
        }
        "transition-stage" => transition(tracking, &known, given)?,
        "set-tag" | "delete-tag" => {
            let mut tags = known.tags;
            change_tags(&mut tags, verb, given)?;
            change(table::VersionUpdate {
                tags: Some(tags),
                ..table::VersionUpdate::default()
            })?;
            return Ok(json!({}));
        }
        "get-download-uri" => {
            return Ok(json!({ "artifact_uri": download_uri(tracking, &known)? }));
        }
        other => {
            return Err(Error::NotFound(format!(
                "there is no call model-versions/{other}"
            )));
        }
    }
    Ok(json!({ "model_version": render::version(&tracking.version(name, number)?) }))
}

fn transition(tracking: &Tracking, version: &ModelVersion, given: &Value) -> Result<()> {
    let stage = input::text(given, "stage")?;
    let known = STAGES
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(stage));
    let known = known.ok_or_else(|| Error::Invalid(format!("Invalid Model Version stage: {stage}. Value must be one of None, Staging, Production, Archived.")))?;
    let now = Timestamp::now();
    let archive = given
        .get("archive_existing_versions")
        .is_some_and(|value| value == &json!(true) || value == &json!("true"));
    for other in tracking.versions(&version.name)? {
        let stage = if other.version == version.version {
            known
        } else if archive && other.stage == known {
            "Archived"
        } else {
            continue;
        };
        let update = table::VersionUpdate {
            stage: Some(stage.to_owned()),
            ..table::VersionUpdate::default()
        };
        table::update_version(tracking.store(), &version.name, other.version, update, now)?;
    }
    Ok(())
}

/// Where a client downloads a version's files from.
fn download_uri(tracking: &Tracking, version: &ModelVersion) -> Result<String> {
    let Some(id) = version
        .source
        .strip_prefix("models:/")
        .filter(|id| id.starts_with("m-"))
    else {
        return Ok(version.source.clone());
    };
    let model = tracking.logged_model(id)?;
    Ok(format!(
        "mlflow-artifacts:/{}/models/{id}/artifacts",
        model.row.experiment_id
    ))
}

fn search_versions(tracking: &Tracking, given: &Value) -> Result<Value> {
    let conditions = Conditions::parse(
        input::optional(given, "filter").unwrap_or_default(),
        &[
            "name",
            "run_id",
            "version_number",
            "version",
            "source_path",
            "source",
            "model_id",
            "tags.",
        ],
    )?;
    let mut found: Vec<ModelVersion> = table::versions(tracking.store(), None)?;
    found.retain(|version| {
        conditions.hold(&|key| match key {
            "name" => Some(version.name.clone()),
            "run_id" => version.run_id.clone(),
            "version_number" | "version" => Some(version.version.to_string()),
            "source_path" | "source" => Some(version.source.clone()),
            "model_id" => version.model_id.clone(),
            key => key
                .strip_prefix("tags.")
                .and_then(|tag| version.tags.get(tag).cloned()),
        })
    });
    found.sort_by(|a, b| {
        b.updated
            .cmp(&a.updated)
            .then_with(|| a.name.cmp(&b.name))
            .then_with(|| b.version.cmp(&a.version))
    });
    paged(
        found.iter().map(render::version).collect(),
        "model_versions",
        given,
        DEFAULT_VERSIONS,
    )
}
