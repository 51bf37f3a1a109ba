//! Changes one parameter in its file and nothing else: comments, order and layout stay as they are.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
};

use fs_err as fs;

use lapwing_data::Exclusive;

use crate::{
    Error, Result, Value,
    nearest::nearest,
    params::{Format, syntax},
    paths, python, template,
    yaml::{self, Content, Node},
};

const DEFAULT_FILE: &str = "params.yaml";
/// Names that are offered for one that is not there.
const MOST_MEANT: usize = 3;

/// A change such as `train.lr=0.02` or `conf/model.toml:layers=3`. A leading `+` allows a key that is not there yet.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Relative to the root.
    pub file: String,
    pub key: String,
    pub value: Value,
    pub add: bool,
}

impl Assignment {
    /// Reads a change as a person types it; `0.1` is a number, `yes` a string, `[1, 2]` a list.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || Error::BadAssignment {
            text: text.to_owned(),
        };
        let (name, value) = text.split_once('=').ok_or_else(bad)?;
        let (add, name) = match name.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        let (file, key) = name.rsplit_once(':').unwrap_or((DEFAULT_FILE, name));
        let key = key.trim();
        if file.is_empty() || key.is_empty() || key.split('.').any(str::is_empty) {
            return Err(bad());
        }
        Ok(Self {
            file: paths::join("", file),
            key: key.to_owned(),
            value: typed(value.trim()),
            add,
        })
    }
}

/// What a typed value means: a YAML scalar, or a list or mapping in brackets. Everything else is text as it stands.
fn typed(text: &str) -> Value {
    let quoted = text.starts_with(['"', '\'', '[', '{']);
    match yaml::parse(text).map(|node| node.to_value()) {
        Ok(value) if quoted => value,
        Ok(Value::Str(_) | Value::List(_) | Value::Map(_)) | Err(_) => Value::str(text),
        Ok(Value::Null) if text.starts_with('#') => Value::str(text),
        Ok(value) => value,
    }
}

/// What a change did.
#[derive(Debug, Clone)]
pub struct Changed {
    pub file: String,
    pub key: String,
    pub old: Option<Value>,
    pub new: Value,
}

/// Applies a change to its file.
pub fn set_param(root: &Path, assignment: &Assignment) -> Result<Changed> {
    let path = paths::on_disk(root, &assignment.file);
    let _alone = Exclusive::take(root)?;
    let text = read(&path, assignment)?;
    let (new_text, old) = edited(&text, assignment)?;
    if new_text != text {
        lapwing_data::write_whole(&path, new_text.as_bytes())?;
    }
    Ok(Changed {
        file: assignment.file.clone(),
        key: assignment.key.clone(),
        old,
        new: assignment.value.clone(),
    })
}

/// Parameter files as they would be: for a plan of what changes would do, while nothing is changed.
#[derive(Debug, Clone, Default)]
pub struct Drafts(BTreeMap<PathBuf, String>);

impl Drafts {
    /// The files with all of the changes.
    ///
    /// # Errors
    /// As [`set_param`].
    pub fn of(root: &Path, assignments: &[Assignment]) -> Result<Self> {
        let mut drafts = Self::default();
        for assignment in assignments {
            let path = paths::on_disk(root, &assignment.file);
            let text = match drafts.0.remove(&path) {
                Some(text) => text,
                None => read(&path, assignment)?,
            };
            let (text, _) = edited(&text, assignment)?;
            drafts.0.insert(path, text);
        }
        Ok(drafts)
    }

    /// The text of a file: its draft, where there is one.
    pub(crate) fn text(&self, path: &Path) -> Result<String> {
        match self.0.get(path) {
            Some(text) => Ok(text.clone()),
            None => Ok(fs::read_to_string(path)?),
        }
    }
}

fn read(path: &Path, assignment: &Assignment) -> Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::MissingParamsFile {
                file: assignment.file.clone(),
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// The file's text after the change, and the value before it.
fn edited(text: &str, assignment: &Assignment) -> Result<(String, Option<Value>)> {
    let edit = Edit { text, assignment };
    let (text, old) = match Format::of(&assignment.file) {
        Format::Yaml => edit.yaml(flow),
        // JSON is YAML to the parser that knows where each value stands.
        Format::Json => edit.yaml(python::json_dumps),
        Format::Toml => edit.toml(),
        Format::Python => Err(edit.cannot("Python files are read but not changed")),
    }?;
    let is_map = |value: &Value| matches!(value, Value::Map(_));
    if old.as_ref().is_some_and(is_map) && !is_map(&assignment.value) {
        return Err(edit.cannot("it holds other parameters: name one of them"));
    }
    Ok((text, old))
}

struct Edit<'a> {
    text: &'a str,
    assignment: &'a Assignment,
}

