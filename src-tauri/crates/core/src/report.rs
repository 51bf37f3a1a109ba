//! What a person or a script is told when something cannot be done.

use serde::{Deserialize, Serialize};
use specta::Type;

/// What kind of failure it is, as far as callers act on it: the CLI's exit code and MLflow's error code come from this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request itself is wrong: a name, a value, a file's content. CLI exit code 2.
    Invalid,
    /// The named thing does not exist. CLI exit code 2.
    NotFound,
    /// The name is taken, or the state does not allow it. CLI exit code 1.
    Conflict,
    /// The work was tried and failed. CLI exit code 1.
    Failed,
    /// Something outside is missing: Docker, uv, a network, a program. CLI exit code 3.
    Missing,
    /// A fault of Lapwing itself. CLI exit code 1.
    Internal,
}

/// One sentence in the user's terms, a stable name for scripts, and a next step where one is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Report {
    pub code: Code,
    /// Stable, dotted, for scripts: `data.remote_unreachable`.
    pub name: String,
    pub message: String,
    pub hint: Option<String>,
}

impl Report {
    #[must_use]
    pub fn new(code: Code, name: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            name: name.to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Message and hint as one line, where there is room for one alone.
    #[must_use]
    pub fn told(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}; {hint}", self.message),
            None => self.message.clone(),
        }
    }

    /// The exit code of the command line: 1 the work failed, 2 wrong usage, 3 something outside is missing.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.code {
            Code::Conflict | Code::Failed | Code::Internal => 1,
            Code::Invalid | Code::NotFound => 2,
            Code::Missing => 3,
        }
    }
}
