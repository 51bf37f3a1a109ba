//! Why a stage would run, in words for people and in the words of `dvc status`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use specta::Type;

/// One thing that is different from what `dvc.lock` recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// `dvc.lock` has no record of the stage.
    NeverRan,
    /// A person asked for it.
    Forced,
    CommandChanged {
        old: String,
        new: String,
    },
    /// Marked `always_changed`, or nothing to compare.
    AlwaysChanged,
    DepChanged {
        path: String,
    },
    DepDeleted {
        path: String,
    },
    /// Not among what was recorded.
    DepNew {
        path: String,
    },
    ParamChanged {
        file: String,
        key: String,
        old: String,
        new: String,
    },
    ParamNew {
        file: String,
        key: String,
        new: String,
    },
    ParamDeleted {
        file: String,
        key: String,
    },
    ParamsFileDeleted {
        file: String,
    },
    /// No parameter of the file was recorded.
    ParamsFileNew {
        file: String,
    },
    OutChanged {
        path: String,
    },
    OutDeleted {
        path: String,
    },
    OutNew {
        path: String,
    },
    OutNotInCache {
        path: String,
    },
    /// Another stage runs first; whether its outputs differ is known only then.
    Upstream {
        stage: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverRan => write!(f, "it has not run yet"),
            Self::Forced => write!(f, "you asked for it"),
            Self::CommandChanged { old, new } => {
                write!(f, "the command changed from `{old}` to `{new}`")
            }
            Self::AlwaysChanged => write!(f, "it runs every time"),
            Self::DepChanged { path } => write!(f, "dependency {path} changed"),
            Self::DepDeleted { path } => write!(f, "dependency {path} is missing"),
            Self::DepNew { path } => write!(f, "dependency {path} is new"),
            Self::ParamChanged {
                file,
                key,
                old,
                new,
            } => {
                write!(f, "{file}: {key} changed from {old} to {new}")
            }
            Self::ParamNew { file, key, new } => write!(f, "{file}: {key} is new ({new})"),
            Self::ParamDeleted { file, key } => write!(f, "{file}: {key} is missing"),
            Self::ParamsFileDeleted { file } => write!(f, "parameter file {file} is missing"),
            Self::ParamsFileNew { file } => write!(f, "parameter file {file} is new"),
            Self::OutChanged { path } => write!(f, "output {path} changed"),
            Self::OutDeleted { path } => write!(f, "output {path} is missing"),
            Self::OutNew { path } => write!(f, "output {path} is new"),
            Self::OutNotInCache { path } => write!(f, "output {path} is not in the cache"),
            Self::Upstream { stage } => write!(f, "`{stage}` runs before it"),
        }
    }
}

/// What `dvc status --json` says about one stage: a list, empty when nothing changed.
#[must_use]
pub(crate) fn dvc_json(reasons: &[Reason]) -> Vec<serde_json::Value> {
    let (mut deps, mut outs) = (Map::new(), Map::new());
    let (mut always, mut command) = (false, false);
    for reason in reasons {
        let (map, path, word) = match reason {
            Reason::NeverRan | Reason::Forced | Reason::Upstream { .. } => continue,
            Reason::AlwaysChanged => {
                always = true;
                continue;
            }
            Reason::CommandChanged { .. } => {
                command = true;
                continue;
            }
            // DVC compares with an empty hash here, so what is new reads "modified".
            Reason::DepChanged { path } | Reason::DepNew { path } => (&mut deps, path, "modified"),
            Reason::DepDeleted { path } => (&mut deps, path, "deleted"),
            Reason::ParamsFileDeleted { file } => (&mut deps, file, "deleted"),
            Reason::ParamsFileNew { file } => (&mut deps, file, "new"),
            Reason::ParamChanged { file, key, .. } => {
                param(&mut deps, file, key, "modified");
                continue;
            }
            Reason::ParamNew { file, key, .. } => {
                param(&mut deps, file, key, "new");
                continue;
            }
            Reason::ParamDeleted { file, key } => {
                param(&mut deps, file, key, "deleted");
                continue;
            }
            Reason::OutChanged { path } | Reason::OutNew { path } => (&mut outs, path, "modified"),
            Reason::OutDeleted { path } => (&mut outs, path, "deleted"),
            Reason::OutNotInCache { path } => (&mut outs, path, "not in cache"),
        };
        map.insert(path.clone(), json!(word));
    }
    let mut said = Vec::new();
    if !deps.is_empty() {
        said.push(json!({ "changed deps": deps }));
    }
    if !outs.is_empty() {
        said.push(json!({ "changed outs": outs }));
    }
    if always {
        said.push(json!("always changed"));
    }
    if command {
        said.push(json!("changed command"));
    }
    said
}

fn param(deps: &mut Map<String, serde_json::Value>, file: &str, key: &str, word: &str) {
    let entry = deps.entry(file.to_owned()).or_insert_with(|| json!({}));
    if !entry.is_object() {
        *entry = json!({});
    }
    if let Some(keys) = entry.as_object_mut() {
        keys.insert(key.to_owned(), json!(word));
    }
}
