//! `dvc.yaml` as written: which keys may stand where and of what type, before any `${…}` is filled in.

use crate::{
    Error, Result, Value,
    yaml::{Content, Node},
};

const TOP_KEYS: [&str; 7] = [
    "vars",
    "stages",
    "params",
    "metrics",
    "plots",
    "artifacts",
    "datasets",
];
const STAGE_KEYS: [&str; 13] = [
    "cmd",
    "wdir",
    "deps",
    "params",
    "vars",
    "frozen",
    "meta",
    "desc",
    "always_changed",
    "outs",
    "metrics",
    "plots",
    "matrix",
];
pub(crate) const OUT_FLAGS: [&str; 9] = [
    "cache",
    "persist",
    "checkpoint",
    "remote",
    "push",
    "desc",
    "type",
    "labels",
    "meta",
];
pub(crate) const PLOT_FLAGS: [&str; 7] = [
    "template", "x", "y", "x_label", "y_label", "title", "header",
];

/// One entry of `stages:`.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) group: Group,
    /// The stage's own keys, each with its line.
    pub(crate) body: Vec<Key>,
}

/// How many stages a definition stands for, and from what.
#[derive(Debug, Clone)]
pub(crate) enum Group {
    Single,
    Foreach { data: Value, line: usize },
    Matrix { data: Value, line: usize },
}

#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) value: Value,
    pub(crate) line: usize,
}

/// A whole pipeline file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    pub(crate) vars: Vec<Value>,
    pub(crate) vars_line: usize,
    pub(crate) stages: Vec<Definition>,
    /// Files listed at the top level, to be shown.
    pub(crate) metrics: Vec<Value>,
    pub(crate) params: Vec<Value>,
    pub(crate) plots: Vec<Value>,
}

/// Checks a parsed file and takes it apart; `file` names it in errors.
pub(crate) fn read(file: &str, root: &Node) -> Result<Document> {
    let at = At { file };
    let mut document = Document::default();
    if matches!(root.content, Content::Scalar(Value::Null)) {
        return Ok(document);
    }
    for (name, key, value) in at.entries(root, "the file")? {
        match name.as_str() {
            "vars" => {
                document.vars = at.list(value, "vars")?;
                document.vars_line = key.line;
            }
            "stages" => document.stages = at.stages(value)?,
            "metrics" => document.metrics = at.list(value, "metrics")?,
            "params" => document.params = at.list(value, "params")?,
            "plots" => document.plots = at.list(value, "plots")?,
            "artifacts" => drop(at.entries(value, "artifacts")?),
            "datasets" => {}
            other => return Err(at.unknown(key.line, other, "the file", &TOP_KEYS)),
        }
    }
    Ok(document)
}

/// The file that is read, for errors.
struct At<'a> {
    file: &'a str,
}

