//! Storage with paths, as DVC lays it out: a folder, a bucket of S3, Google or Azure, a web server, or a machine behind ssh.
//!
//! Calls wait for their answer, so that whoever moves many files gives each its thread; the connections below are shared.

mod azure;
mod connector;
mod folder;
mod google;
mod memory;
mod objects;
mod profile;
mod s3;
mod settings;
mod sftp;
mod sign_in;
mod web;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Runtime;

pub use settings::{Around, Settings};

use crate::{Error, Result};

/// What DVC keeps in a remote begins so; asking for it shows whether one may ask.
const PROBE: &str = "files/md5/00/lapwing-connection-test";

/// Each of them has a thread of its own.
const MAX_HANDS: usize = 256;

/// How a transfer is watched from outside.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Told how many more bytes have moved.
    pub moved: &'a (dyn Fn(u64) + Sync),
    /// Set by whoever wants it to end soon: what has arrived is kept.
    pub stop: &'a AtomicBool,
}

impl Watch<'_> {
    pub(crate) fn check(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        Ok(())
    }
}

/// The files that lie somewhere, with the bytes that each has there; `None` where the storage does not say.
pub type Known = BTreeMap<String, Option<u64>>;

/// Somewhere to keep files under paths with forward slashes.
#[derive(Clone)]
pub struct Storage {
    place: Arc<Place>,
    threads: Arc<Threads>,
    /// As the project's settings have it.
    hands: Option<usize>,
}

enum Place {
    Folder(folder::Folder),
    Objects(Box<objects::Objects>),
    Web(Box<web::Web>),
    Sftp(Box<sftp::Sftp>),
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Storage")
    }
}

/// The threads that serve connections; without waiting for what is still under way when the last user goes.
struct Threads(Option<Runtime>);

impl Threads {
    fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let runtime = self.0.as_ref().ok_or(Error::Stopped)?;
        runtime.block_on(work)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Storage {
    /// True when there is storage of the kind that the address names.
    #[must_use]
    pub fn supports(address: &str) -> bool {
        scheme(address).is_none_or(|scheme| {
            matches!(
                scheme,
                "file" | "local" | "s3" | "gs" | "azure" | "http" | "https" | "ssh"
            )
        })
    }

    /// The storage at an address, with DVC's settings for it. Nothing is asked on the network yet.
    ///
    /// # Errors
    /// When the address is of a kind that is not supported, or a setting cannot be honoured.
    pub fn open(settings: &Settings) -> Result<Self> {
        let address = settings.address();
        let place = match scheme(address) {
            None | Some("file" | "local") => Place::Folder(folder::Folder::new(address)),
            Some("s3") => Place::Objects(Box::new(s3::open(settings)?)),
            Some("gs") => Place::Objects(Box::new(google::open(settings)?)),
            Some("azure") => Place::Objects(Box::new(azure::open(settings)?)),
            Some("http" | "https") => Place::Web(Box::new(web::Web::open(settings)?)),
            Some("ssh") => Place::Sftp(Box::new(sftp::Sftp::open(settings)?)),
            Some(scheme) => {
                return Err(Error::UnsupportedStorage {
                    scheme: scheme.to_owned(),
                });
            }
        };
        Ok(Self {
            place: Arc::new(place),
            threads: Arc::new(Threads::start()?),
            hands: hands(settings)?,
        })
    }

    /// So many files go at once: as its `jobs` says, else as many as make it fastest.
    #[must_use]
    pub fn hands(&self) -> usize {
        self.hands.unwrap_or(match &*self.place {
            Place::Folder(_) => 4,
            Place::Objects(_) => 48,
            Place::Web(_) | Place::Sftp(_) => 16,
        })
    }

    /// Tries it, and answers in words what is there.
    ///
    /// # Errors
    /// What is wrong, as exactly as can be told.
    pub fn greet(&self) -> Result<String> {
        match &*self.place {
            Place::Folder(folder) => folder.greet(),
            Place::Objects(objects) => self.threads.wait(objects.greet()),
            Place::Web(web) => self.threads.wait(web.greet()),
            Place::Sftp(sftp) => self.threads.wait(sftp.greet()),
        }
    }

    /// Of `paths`, those where a file lies: by listing where that is cheaper than asking for each.
    ///
    /// # Errors
    /// When the storage cannot be asked.
    pub fn known(&self, paths: &[String]) -> Result<Known> {
        match &*self.place {
            Place::Folder(folder) => folder.known(paths),
            Place::Objects(objects) => self.threads.wait(objects.known(paths)),
            Place::Web(web) => self.threads.wait(web.known(paths)),
            Place::Sftp(sftp) => self.threads.wait(sftp.known(paths)),
        }
    }

    /// Copies a file there; it appears under its name only when it is whole. What a cut leaves of a large one is noted in the
    /// folder `memory`, where the protocol lets it go on. Answers its size.
    ///
    /// # Errors
    /// When the storage cannot be written.
    pub fn send(&self, from: &Path, path: &str, memory: &Path, watch: Watch<'_>) -> Result<u64> {
        watch.check()?;
        match &*self.place {
            Place::Folder(folder) => folder.send(from, path, watch),
            Place::Objects(objects) => self.threads.wait(objects.send(from, path, memory, watch)),
            Place::Web(web) => self.threads.wait(web.send(from, path, watch)),
            Place::Sftp(sftp) => self.threads.wait(sftp.send(from, path, watch)),
        }
    }

    /// Copies a file from there into `part`, going on behind what lies there already.
    ///
    /// # Errors
    /// When there is none, or it cannot be read. What has arrived stays in `part`.
    pub fn fetch(&self, path: &str, part: &Path, watch: Watch<'_>) -> Result<()> {
        watch.check()?;
        match &*self.place {
            Place::Folder(folder) => folder.fetch(path, part, watch),
            Place::Objects(objects) => self.threads.wait(objects.fetch(path, part, watch)),
            Place::Web(web) => self.threads.wait(web.fetch(path, part, watch)),
            Place::Sftp(sftp) => self.threads.wait(sftp.fetch(path, part, watch)),
        }
    }
}

/// DVC's `jobs`.
fn hands(settings: &Settings) -> Result<Option<usize>> {
    let Some(text) = settings.get("jobs") else {
        return Ok(None);
    };
    match text.trim().parse() {
        Ok(jobs @ 1..=MAX_HANDS) => Ok(Some(jobs)),
        Ok(_) | Err(_) => Err(settings.bad("jobs", "it is a number from 1 to 256")),
    }
}

/// Of what passes by itself: so often, and so long.
fn retry() -> object_store::RetryConfig {
    object_store::RetryConfig {
        max_retries: 4,
        retry_timeout: std::time::Duration::from_secs(60),
        ..object_store::RetryConfig::default()
    }
}

fn scheme(address: &str) -> Option<&str> {
    address.split_once("://").map(|(scheme, _)| scheme)
}

/// `prefix` and `path` with one slash between them.
fn joined(prefix: &str, path: &str) -> String {
    let prefix = prefix.trim_matches('/');
    if prefix.is_empty() {
        path.to_owned()
    } else {
        format!("{prefix}/{path}")
    }
}
