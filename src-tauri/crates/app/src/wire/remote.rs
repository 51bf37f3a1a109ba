//! What travels about remotes. A secret only ever travels towards the core.

use std::collections::HashMap;
use std::fmt;

use lapwing_core::{RemoteKind, Report};
use serde::{Deserialize, Serialize};
use specta::Type;

use super::Count;

/// A secret on its way in. It does not print itself.
#[derive(Clone, Deserialize, Serialize, Type)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// Of which project, if of one: its own remotes are listed with the user's.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Type)]
pub struct RemotesOf {
    pub project: Option<String>,
}

/// Who named a remote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum RemoteOrigin {
    /// The project's own files.
    Project,
    /// The user, with `lapwing remotes add`.
    Workspace,
    /// Another program's file, or a variable.
    Found { file: String },
}

/// One named connection.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RemoteRow {
    pub name: String,
    /// What commands take for it: its name, with its kind in front where another one has that name, `git:origin`.
    pub called: String,
    pub kind: RemoteKind,
    pub url: String,
    /// Used where data is pushed and no name is given.
    pub default: bool,
    pub origin: RemoteOrigin,
    /// Where its credential is, when there is one.
    pub signed_in: Option<String>,
    /// Something can be done with it; the others are only listed.
    pub supported: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct AddRemote {
    /// Needed for storage, which belongs to a project.
    pub project: Option<String>,
    pub name: String,
    pub url: String,
    /// Told by the address, or by the server, without it.
    pub kind: Option<RemoteKind>,
    pub default: bool,
    pub user: Option<String>,
    pub secret: Option<Hidden>,
    /// The kind's own settings, such as `namespace` or `partition`.
    pub options: HashMap<String, String>,
}

/// What became of a new remote.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RemoteAdded {
    pub kind: RemoteKind,
    /// Where the credential was put, when one was given.
    pub place: Option<String>,
    /// Where the name led until now, when that was somewhere else.
    pub replaced: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct LoginRemote {
    pub project: Option<String>,
    pub name: String,
    /// Without it the secret is a token.
    pub user: Option<String>,
    pub secret: Hidden,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RemoteRef {
    pub project: Option<String>,
    pub name: String,
}

/// What is synced: the project's experiment, or those that are named.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct SyncRemote {
    pub project: Option<String>,
    pub name: String,
    pub experiments: Vec<String>,
}

/// What a sync moved. Nothing, when both sides were the same.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Type)]
pub struct Synced {
    /// Ids, the same on both sides.
    pub runs_pushed: Vec<String>,
    pub runs_pulled: Vec<String>,
    /// `REMOTE:NAME/VERSION`
    pub versions_pushed: Vec<String>,
    pub versions_pulled: Vec<String>,
    /// Of artifacts and models.
    pub files: u32,
    pub bytes: Count,
}

/// How a try went: `problem` says what is wrong, or all is well.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct RemoteHealth {
    /// What the server says it is.
    pub server: Option<String>,
    /// Whom it takes us for.
    pub user: Option<String>,
    pub millis: u32,
    pub problem: Option<Report>,
}