impl At<'_> {
    fn error(&self, line: usize, place: &str, message: impl Into<String>) -> Error {
        Error::Definition {
            file: self.file.to_owned(),
            line,
            place: place.to_owned(),
            message: message.into(),
        }
    }

    fn unknown(&self, line: usize, key: &str, place: &str, known: &[&str]) -> Error {
        let hint = crate::nearest::nearest(key, known.iter().copied())
            .map(|near| format!("; did you mean '{near}'?"))
            .unwrap_or_default();
        self.error(line, place, format!("'{key}' is not a known key{hint}"))
    }

    fn entries<'n>(
        &self,
        node: &'n Node,
        place: &str,
    ) -> Result<Vec<(String, &'n Node, &'n Node)>> {
        match &node.content {
            Content::Map(entries) => Ok(entries
                .iter()
                .map(|(key, value)| (key.to_value().python_str(), key, value))
                .collect()),
            Content::Scalar(Value::Null) => Ok(Vec::new()),
            Content::Scalar(_) | Content::List(_) => {
                let kind = node.to_value().kind();
                Err(self.error(
                    node.line,
                    place,
                    format!("expected a mapping, found {kind}"),
                ))
            }
        }
    }

    fn list(&self, node: &Node, place: &str) -> Result<Vec<Value>> {
        match node.to_value() {
            Value::List(items) => Ok(items),
            other => {
                let kind = other.kind();
                Err(self.error(node.line, place, format!("expected a list, found {kind}")))
            }
        }
    }

    fn stages(&self, node: &Node) -> Result<Vec<Definition>> {
        self.entries(node, "stages")?
            .into_iter()
            .map(|(name, key, value)| self.definition(name, key.line, value))
            .collect()
    }

    fn definition(&self, name: String, line: usize, node: &Node) -> Result<Definition> {
        let place = format!("stages.{name}");
        if let Some((_, data)) = node.entry("foreach") {
            for (key, at, _) in self.entries(node, &place)? {
                if key != "foreach" && key != "do" {
                    let message =
                        format!("'{key}' cannot stand beside 'foreach'; put it into 'do'");
                    return Err(self.error(at.line, &place, message));
                }
            }
            let Some((_, body)) = node.entry("do") else {
                return Err(self.error(line, &place, "'foreach' needs a 'do'"));
            };
            let group = Group::Foreach {
                data: data.to_value(),
                line: data.line,
            };
            let body = self.body(&place, line, body)?;
            if let Some(key) = body.iter().find(|key| key.name == "matrix") {
                return Err(self.error(key.line, &place, "'matrix' cannot stand inside 'foreach'"));
            }
            return Ok(Definition {
                name,
                line,
                group,
                body,
            });
        }
        if node.entry("do").is_some() {
            return Err(self.error(line, &place, "'do' needs a 'foreach'"));
        }
        let mut body = self.body(&place, line, node)?;
        let group = match body.iter().position(|key| key.name == "matrix") {
            Some(index) => {
                let key = body.remove(index);
                self.matrix(&place, &key)?;
                Group::Matrix {
                    data: key.value,
                    line: key.line,
                }
            }
            None => Group::Single,
        };
        Ok(Definition {
            name,
            line,
            group,
            body,
        })
    }

    fn matrix(&self, place: &str, key: &Key) -> Result<()> {
        let place = format!("{place}.matrix");
        let Some(axes) = key.value.as_map() else {
            return Err(self.error(key.line, &place, "expected a mapping of axes"));
        };
        match axes
            .iter()
            .find(|(_, axis)| !matches!(axis, Value::Str(_) | Value::List(_)))
        {
            Some((name, axis)) => {
                let message = format!("axis '{}' is {}, not a list", name.display(), axis.kind());
                Err(self.error(key.line, &place, message))
            }
            None => Ok(()),
        }
    }

    fn body(&self, place: &str, line: usize, node: &Node) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        for (name, key, value) in self.entries(node, place)? {
            if !STAGE_KEYS.contains(&name.as_str()) {
                return Err(self.unknown(key.line, &name, place, &STAGE_KEYS));
            }
            let key = Key {
                value: value.to_value(),
                line: key.line,
                name,
            };
            self.check(place, &key)?;
            keys.push(key);
        }
        if !keys.iter().any(|key| key.name == "cmd") {
            return Err(self.error(line, place, "a stage needs a 'cmd'"));
        }
        Ok(keys)
    }

    fn check(&self, place: &str, key: &Key) -> Result<()> {
        let strings = |items: &[Value]| items.iter().all(|item| item.as_str().is_some());
        let named = |items: &[Value]| {
            items
                .iter()
                .all(|item| matches!(item, Value::Str(_) | Value::Map(_)))
        };
        let (fits, expected) = match key.name.as_str() {
            "cmd" => {
                let fits = match &key.value {
                    Value::Str(text) => !text.trim().is_empty(),
                    Value::List(items) => !items.is_empty(),
                    _ => false,
                };
                (fits, "a command or a list of commands")
            }
            "wdir" | "desc" => (key.value.as_str().is_some(), "a string"),
            "frozen" | "always_changed" => (matches!(key.value, Value::Bool(_)), "true or false"),
            "deps" => (key.value.as_list().is_some_and(strings), "a list of paths"),
            "params" | "vars" => (
                key.value.as_list().is_some_and(named),
                "a list of names and of files with names",
            ),
            "outs" | "metrics" | "plots" => {
                let fits = key.value.as_list().is_some_and(named);
                (fits, "a list of paths and of paths with flags")
            }
            _ => (true, ""),
        };
        if fits {
            return Ok(());
        }
        let place = format!("{place}.{}", key.name);
        let message = format!("expected {expected}, found {}", key.value.kind());
        Err(self.error(key.line, &place, message))
    }
}
