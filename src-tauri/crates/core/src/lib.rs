//! The words of Lapwing: ids, time, the workspace's places, error reports, changes.
//!
//! What lives here has no I/O and no async, and depends on nothing that has. It deliberately does not know SQLite, git, HTTP or
//! any file format: those belong to the crate that alone knows that outside world. Start with [`RunId`], [`Report`] and
//! [`Workspace`].

mod change;
mod id;
mod remote;
mod report;
mod time;
mod workspace;

pub use change::{Change, Tag};
pub use id::{DeploymentName, InvalidName, JobId, PredictionId, RunId};
pub use remote::{RemoteKind, split_remote};
pub use report::{Code, Report};
pub use time::Timestamp;
pub use workspace::Workspace;
