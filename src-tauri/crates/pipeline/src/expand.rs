//! From definitions to stages: `foreach` and `matrix` unfold, `${…}` is filled in, paths are resolved.

use std::path::Path;

use crate::{
    Drafts, Error, Result, Value,
    context::Context,
    definition::{Definition, Document, Group, Key},
    resolved,
    stage::Stage,
    template::{self, Options, Slot, resolve},
};

/// What all stages of one file share.
pub(crate) struct Scope<'a> {
    pub(crate) root: &'a Path,
    /// The `dvc.yaml`, relative to the root.
    pub(crate) file: &'a str,
    /// Its folder.
    pub(crate) wdir: &'a str,
    pub(crate) options: Options,
    pub(crate) drafts: &'a Drafts,
}

impl Scope<'_> {
    pub(crate) fn error(&self, line: usize, place: &str, message: impl Into<String>) -> Error {
        Error::Definition {
            file: self.file.to_owned(),
            line,
            place: place.to_owned(),
            message: message.into(),
        }
    }
}

/// The context that `vars` and `params.yaml` of a file give.
pub(crate) fn context(scope: &Scope<'_>, document: &Document) -> Result<Context> {
    let line = document.vars_line.max(1);
    let fail = |message: String| scope.error(line, "vars", message);
    if document.vars.iter().any(template::has_template) {
        return Err(fail("'${…}' is not allowed here".to_owned()));
    }
    let mut context = Context::new(scope.drafts);
    context.load_default(scope.root, scope.wdir)?;
    context
        .load_vars(scope.root, scope.wdir, &document.vars, "")
        .map_err(fail)?;
    Ok(context)
}

/// Every stage that a definition stands for, in order.
pub(crate) fn stages(
    scope: &Scope<'_>,
    context: &Context,
    definition: &Definition,
) -> Result<Vec<Stage>> {
    check_syntax(scope, definition)?;
    match &definition.group {
        Group::Single => {
            let stage = one(scope, context, definition, definition.name.clone())?;
            Ok(vec![stage])
        }
        Group::Foreach { data, line } => {
            let items = foreach_items(scope, context, data).map_err(|message| {
                scope.error(
                    *line,
                    &format!("stages.{}.foreach", definition.name),
                    message,
                )
            })?;
            group(scope, context, definition, items)
        }
        Group::Matrix { data, line } => {
            let items = matrix_items(scope, context, data).map_err(|message| {
                scope.error(
                    *line,
                    &format!("stages.{}.matrix", definition.name),
                    message,
                )
            })?;
            group(scope, context, definition, items)
        }
    }
}

fn check_syntax(scope: &Scope<'_>, definition: &Definition) -> Result<()> {
    for key in &definition.body {
        template::check_syntax(&key.value).map_err(|message| {
            let place = format!("stages.{}.{}", definition.name, key.name);
            scope.error(key.line, &place, message)
        })?;
    }
    Ok(())
}

/// One member of a group: what its name ends with, and what its body can use.
struct Item {
    name: String,
    value: Value,
    key: Option<String>,
}

fn group(
    scope: &Scope<'_>,
    context: &Context,
    definition: &Definition,
    items: Vec<Item>,
) -> Result<Vec<Stage>> {
    items
        .into_iter()
        .map(|item| {
            let mut names = vec![("item", item.value)];
            names.extend(item.key.map(|key| ("key", Value::Str(key))));
            let name = format!("{}@{}", definition.name, item.name);
            one(scope, &context.with(names), definition, name)
        })
        .collect()
}

fn foreach_items(scope: &Scope<'_>, context: &Context, data: &Value) -> Result<Vec<Item>, String> {
    let resolved = resolve(context, data, Slot::Anything, scope.options)?;
    let items = match &resolved {
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| {
                let name = template::as_text(key, scope.options)?;
                Ok(Item {
                    key: Some(name.clone()),
                    name,
                    value: value.clone(),
                })
            })
            .collect::<Result<Vec<_>, String>>()?,
        Value::List(values) => {
            let nested = values.iter().any(is_collection);
            values
                .iter()
                .enumerate()
                .map(|(index, value)| Item {
                    name: if nested {
                        index.to_string()
                    } else {
                        fragment(data, index, value)
                    },
                    value: value.clone(),
                    key: None,
                })
                .collect()
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {
            return Err(format!(
                "expected a list or a mapping, found {}",
                resolved.kind()
            ));
        }
    };
    Ok(last_of_each_name(items))
}