impl Edit<'_> {
    fn cannot(&self, message: impl Into<String>) -> Error {
        Error::CannotSet {
            file: self.assignment.file.clone(),
            key: self.assignment.key.clone(),
            message: message.into(),
        }
    }

    fn missing(&self, all: &Value) -> Error {
        let flat = template::flatten(all);
        let known: Vec<&str> = flat.iter().map(|(key, _)| key.as_str()).collect();
        let near = meant(&self.assignment.key, &known);
        self.cannot(if near.is_empty() {
            format!("it is not there; '+{}=…' adds it", self.assignment.key)
        } else {
            let near: Vec<String> = near.iter().map(|near| format!("'{near}'")).collect();
            format!("it is not there; did you mean {}?", near.join(" or "))
        })
    }

    fn yaml(&self, write: fn(&Value) -> String) -> Result<(String, Option<Value>)> {
        let file = &self.assignment.file;
        let root = yaml::parse(self.text)
            .map_err(|error| syntax(file, "YAML", error.line, error.message))?;
        let segments: Vec<&str> = self.assignment.key.split('.').collect();
        let mut node = &root;
        let mut key_node = None;
        let mut depth = 0;
        while let Some(segment) = segments.get(depth) {
            let next = match &node.content {
                Content::Map(_) => node.entry(segment).map(|(key, value)| (Some(key), value)),
                Content::List(items) => segment
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| items.get(index))
                    .map(|value| (None, value)),
                Content::Scalar(_) => None,
            };
            let Some((key, value)) = next else { break };
            (key_node, node) = (key, value);
            depth += 1;
        }
        if depth == segments.len() {
            let old = node.to_value();
            let text = self.replace(key_node, node, write)?;
            return self.checked(text, Some(old));
        }
        if !self.assignment.add {
            return Err(self.missing(&root.to_value()));
        }
        let text = self.insert(node, &segments[depth..], write)?;
        self.checked(text, None)
    }

    /// An edit is trusted only if reading the result gives the value that was asked for.
    fn checked(&self, text: String, old: Option<Value>) -> Result<(String, Option<Value>)> {
        let all = yaml::parse(&text).map(|node| node.to_value());
        let found = all
            .as_ref()
            .ok()
            .and_then(|all| all.at(&self.assignment.key));
        let same = found.is_some_and(|found| {
            python::json_dumps(found) == python::json_dumps(&self.assignment.value)
        });
        if same {
            Ok((text, old))
        } else {
            Err(self.cannot("the file's layout is not understood; change it by hand"))
        }
    }

    fn replace(
        &self,
        key: Option<&Node>,
        node: &Node,
        write: fn(&Value) -> String,
    ) -> Result<String> {
        let range = self.bytes(node.start, node.end);
        let value = write(&self.assignment.value);
        let old = &self.text[range.clone()];
        if old.trim().is_empty() {
            // A key without a value: put it behind the colon.
            let Some(key) = key else {
                return Err(self.cannot("it stands for nothing; change it by hand"));
            };
            let end = self.bytes(key.start, key.end).end;
            let colon = self.text[end..]
                .find(':')
                .map(|at| end + at + 1)
                .ok_or_else(|| self.cannot("no ':' follows it"))?;
            return Ok(format!(
                "{} {value}{}",
                &self.text[..colon],
                &self.text[colon..]
            ));
        }
        let block = match &node.content {
            Content::Scalar(_) => old.starts_with(['|', '>']),
            Content::List(_) => !old.starts_with('['),
            Content::Map(_) => !old.starts_with('{'),
        };
        if block {
            return Err(self.cannot("it spans several lines; change it by hand"));
        }
        let kept = old.len() - old.trim_end().len();
        Ok(format!(
            "{}{value}{}",
            &self.text[..range.start],
            &self.text[range.end - kept..]
        ))
    }

    /// Adds a key to the mapping that is there, in the mapping's own style.
    fn insert(&self, node: &Node, rest: &[&str], write: fn(&Value) -> String) -> Result<String> {
        let whole = self.bytes(node.start, node.end);
        let here = &self.text[whole.clone()];
        match &node.content {
            Content::Map(_) if here.starts_with('{') => {
                let body = here.trim_end().trim_end_matches('}').trim_end();
                let comma = if body.ends_with('{') { "" } else { ", " };
                let at = whole.start + body.len();
                let pair = rest
                    .iter()
                    .rev()
                    .fold(write(&self.assignment.value), |inner, key| {
                        let key = write(&Value::str(*key));
                        if inner.is_empty() {
                            key
                        } else {
                            format!("{{{key}: {inner}}}")
                        }
                    });
                let pair = pair.trim_start_matches('{');
                let pair = pair.strip_suffix('}').unwrap_or(pair);
                Ok(format!(
                    "{}{comma}{pair}{}",
                    &self.text[..at],
                    &self.text[at..]
                ))
            }
            Content::Map(entries) => {
                let Some((first, _)) = entries.first() else {
                    return Err(self.cannot("an empty mapping; change it by hand"));
                };
                let start = self.bytes(first.start, first.end).start;
                let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
                let indent = start - line_start;
                Ok(self.append(whole.end, indent, rest))
            }
            Content::Scalar(Value::Null)
                if here.trim().is_empty() && self.text.trim().is_empty() =>
            {
                Ok(self.append(self.text.len(), 0, rest))
            }
            Content::Scalar(_) | Content::List(_) => {
                Err(self.cannot("what holds it is no mapping"))
            }
        }
    }

    fn append(&self, end: usize, indent: usize, rest: &[&str]) -> String {
        let value = rest
            .iter()
            .rev()
            .fold(self.assignment.value.clone(), |inner, key| {
                Value::Map(vec![(Value::str(*key), inner)])
            });
        let block = yaml::emit(&value, indent);
        // Behind the last line of the mapping, before what blank lines and comments lead to the next key.
        let head = self.text[..end].trim_end();
        let at = self.text[head.len()..]
            .find('\n')
            .map_or(self.text.len(), |line| head.len() + line + 1);
        let gap = if at == 0 || self.text[..at].ends_with('\n') {
            ""
        } else {
            "\n"
        };
        format!("{}{gap}{block}{}", &self.text[..at], &self.text[at..])
    }

    fn bytes(&self, start: usize, end: usize) -> Range<usize> {
        let byte = |character: usize| {
            self.text
                .char_indices()
                .nth(character)
                .map_or(self.text.len(), |(at, _)| at)
        };
        let start = byte(start);
        start..byte(end).max(start)
    }

    fn toml(&self) -> Result<(String, Option<Value>)> {
        let file = &self.assignment.file;
        let mut document: toml_edit::DocumentMut =
            self.text.parse().map_err(|error: toml_edit::TomlError| {
                syntax(file, "TOML", 1, error.message().to_owned())
            })?;
        let segments: Vec<&str> = self.assignment.key.split('.').collect();
        let all = crate::params::parse(file, self.text)?;
        let old = all.at(&self.assignment.key).cloned();
        if old.is_none() && !self.assignment.add {
            return Err(self.missing(&all));
        }
        let Some(mut new) = toml_value(&self.assignment.value) else {
            return Err(self.cannot("TOML cannot hold this value"));
        };
        let mut item = document.as_item_mut();
        for segment in &segments {
            item = match item {
                toml_edit::Item::ArrayOfTables(_) => {
                    return Err(self.cannot("it lies in a list of tables; change it by hand"));
                }
                toml_edit::Item::Value(toml_edit::Value::Array(_)) => {
                    return Err(self.cannot("it lies in a list; change the whole list"));
                }
                toml_edit::Item::None
                | toml_edit::Item::Table(_)
                | toml_edit::Item::Value(toml_edit::Value::InlineTable(_)) => &mut item[*segment],
                toml_edit::Item::Value(_) => {
                    return Err(self.cannot("what holds it is no table"));
                }
            };
        }
        if let Some(value) = item.as_value() {
            *new.decor_mut() = value.decor().clone();
        }
        *item = toml_edit::Item::Value(new);
        Ok((document.to_string(), old))
    }
}

