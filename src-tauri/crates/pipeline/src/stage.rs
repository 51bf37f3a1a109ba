//! What one stage is: everything resolved, every path relative to the project's root beside its text as written.

use serde::Serialize;
use specta::Type;

use crate::{Value, paths};

/// One step of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// How commands name it: `train`, or `sub/dvc.yaml:train` for a file below the root.
    pub address: String,
    /// Its key in the file, with `@item` for a generated stage.
    pub name: String,
    /// The `dvc.yaml`, relative to the root.
    pub file: String,
    /// Line of its definition in `file`, from 1.
    pub line: u32,
    /// Where its commands run and what its paths start from, relative to the root; "" is the root.
    pub wdir: String,
    pub cmd: Cmd,
    pub deps: Vec<Dep>,
    pub params: Vec<ParamsFile>,
    /// Outputs, metrics and plots together, in that order of `kind` as the file lists them.
    pub outs: Vec<StageOut>,
    pub frozen: bool,
    pub always_changed: bool,
    pub desc: Option<String>,
    pub meta: Option<Value>,
}

/// The command as written: one text, or a list. The difference matters for `dvc.lock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cmd {
    One(String),
    Many(Vec<String>),
}

impl Cmd {
    /// What runs, line by line; the first failure ends the stage.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::One(text) => text.lines().map(str::to_owned).collect(),
            Self::Many(lines) => lines.clone(),
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::One(text) => Value::str(text),
            Self::Many(lines) => Value::List(lines.iter().map(Value::str).collect()),
        }
    }
}

/// A file or folder that a stage reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dep {
    /// As written, relative to the stage's `wdir`: the key in `dvc.lock`.
    pub written: String,
    /// Relative to the root, or as written where it is absolute or a URL.
    pub path: String,
}

/// Parameters that a stage reads from one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamsFile {
    pub written: String,
    pub path: String,
    /// Dotted names; empty means the whole file.
    pub keys: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum OutKind {
    Output,
    Metric,
    Plot,
}

/// A file or folder that a stage makes.
#[derive(Debug, Clone, PartialEq)]
pub struct StageOut {
    pub written: String,
    pub path: String,
    pub kind: OutKind,
    /// False: left to git, or to nobody.
    pub cache: bool,
    /// True: not deleted before the stage runs.
    pub persist: bool,
    pub push: bool,
    pub remote: Option<String>,
    pub desc: Option<String>,
    /// `type`, `labels`, `meta` and the properties of a plot, as written.
    pub extra: Vec<(String, Value)>,
}

impl Stage {
    /// Only the outputs of one kind.
    pub fn outs_of(&self, kind: OutKind) -> impl Iterator<Item = &StageOut> {
        self.outs.iter().filter(move |out| out.kind == kind)
    }

    /// A command that neither reads nor makes anything is run every time.
    #[must_use]
    pub fn is_callback(&self) -> bool {
        self.deps.is_empty() && self.params.is_empty() && self.outs.is_empty()
    }

    /// The `dvc.lock` beside its file.
    #[must_use]
    pub fn lock_file(&self) -> String {
        paths::join(paths::parent(&self.file), "dvc.lock")
    }
}
