//! Projects and dataset versions: the repository, DVC files, content cache, push and pull.
//!
//! Everything on disk is DVC 3's: the real `dvc` reads what is written here, and the other way round. The crate alone knows git; it
//! deliberately does not know pipelines (that is `pipeline`'s), nor what is inside a data file. Start with [`Project`], [`Cache`] and
//! [`add()`].

mod add;
mod cache;
mod checkout;
mod config;
mod crew;
mod dvcfile;
mod edit;
mod error;
mod exchange;
mod exchange_clone;
mod exchange_login;
mod exchange_watch;
mod exclusive;
mod git;
mod git_ssh;
mod hash;
mod ignores;
mod outs;
mod place;
mod project;
mod snapshot;
mod status;
mod transfer;
mod upload;
mod versions;
mod write;

pub use add::{Added, add, ignore};
pub use cache::Cache;
pub use checkout::{Overwrite, checkout, checkout_out};
pub use config::{Config, Remote};
pub use dvcfile::{DvcFile, find as dvc_files};
pub use error::{Error, Result};
pub use exchange::{Exchange, Exchanged, GitRemote, Position, shown as shown_address};
pub use exchange_login::{Access, Kept, Settings};
pub use exchange_watch::Stop;
pub use exclusive::Exclusive;
pub use git::Commit;
pub use hash::{Content, DirEntry, file_id, listing, listing_id, parse_listing};
pub use outs::Out;
pub use place::beneath;
pub use project::{Progress, Project};
pub use snapshot::snapshot;
pub use status::{Problem, State, Status, content_of, out_state, problems, status, tracked_paths};
pub use transfer::{Transfer, Transferred, pull, push};
pub use upload::{LeftOut, Stays, UploadFile, UploadList, Why, upload_list};
pub use versions::{Change, ChangeKind, Version, diff, log};
pub use write::write_whole;
