//! Parameter and metric files: YAML, JSON, TOML and the constants of Python modules, read as values.

use std::path::Path;

use fs_err as fs;

use crate::{
    Drafts, Error, Result, Value, paths,
    stage::{ParamsFile, Stage},
    yaml,
};

/// The values that a stage's parameters have now, file by file.
#[derive(Debug, Clone)]
pub struct ParamValues {
    /// As written in the stage.
    pub file: String,
    /// False: the file is not there, and nothing else is known.
    pub exists: bool,
    /// Dotted names with their values, in the order of the stage; for a whole file, its top-level keys.
    pub values: Vec<(String, Value)>,
}

/// Reads what a stage's parameters are at this moment.
pub fn params(root: &Path, stage: &Stage) -> Result<Vec<ParamValues>> {
    let drafts = Drafts::default();
    stage
        .params
        .iter()
        .map(|file| read(root, file, &drafts))
        .collect()
}

pub(crate) fn read(root: &Path, file: &ParamsFile, drafts: &Drafts) -> Result<ParamValues> {
    let path = paths::on_disk(root, &file.path);
    let exists = path.is_file();
    let values = if exists {
        let all = values_in(&path, &drafts.text(&path)?)?;
        if file.keys.is_empty() {
            all.as_map()
                .unwrap_or_default()
                .iter()
                .map(|(key, value)| (key.python_str(), value.clone()))
                .collect()
        } else {
            file.keys
                .iter()
                .filter_map(|key| all.at(key).map(|value| (key.clone(), value.clone())))
                .collect()
        }
    } else {
        Vec::new()
    };
    Ok(ParamValues {
        file: file.written.clone(),
        exists,
        values,
    })
}

/// The whole content of a YAML, JSON, TOML or Python file. An empty file is an empty mapping.
pub fn read_values(path: &Path) -> Result<Value> {
    values_in(path, &fs::read_to_string(path)?)
}

/// The same of a text that is the file's, or would be.
pub(crate) fn values_in(path: &Path, text: &str) -> Result<Value> {
    let name = path.display().to_string();
    let value = parse(&name, text)?;
    Ok(match value {
        Value::Null => Value::Map(Vec::new()),
        Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Str(_)
        | Value::List(_)
        | Value::Map(_) => value,
    })
}

/// What format a file has, by its name as DVC decides it: everything unknown is YAML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Yaml,
    Json,
    Toml,
    Python,
}

impl Format {
    pub(crate) fn of(name: &str) -> Self {
        match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("json") => Self::Json,
            Some("toml") => Self::Toml,
            Some("py") => Self::Python,
            _ => Self::Yaml,
        }
    }
}

pub(crate) fn parse(name: &str, text: &str) -> Result<Value> {
    match Format::of(name) {
        Format::Yaml => yaml::parse(text)
            .map(|node| node.to_value())
            .map_err(|error| syntax(name, "YAML", error.line, error.message)),
        Format::Json => parse_json(name, text),
        Format::Toml => parse_toml(name, text),
        Format::Python => Ok(crate::python_file::constants(text)),
    }
}

/// Python also writes `NaN` and `Infinity`, which no JSON has: such a file is read as YAML with its words for them.
fn parse_json(name: &str, text: &str) -> Result<Value> {
    let error = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => return Ok(Value::from(value)),
        Err(error) => error,
    };
    let words = yaml_numbers(text);
    match yaml::parse(&words) {
        Ok(node) if words != text => Ok(node.to_value()),
        Ok(_) | Err(_) => Err(syntax(name, "JSON", error.line(), error.to_string())),
    }
}

fn yaml_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, part) in text.replace("\\\"", "\u{0}").split('"').enumerate() {
        if index > 0 {
            out.push('"');
        }
        if index % 2 == 0 {
            let part = part.replace("NaN", ".nan").replace("Infinity", ".inf");
            out.push_str(&part);
        } else {
            out.push_str(part);
        }
    }
    out.replace('\u{0}', "\\\"")
}

fn parse_toml(name: &str, text: &str) -> Result<Value> {
    let document: toml_edit::DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text[..start.min(text.len())].matches('\n').count() + 1;
            syntax(name, "TOML", line, error.message().to_owned())
        })?;
    Ok(toml_item(document.as_item()))
}

fn toml_item(item: &toml_edit::Item) -> Value {
    match item {
        toml_edit::Item::None => Value::Null,
        toml_edit::Item::Value(value) => toml_value(value),
        toml_edit::Item::Table(table) => Value::Map(
            table
                .iter()
                .map(|(key, item)| (Value::str(key), toml_item(item)))
                .collect(),
        ),
        toml_edit::Item::ArrayOfTables(tables) => Value::List(
            tables
                .iter()
                .map(|table| toml_item(&toml_edit::Item::Table(table.clone())))
                .collect(),
        ),
    }
}

fn toml_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::str(text.value()),
        toml_edit::Value::Integer(number) => Value::Int(i128::from(*number.value())),
        toml_edit::Value::Float(number) => Value::Float(*number.value()),
        toml_edit::Value::Boolean(flag) => Value::Bool(*flag.value()),
        toml_edit::Value::Datetime(time) => Value::Str(time.value().to_string()),
        toml_edit::Value::Array(items) => Value::List(items.iter().map(toml_value).collect()),
        toml_edit::Value::InlineTable(table) => Value::Map(
            table
                .iter()
                .map(|(key, value)| (Value::str(key), toml_value(value)))
                .collect(),
        ),
    }
}

pub(crate) fn syntax(file: &str, format: &'static str, line: usize, message: String) -> Error {
    Error::Syntax {
        file: file.to_owned(),
        format,
        line,
        message,
    }
}
