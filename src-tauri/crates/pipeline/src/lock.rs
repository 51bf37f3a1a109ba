//! `dvc.lock`: what each stage read and made when it last ran. Reading keeps what it does not know; writing touches one stage and
//! leaves the text of the others alone.

use std::{collections::HashMap, path::Path};

use fs_err as fs;

use crate::{
    Error, Result, Value,
    params::syntax,
    yaml::{self, Content, Node},
};

const SCHEMA: &str = "2.0";

/// One path in a lock entry.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LockEntry {
    /// As written in the stage.
    pub path: String,
    /// `md5` since DVC 3; absent for entries of DVC 2, whose ids fold line ends.
    pub hash: Option<String>,
    /// The content's id, with `.dir` for a folder.
    pub md5: Option<String>,
    pub size: Option<u64>,
    pub nfiles: Option<u64>,
    pub isexec: bool,
    /// Whatever else the entry holds (`etag`, `files`, …).
    pub rest: Vec<(Value, Value)>,
}

/// What one stage read and made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StageLock {
    /// The resolved command: a text or a list.
    pub cmd: Option<Value>,
    pub deps: Vec<LockEntry>,
    /// Per file, the values of the parameters.
    pub params: Vec<(String, Vec<(String, Value)>)>,
    /// Outputs, metrics and plots.
    pub outs: Vec<LockEntry>,
}

impl StageLock {
    /// A digest of what was read: two of the same one make the same outputs, where commands are repeatable.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        crate::run_cache::fingerprint(self)
    }

    #[must_use]
    pub fn dep(&self, written: &str) -> Option<&LockEntry> {
        self.deps.iter().find(|entry| entry.path == written)
    }

    #[must_use]
    pub fn out(&self, written: &str) -> Option<&LockEntry> {
        self.outs.iter().find(|entry| entry.path == written)
    }

    /// The parameters recorded for a file.
    #[must_use]
    pub fn params_of(&self, file: &str) -> Option<&[(String, Value)]> {
        self.params
            .iter()
            .find(|(name, _)| name == file)
            .map(|(_, values)| values.as_slice())
    }

    pub(crate) fn from_value(value: &Value) -> Self {
        let entries = |key: &str| {
            value
                .get(key)
                .and_then(Value::as_list)
                .unwrap_or_default()
                .iter()
                .map(LockEntry::from_value)
                .collect()
        };
        let params = value
            .get("params")
            .and_then(Value::as_map)
            .unwrap_or_default()
            .iter()
            .map(|(file, values)| (file.python_str(), named(values)))
            .collect();
        Self {
            cmd: value.get("cmd").cloned(),
            deps: entries("deps"),
            params,
            outs: entries("outs"),
        }
    }

    /// DVC's key order: cmd, deps, params, outs; what is empty is left out.
    pub(crate) fn to_value(&self) -> Value {
        let mut map = Vec::new();
        if let Some(cmd) = &self.cmd {
            map.push((Value::str("cmd"), cmd.clone()));
        }
        let list =
            |entries: &[LockEntry]| Value::List(entries.iter().map(LockEntry::to_value).collect());
        if !self.deps.is_empty() {
            map.push((Value::str("deps"), list(&self.deps)));
        }
        if !self.params.is_empty() {
            let files = self.params.iter().map(|(file, values)| {
                let values = values
                    .iter()
                    .map(|(key, value)| (Value::str(key), value.clone()))
                    .collect();
                (Value::str(file), Value::Map(values))
            });
            map.push((Value::str("params"), Value::Map(files.collect())));
        }
        if !self.outs.is_empty() {
            map.push((Value::str("outs"), list(&self.outs)));
        }
        Value::Map(map)
    }
}

fn named(values: &Value) -> Vec<(String, Value)> {
    values
        .as_map()
        .unwrap_or_default()
        .iter()
        .map(|(key, value)| (key.python_str(), value.clone()))
        .collect()
}