/// One choice from each axis so far: the parts of the name, and the values by axis.
#[derive(Clone, Default)]
struct Combination {
    names: Vec<String>,
    chosen: Vec<(Value, Value)>,
}

fn matrix_items(scope: &Scope<'_>, context: &Context, data: &Value) -> Result<Vec<Item>, String> {
    let mut combinations = vec![Combination::default()];
    for (axis, raw) in data.as_map().unwrap_or_default() {
        let axis = template::as_text(axis, scope.options)?;
        let resolved = resolve(context, raw, Slot::Anything, scope.options)?;
        let Some(values) = resolved.as_list() else {
            return Err(format!("axis '{axis}' is {}, not a list", resolved.kind()));
        };
        if combinations.len().saturating_mul(values.len()) > MAX_GROUP {
            return Err(format!("more than {MAX_GROUP} combinations"));
        }
        let mut next = Vec::with_capacity(combinations.len() * values.len());
        for combination in &combinations {
            for (index, value) in values.iter().enumerate() {
                let mut combination = combination.clone();
                combination.names.push(if is_collection(value) {
                    format!("{axis}{index}")
                } else {
                    fragment(raw, index, value)
                });
                combination.chosen.push((Value::str(&axis), value.clone()));
                next.push(combination);
            }
        }
        combinations = next;
    }
    let items = combinations.into_iter().map(|combination| {
        let name = combination.names.join("-");
        Item {
            key: Some(name.clone()),
            name,
            value: Value::Map(combination.chosen),
        }
    });
    Ok(last_of_each_name(items.collect()))
}

/// More stages than anyone looks at; a product that reaches it is a mistake.
const MAX_GROUP: usize = 10_000;

fn is_collection(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Map(_))
}

/// How an element names its stage. DVC writes what came through `${…}` with Python's `str` (`True`), and what stands in the file
/// itself as in a text (`true`).
fn fragment(raw: &Value, index: usize, value: &Value) -> String {
    let literal = raw
        .as_list()
        .and_then(|items| items.get(index))
        .is_some_and(|item| {
            item.as_str()
                .is_none_or(|text| template::whole_expression(text).is_none())
        });
    match value {
        Value::Bool(flag) if literal => flag.to_string(),
        _ => value.python_str(),
    }
}

/// Equal names replace each other as in a Python dict: the place of the first, the value of the last.
fn last_of_each_name(items: Vec<Item>) -> Vec<Item> {
    let mut kept: Vec<Item> = Vec::with_capacity(items.len());
    for item in items {
        match kept.iter_mut().find(|old| old.name == item.name) {
            Some(old) => *old = item,
            None => kept.push(item),
        }
    }
    kept
}

fn one(
    scope: &Scope<'_>,
    context: &Context,
    definition: &Definition,
    name: String,
) -> Result<Stage> {
    let fail = |key: &Key, message: String| {
        scope.error(key.line, &format!("stages.{name}.{}", key.name), message)
    };
    let find = |wanted: &str| definition.body.iter().find(|key| key.name == wanted);
    let mut wdir = scope.wdir.to_owned();
    if let Some(key) = find("wdir") {
        let resolved = resolve(context, &key.value, Slot::Anything, scope.options)
            .map_err(|message| fail(key, message))?;
        wdir = crate::paths::join(&wdir, &resolved.python_str());
    }
    let own;
    let mut context = context;
    if let Some(key) = find("vars") {
        if template::has_template(&key.value) {
            return Err(fail(key, "'${…}' is not allowed here".to_owned()));
        }
        let mut with_vars = context.clone();
        let vars = key.value.as_list().unwrap_or_default();
        with_vars
            .load_vars(scope.root, &wdir, vars, &format!("{name}."))
            .map_err(|message| fail(key, message))?;
        own = with_vars;
        context = &own;
    }
    let mut keys = Vec::with_capacity(definition.body.len());
    for key in &definition.body {
        if key.name == "vars" || key.name == "wdir" {
            continue;
        }
        let slot = if key.name == "cmd" {
            Slot::Command
        } else {
            Slot::Scalar
        };
        let value = resolve(context, &key.value, slot, scope.options)
            .map_err(|message| fail(key, message))?;
        keys.push(Key {
            name: key.name.clone(),
            line: key.line,
            value,
        });
    }
    resolved::stage(scope, &name, definition.line, wdir, keys)
}
