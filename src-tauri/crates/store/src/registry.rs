//! The model registry: logged models, registered models, their versions, aliases and tags.

use std::collections::BTreeMap;

use lapwing_core::{Tag, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::{Result, Store, feed};

pub(crate) const MIGRATIONS: &[&str] = &["CREATE TABLE logged_models (
    id TEXT PRIMARY KEY,
    experiment_id INTEGER NOT NULL,
    run_id TEXT,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    tags TEXT NOT NULL,
    params TEXT NOT NULL
) STRICT;
CREATE INDEX logged_models_run ON logged_models (run_id);
CREATE TABLE registered_models (
    name TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    tags TEXT NOT NULL
) STRICT;
CREATE TABLE model_versions (
    name TEXT NOT NULL REFERENCES registered_models (name) ON UPDATE CASCADE ON DELETE CASCADE,
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    description TEXT NOT NULL,
    stage TEXT NOT NULL,
    source TEXT NOT NULL,
    run_id TEXT,
    model_id TEXT,
    tags TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;
CREATE TABLE model_aliases (
    name TEXT NOT NULL,
    alias TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (name, alias),
    FOREIGN KEY (name, version) REFERENCES model_versions (name, version) ON UPDATE CASCADE ON DELETE CASCADE
) STRICT;
-- Numbers are never given twice, also after the newest version was deleted.
CREATE TABLE model_counters (name TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT;"];

/// A model that a run logged. `tags` and `params` are JSON lists of `{key, value}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedModel {
    pub id: String,
    pub experiment_id: i64,
    pub run_id: Option<String>,
    pub name: String,
    pub kind: String,
    pub status: String,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub tags: String,
    pub params: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredModel {
    pub name: String,
    pub description: String,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub tags: BTreeMap<String, String>,
    pub aliases: BTreeMap<String, u32>,
    pub versions: u32,
    pub latest: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelVersion {
    pub name: String,
    pub version: u32,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub description: String,
    /// `None`, `Staging`, `Production` or `Archived`.
    pub stage: String,
    pub source: String,
    pub run_id: Option<String>,
    pub model_id: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub aliases: Vec<String>,
}

fn map(text: &str) -> BTreeMap<String, String> {
    // Written by this file alone; what cannot be read has no tags.
    serde_json::from_str(text).unwrap_or_default()
}

fn json(map: &BTreeMap<String, String>) -> String {
    serde_json::to_string(map).unwrap_or_else(|_| "{}".to_owned())
}

fn read_logged(row: &Row<'_>) -> rusqlite::Result<LoggedModel> {
    Ok(LoggedModel {
        id: row.get("id")?,
        experiment_id: row.get("experiment_id")?,
        run_id: row.get("run_id")?,
        name: row.get("name")?,
        kind: row.get("kind")?,
        status: row.get("status")?,
        created: Timestamp(row.get("created")?),
        updated: Timestamp(row.get("updated")?),
        tags: row.get("tags")?,
        params: row.get("params")?,
    })
}

/// Inserts or replaces a logged model.
///
/// # Errors
/// When the database cannot be written.
pub fn put_logged(store: &Store, model: LoggedModel) -> Result<()> {
    store.write(move |tx| {
        tx.execute(
            "INSERT OR REPLACE INTO logged_models VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                model.id,
                model.experiment_id,
                model.run_id,
                model.name,
                model.kind,
                model.status,
                model.created.0,
                model.updated.0,
                model.tags,
                model.params
            ],
        )?;
        feed::push(tx, Tag::Runs, model.run_id.as_deref())
    })
}

/// One logged model.
///
/// # Errors
/// When the database cannot be read.
pub fn logged(store: &Store, id: &str) -> Result<Option<LoggedModel>> {
    store.read(|connection| {
        Ok(connection
            .query_row(
                "SELECT * FROM logged_models WHERE id = ?1",
                [id],
                read_logged,
            )
            .optional()?)
    })
}

/// Logged models, newest first, of a run or of all.
///
/// # Errors
/// When the database cannot be read.
pub fn logged_of(store: &Store, run_id: Option<&str>) -> Result<Vec<LoggedModel>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT * FROM logged_models WHERE (?1 IS NULL OR run_id = ?1) ORDER BY created DESC, id",
        )?;
        let rows = statement.query_map([run_id], read_logged)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

/// Forgets a logged model; its files stay. False when there is none.
///
/// # Errors
/// When the database cannot be written.
pub fn delete_logged(store: &Store, id: &str) -> Result<bool> {
    let id = id.to_owned();
    store.write(move |tx| {
        feed::push(tx, Tag::Runs, None)?;
        Ok(tx.execute("DELETE FROM logged_models WHERE id = ?1", [&id])? == 1)
    })
}

/// Creates a registered model. False when the name is taken.
///
/// # Errors
/// When the database cannot be written.
pub fn create_model(
    store: &Store,
    name: &str,
    description: &str,
    tags: &BTreeMap<String, String>,
    at: Timestamp,
) -> Result<bool> {
    let (name, description, tags) = (name.to_owned(), description.to_owned(), json(tags));
    store.write(move |tx| {
        let made = tx.execute(
            "INSERT OR IGNORE INTO registered_models VALUES (?1, ?2, ?3, ?3, ?4)",
            params![name, description, at.0, tags],
        )?;
        feed::push(tx, Tag::Models, Some(&name))?;
        Ok(made == 1)
    })
}

/// All registered models by name, with aliases and counts.
///
/// # Errors
/// When the database cannot be read.
pub fn models(store: &Store) -> Result<Vec<RegisteredModel>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT m.*, (SELECT count(*) FROM model_versions v WHERE v.name = m.name) AS versions,
             (SELECT max(version) FROM model_versions v WHERE v.name = m.name) AS latest
             FROM registered_models m ORDER BY m.name",
        )?;
        let mut all: Vec<RegisteredModel> = statement
            .query_map([], |row| {
                Ok(RegisteredModel {
                    name: row.get("name")?,
                    description: row.get("description")?,
                    created: Timestamp(row.get("created")?),
                    updated: Timestamp(row.get("updated")?),
                    tags: map(&row.get::<_, String>("tags")?),
                    aliases: BTreeMap::new(),
                    versions: row.get("versions")?,
                    latest: row.get("latest")?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        let mut statement = connection
            .prepare_cached("SELECT alias, version FROM model_aliases WHERE name = ?1")?;
        for model in &mut all {
            let aliases =
                statement.query_map([&model.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
            model.aliases = aliases.collect::<rusqlite::Result<_>>()?;
        }
        Ok(all)
    })
}

/// What to change of a registered model; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct ModelUpdate {
    pub name: Option<String>,
    pub description: Option<String>,
    pub tags: Option<BTreeMap<String, String>>,
}

/// Changes a registered model; a new name takes versions and aliases along. False when there is none.
///
/// # Errors
/// When the new name is taken, or the database cannot be written.
pub fn update_model(store: &Store, name: &str, update: ModelUpdate, at: Timestamp) -> Result<bool> {
    let name = name.to_owned();
    store.write(move |tx| {
        let tags = update.tags.as_ref().map(json);
        let changed = tx.execute(
            "UPDATE registered_models SET name = coalesce(?2, name), description = coalesce(?3, description),
             tags = coalesce(?4, tags), updated = ?5 WHERE name = ?1",
            params![name, update.name, update.description, tags, at.0],
        )?;
        if let Some(new) = &update.name {
            tx.execute("UPDATE model_counters SET name = ?2 WHERE name = ?1", params![name, new])?;
        }
        feed::push(tx, Tag::Models, Some(&name))?;
        Ok(changed == 1)
    })
}

/// Removes a registered model with its versions. False when there is none.
///
/// # Errors
/// When the database cannot be written.
pub fn delete_model(store: &Store, name: &str) -> Result<bool> {
    let name = name.to_owned();
    store.write(move |tx| {
        feed::push(tx, Tag::Models, Some(&name))?;
        Ok(tx.execute("DELETE FROM registered_models WHERE name = ?1", [&name])? == 1)
    })
}

/// Adds a version and answers its number; what `version` carries there is ignored.
///
/// # Errors
/// When the registered model does not exist, or the database cannot be written.
pub fn add_version(store: &Store, version: ModelVersion) -> Result<u32> {
    store.write(move |tx| {
        tx.execute(
            "INSERT OR IGNORE INTO model_counters VALUES (?1, 0)",
            [&version.name],
        )?;
        tx.execute(
            "UPDATE model_counters SET last = last + 1 WHERE name = ?1",
            [&version.name],
        )?;
        let number: u32 = tx.query_row(
            "SELECT last FROM model_counters WHERE name = ?1",
            [&version.name],
            |row| row.get(0),
        )?;
        tx.execute(
            "INSERT INTO model_versions VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                version.name,
                number,
                version.created.0,
                version.description,
                version.stage,
                version.source,
                version.run_id,
                version.model_id,
                json(&version.tags)
            ],
        )?;
        tx.execute(
            "UPDATE registered_models SET updated = ?2 WHERE name = ?1",
            params![version.name, version.created.0],
        )?;
        feed::push(tx, Tag::Models, Some(&version.name))?;
        Ok(number)
    })
}

/// All versions of a model, newest first; of every model without a name.
///
/// # Errors
/// When the database cannot be read.
pub fn versions(store: &Store, name: Option<&str>) -> Result<Vec<ModelVersion>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT v.*, (SELECT json_group_array(alias) FROM model_aliases a WHERE a.name = v.name AND a.version = v.version)
             AS aliases FROM model_versions v WHERE (?1 IS NULL OR v.name = ?1) ORDER BY v.name, v.version DESC",
        )?;
        let rows = statement.query_map([name], |row| {
            Ok(ModelVersion {
                name: row.get("name")?,
                version: row.get("version")?,
                created: Timestamp(row.get("created")?),
                updated: Timestamp(row.get("updated")?),
                description: row.get("description")?,
                stage: row.get("stage")?,
                source: row.get("source")?,
                run_id: row.get("run_id")?,
                model_id: row.get("model_id")?,
                tags: map(&row.get::<_, String>("tags")?),
                aliases: serde_json::from_str(&row.get::<_, String>("aliases")?).unwrap_or_default(),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

/// What to change of a version; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct VersionUpdate {
    pub description: Option<String>,
    pub stage: Option<String>,
    pub tags: Option<BTreeMap<String, String>>,
}

/// Changes a version. False when there is none.
///
/// # Errors
/// When the database cannot be written.
pub fn update_version(
    store: &Store,
    name: &str,
    version: u32,
    update: VersionUpdate,
    at: Timestamp,
) -> Result<bool> {
    let name = name.to_owned();
    store.write(move |tx| {
        let changed = tx.execute(
            "UPDATE model_versions SET description = coalesce(?3, description), stage = coalesce(?4, stage),
             tags = coalesce(?5, tags), updated = ?6 WHERE name = ?1 AND version = ?2",
            params![name, version, update.description, update.stage, update.tags.as_ref().map(json), at.0],
        )?;
        feed::push(tx, Tag::Models, Some(&name))?;
        Ok(changed == 1)
    })
}

/// Removes a version. False when there is none.
///
/// # Errors
/// When the database cannot be written.
pub fn delete_version(store: &Store, name: &str, version: u32) -> Result<bool> {
    let name = name.to_owned();
    store.write(move |tx| {
        feed::push(tx, Tag::Models, Some(&name))?;
        Ok(tx.execute(
            "DELETE FROM model_versions WHERE name = ?1 AND version = ?2",
            params![name, version],
        )? == 1)
    })
}

/// Points an alias at a version, or removes it without one. False when there is no such version.
///
/// # Errors
/// When the database cannot be written.
pub fn set_alias(store: &Store, name: &str, alias: &str, version: Option<u32>) -> Result<bool> {
    let (name, alias) = (name.to_owned(), alias.to_owned());
    store.write(move |tx| {
        feed::push(tx, Tag::Models, Some(&name))?;
        let Some(version) = version else {
            return Ok(tx.execute("DELETE FROM model_aliases WHERE name = ?1 AND alias = ?2", params![name, alias])? == 1);
        };
        let made = tx.execute(
            "INSERT OR REPLACE INTO model_aliases (name, alias, version)
             SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM model_versions WHERE name = ?1 AND version = ?3)",
            params![name, alias, version],
        )?;
        Ok(made == 1)
    })
}