/// The names that were probably meant: those that end as the typed one, whose beginning was left out; else a similar one, or one
/// whose end is similar.
fn meant<'a>(typed: &str, known: &[&'a str]) -> Vec<&'a str> {
    let ends_so = |name: &&&str| {
        name.strip_suffix(typed)
            .is_some_and(|before| before.ends_with('.'))
    };
    let ending: Vec<&str> = known.iter().filter(ends_so).copied().collect();
    if !ending.is_empty() {
        return ending.into_iter().take(MOST_MEANT).collect();
    }
    if let Some(near) = nearest(typed, known.iter().copied()) {
        return vec![near];
    }
    let last = |name: &&'a str| name.rsplit('.').next().unwrap_or(name);
    let Some(near) = nearest(typed, known.iter().map(last)) else {
        return Vec::new();
    };
    let ending = known.iter().filter(|name| last(name) == near);
    ending.take(MOST_MEANT).copied().collect()
}

/// A value on one line of YAML, quoted so that it may also stand inside brackets.
fn flow(value: &Value) -> String {
    match value {
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", flow(key), flow(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {
            let line = yaml::emit_line(value);
            let plain = value.as_str() == Some(line.as_str());
            if plain && line.contains([',', '[', ']', '{', '}']) {
                format!("'{}'", line.replace('\'', "''"))
            } else {
                line
            }
        }
    }
}

fn toml_value(value: &Value) -> Option<toml_edit::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => (*flag).into(),
        Value::Int(number) => i64::try_from(*number).ok()?.into(),
        Value::Float(number) => (*number).into(),
        Value::Str(text) => text.as_str().into(),
        Value::List(items) => {
            let items: Option<toml_edit::Array> = items.iter().map(toml_value).collect();
            items?.into()
        }
        Value::Map(entries) => {
            let mut table = toml_edit::InlineTable::new();
            for (key, value) in entries {
                table.insert(key.python_str(), toml_value(value)?);
            }
            table.into()
        }
    })
}
