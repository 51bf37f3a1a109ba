//! Parameters as an engine's form shows them, and their files cut around each value.
//!
//! The engine puts the values of its run between the parts and has the file again, comments and layout included, without knowing YAML.

use fs_err as fs;

use crate::{
    Pipeline, Result, Value,
    params::{Format, syntax},
    paths, template,
    yaml::{self, Content, Node},
};

/// A larger file of parameters is not carried into an export.
const MAX_FILE_BYTES: usize = 256 * 1024;
const DEFAULT_FILE: &str = "params.yaml";

/// One value that a run may be started with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameter {
    /// `model.rate`, or `conf/other.yaml:model.rate`.
    pub(super) name: String,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Text(String),
    /// The value as it is written now.
    Value(Parameter, String),
}

/// A file of parameters, relative to the root.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ParameterFile {
    pub(super) path: String,
    pub(super) parts: Vec<Part>,
}

impl ParameterFile {
    pub(super) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(parameter, _) => Some(parameter),
            Part::Text(_) => None,
        })
    }
}

/// The files of parameters that stages read, with those values that can be set from outside. What stands in a command through
/// `${…}` is not among them: the command was written out with today's value.
pub(super) fn files(pipeline: &Pipeline, notes: &mut Vec<String>) -> Result<Vec<ParameterFile>> {
    let used = used_in_templates(pipeline)?;
    let mut wanted: Vec<(&str, Vec<&str>)> = Vec::new();
    for file in pipeline.stages().iter().flat_map(|stage| &stage.params) {
        let place = match wanted.iter().position(|(path, _)| *path == file.path) {
            Some(place) => place,
            None => {
                wanted.push((&file.path, Vec::new()));
                wanted.len() - 1
            }
        };
        if file.keys.is_empty() {
            wanted[place].1.push("");
        }
        wanted[place].1.extend(file.keys.iter().map(String::as_str));
    }
    let mut files = Vec::new();
    for (path, keys) in wanted {
        if let Some(file) = read(pipeline, path, &keys, &used, notes)? {
            files.push(file);
        }
    }
    Ok(files)
}

/// The names in `${…}` of all pipeline files.
fn used_in_templates(pipeline: &Pipeline) -> Result<Vec<String>> {
    let mut files: Vec<&str> = pipeline.stages().iter().map(|s| s.file.as_str()).collect();
    files.dedup();
    let mut names = Vec::new();
    for file in files {
        let text = fs::read_to_string(paths::on_disk(pipeline.root(), file))?;
        let found = template::names(&text);
        names.extend(
            found
                .into_iter()
                .map(|name| name.trim().replace('[', ".").replace(']', "")),
        );
    }
    Ok(names)
}

fn read(
    pipeline: &Pipeline,
    path: &str,
    keys: &[&str],
    used: &[String],
    notes: &mut Vec<String>,
) -> Result<Option<ParameterFile>> {
    if !matches!(Format::of(path), Format::Yaml | Format::Json) {
        notes.push(format!(
            "{path} is used as it is: only values in YAML and JSON can be set for one run"
        ));
        return Ok(None);
    }
    let text = match fs::read_to_string(paths::on_disk(pipeline.root(), path)) {
        Ok(text) if text.len() <= MAX_FILE_BYTES => text,
        Ok(_) => {
            notes.push(format!(
                "{path} is used as it is: it is too large to be carried along"
            ));
            return Ok(None);
        }
        // A stage makes it: then nobody sets it.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let root =
        yaml::parse(text).map_err(|error| syntax(path, "YAML", error.line, error.message))?;
    let mut leaves = Vec::new();
    collect(&mut leaves, "", &root);
    let overlaps = |one: &str, other: &str| {
        one == other
            || one.starts_with(&format!("{other}."))
            || other.starts_with(&format!("{one}."))
    };
    let mut fixed = Vec::new();
    leaves.retain(|(name, _)| keys.iter().any(|key| key.is_empty() || overlaps(name, key)));
    leaves.retain(|(name, _)| {
        let baked = used.iter().any(|used| overlaps(used, name));
        if baked {
            fixed.push(name.clone());
        }
        !baked
    });
    if !fixed.is_empty() {
        notes.push(format!(
            "{} of {path} cannot be set for one run: dvc.yaml uses it in `${{…}}`, and the export has today's value",
            fixed.join(", ")
        ));
    }
    let parts = cut(path, text, leaves);
    let any = parts.iter().any(|part| matches!(part, Part::Value(..)));
    Ok(any.then(|| ParameterFile {
        path: path.to_owned(),
        parts,
    }))
}

/// Every value that stands in one line: scalars, and lists in brackets.
fn collect<'a>(leaves: &mut Vec<(String, &'a Node)>, name: &str, node: &'a Node) {
    match &node.content {
        Content::Map(entries) => {
            for (key, value) in entries {
                let key = key.to_value().python_str();
                let name = if name.is_empty() {
                    key
                } else {
                    format!("{name}.{key}")
                };
                collect(leaves, &name, value);
            }
        }
        Content::Scalar(_) | Content::List(_) if !name.is_empty() => {
            leaves.push((name.to_owned(), node));
        }
        Content::Scalar(_) | Content::List(_) => {}
    }
}

fn cut(path: &str, text: &str, leaves: Vec<(String, &Node)>) -> Vec<Part> {
    let places: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let byte = |character: usize| places.get(character).copied().unwrap_or(text.len());
    let mut spans: Vec<(usize, usize, Parameter)> = leaves
        .into_iter()
        .filter_map(|(name, node)| {
            let (start, end) = (byte(node.start), byte(node.end));
            let written = text.get(start..end)?.trim_end();
            let value = node.to_value();
            (settable(&value) && on_one_line(written)).then(|| {
                let name = if path == DEFAULT_FILE {
                    name
                } else {
                    format!("{path}:{name}")
                };
                (start, start + written.len(), Parameter { name, value })
            })
        })
        .collect();
    spans.sort_by_key(|(start, end, _)| (*start, *end));
    // An alias stands where its anchor does: setting one would set the other.
    let all: Vec<(usize, usize)> = spans.iter().map(|(start, end, _)| (*start, *end)).collect();
    spans.retain(|(start, end, _)| all.iter().filter(|(a, b)| a < end && start < b).count() == 1);
    let mut parts = Vec::new();
    let mut from = 0;
    for (start, end, parameter) in spans {
        parts.push(Part::Text(text[from..start].to_owned()));
        parts.push(Part::Value(parameter, text[start..end].to_owned()));
        from = end;
    }
    parts.push(Part::Text(text[from..].to_owned()));
    parts
}

fn on_one_line(written: &str) -> bool {
    !written.is_empty()
        && !written.contains('\n')
        && !written.starts_with(['|', '>', '-', '&', '*', '!'])
        || written.starts_with('-') && written.parse::<f64>().is_ok()
}

/// JSON must be able to say it.
fn settable(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Str(_) => true,
        Value::Int(number) => i64::try_from(*number).is_ok(),
        Value::Float(number) => number.is_finite(),
        Value::List(items) => items.iter().all(settable),
        Value::Map(_) => false,
    }
}