impl LockEntry {
    fn from_value(value: &Value) -> Self {
        let mut entry = Self::default();
        let count = |value: &Value| match value {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        for (key, value) in value.as_map().unwrap_or_default() {
            match key.as_str() {
                Some("path") => entry.path = value.python_str(),
                Some("hash") => entry.hash = Some(value.python_str()),
                Some("md5") => entry.md5 = Some(value.python_str()),
                Some("size") => entry.size = count(value),
                Some("nfiles") => entry.nfiles = count(value),
                Some("isexec") => entry.isexec = *value == Value::Bool(true),
                Some(_) | None => entry.rest.push((key.clone(), value.clone())),
            }
        }
        entry
    }

    fn to_value(&self) -> Value {
        let mut map = vec![(Value::str("path"), Value::str(&self.path))];
        let mut add = |key: &str, value: Option<Value>| {
            map.extend(value.map(|value| (Value::str(key), value)));
        };
        add("hash", self.hash.as_ref().map(Value::str));
        add("md5", self.md5.as_ref().map(Value::str));
        add("size", self.size.map(|n| Value::Int(n.into())));
        add("nfiles", self.nfiles.map(|n| Value::Int(n.into())));
        add("isexec", self.isexec.then_some(Value::Bool(true)));
        map.extend(self.rest.iter().cloned());
        Value::Map(map)
    }
}

/// One `dvc.lock`, read.
#[derive(Debug, Clone)]
pub struct LockFile {
    text: String,
    root: Node,
    /// Where each stage stands among the entries.
    index: HashMap<String, usize>,
}

impl LockFile {
    /// Reads a lock file; a missing one is empty.
    pub fn read(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        let name = path.display().to_string();
        let root =
            yaml::parse(&text).map_err(|error| syntax(&name, "YAML", error.line, error.message))?;
        let fail = |line: usize, message: &str| Error::Definition {
            file: name.clone(),
            line,
            place: "the lock".to_owned(),
            message: message.to_owned(),
        };
        let empty = matches!(root.content, Content::Scalar(Value::Null));
        if !empty {
            let schema = root.entry("schema").map(|(_, node)| node.to_value());
            match schema {
                Some(schema) if schema.python_str() == SCHEMA => {}
                Some(schema) => {
                    let message = format!(
                        "schema '{}' is not known; only '2.0' is",
                        schema.python_str()
                    );
                    return Err(fail(root.line, &message));
                }
                None => return Err(fail(root.line, "it has no 'schema'")),
            }
        }
        let index = match root.entry("stages").map(|(_, node)| &node.content) {
            Some(Content::Map(entries)) => entries
                .iter()
                .enumerate()
                .map(|(at, (key, _))| (key.to_value().python_str(), at))
                .collect(),
            Some(Content::Scalar(_) | Content::List(_)) | None => HashMap::new(),
        };
        Ok(Self { text, root, index })
    }

    /// What is recorded for a stage.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<StageLock> {
        let (_, stages) = self.root.entry("stages")?;
        let Content::Map(entries) = &stages.content else {
            return None;
        };
        let (_, entry) = entries.get(*self.index.get(name)?)?;
        Some(StageLock::from_value(&entry.to_value()))
    }

    /// Every stage with its record, also those that no `dvc.yaml` names any more.
    #[must_use]
    pub fn stages(&self) -> Vec<(String, StageLock)> {
        let stages = self.root.entry("stages").map(|(_, node)| node.to_value());
        stages
            .as_ref()
            .and_then(Value::as_map)
            .unwrap_or_default()
            .iter()
            .map(|(name, entry)| (name.python_str(), StageLock::from_value(entry)))
            .collect()
    }

    /// The file's text with one stage's record put in.
    pub(crate) fn with(&self, name: &str, lock: &StageLock) -> String {
        let wanted = self.value_with(name, lock);
        let spliced = self.splice(name, lock);
        // The splice trusts the layout that DVC and Lapwing write; for any other the whole file is laid out anew.
        match spliced {
            Some(text) if yaml::parse(&text).is_ok_and(|root| same(&root.to_value(), &wanted)) => {
                text
            }
            Some(_) | None => yaml::emit(&wanted, 0),
        }
    }

    fn value_with(&self, name: &str, lock: &StageLock) -> Value {
        let mut root = match self.root.to_value() {
            root @ Value::Map(_) => root,
            _ => Value::Map(vec![(Value::str("schema"), Value::str(SCHEMA))]),
        };
        let mut stages = match root.get("stages") {
            Some(stages @ Value::Map(_)) => stages.clone(),
            Some(_) | None => Value::Map(Vec::new()),
        };
        stages.set(name, lock.to_value());
        root.set("stages", stages);
        root
    }

    fn splice(&self, name: &str, lock: &StageLock) -> Option<String> {
        let (_, stages) = self.root.entry("stages")?;
        let Content::Map(entries) = &stages.content else {
            return None;
        };
        let entry = Value::Map(vec![(Value::str(name), lock.to_value())]);
        let block = yaml::emit(&entry, 2);
        let lines: Vec<&str> = self.text.split_inclusive('\n').collect();
        let end_of_stages = self.end_of(stages, lines.len());
        let (from, to) = match entries
            .iter()
            .position(|(key, _)| key.to_value().python_str() == name)
        {
            Some(index) => {
                let from = entries[index].0.line - 1;
                let to = entries
                    .get(index + 1)
                    .map_or(end_of_stages, |(next, _)| next.line - 1);
                (from, to)
            }
            None => (end_of_stages, end_of_stages),
        };
        let head = lines.get(..from)?.concat();
        let tail = lines.get(to..)?.concat();
        let gap = if head.is_empty() || head.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        Some(format!("{head}{gap}{block}{tail}"))
    }

    /// The first line after the stages: that of the next key at the top, or the end of the text.
    fn end_of(&self, stages: &Node, lines: usize) -> usize {
        let Content::Map(entries) = &self.root.content else {
            return lines;
        };
        entries
            .iter()
            .map(|(key, _)| key.line)
            .filter(|line| *line > stages.line)
            .min()
            .map_or(lines, |line| line - 1)
    }
}

/// Equal and of the same types: `1` is not `1.0` here, for a lock must say what was there.
fn same(a: &Value, b: &Value) -> bool {
    a == b && crate::python::json_dumps(a) == crate::python::json_dumps(b)
}

/// Puts one stage's record into a lock file, which appears whole or not at all.
pub(crate) fn write(path: &Path, name: &str, lock: &StageLock) -> Result<()> {
    let text = LockFile::read(path)?.with(name, lock);
    Ok(lapwing_data::write_whole(path, text.as_bytes())?)
}
