//! The use cases that a person can ask for, and the automation that asks for them by itself.
//!
//! Everything meets here and nowhere else: one file per noun, [`wire`] for what travels to the faces, `error` for how
//! failures of the layers below become one sentence and a hint. It deliberately does not know how things look: the
//! programs present. Start with [`App`], [`wire::dispatch`] and [`pipeline`].

pub mod automations;
mod config;
pub mod data;
pub mod deployments;
pub mod doctor;
mod error;
mod exchange;
mod file;
pub mod frames;
pub mod jobs;
pub mod lineage;
pub mod models;
pub mod monitors;
mod options;
pub mod overview;
pub mod pipeline;
pub mod process;
pub mod projects;
pub mod remotes;
pub mod runs;
pub mod sample;
pub mod scoring;
pub mod services;
pub mod transfers;
pub mod wire;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use lapwing_core::{Change, Code, Report, Tag, Workspace};
use lapwing_remote::Vault;
use lapwing_store::Store;
use lapwing_tracking::Tracking;

use error::Reported as _;

pub use options::Options;

/// An open workspace: what every use case takes first. Clones share it.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    workspace: Workspace,
    store: Store,
    tracking: Tracking,
    /// The command line program: it is also supervisor, runner and gateway.
    program: PathBuf,
    keychain: bool,
    vault: OnceLock<Vault>,
    runtime: OnceLock<tokio::runtime::Runtime>,
    progress: OnceLock<Tell>,
    transfers: transfers::Transfers,
}

/// What is worked on, bytes done, bytes in all.
type Tell = Box<dyn Fn(&str, u64, u64) + Send + Sync>;

impl App {
    /// Opens the workspace, creating it on first use.
    ///
    /// # Errors
    /// When its folder cannot be written, or was written by a newer Lapwing.
    pub fn open(options: Options) -> Result<Self, Report> {
        let workspace = Workspace::at(options.home);
        let store = Store::open(&workspace).reported()?;
        let tracking = Tracking::open(store.clone(), workspace.clone());
        let inner = Inner {
            workspace,
            store,
            tracking,
            program: options.program,
            keychain: options.keychain,
            vault: OnceLock::new(),
            runtime: OnceLock::new(),
            progress: OnceLock::new(),
            transfers: transfers::Transfers::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    #[must_use]
    pub fn workspace(&self) -> &Workspace {
        &self.inner.workspace
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn tracking(&self) -> &Tracking {
        &self.inner.tracking
    }

    pub(crate) fn program(&self) -> &Path {
        &self.inner.program
    }

    /// The credentials of this workspace. Opened on first use: a keychain takes its time to answer.
    pub(crate) fn vault(&self) -> &Vault {
        let inner = &self.inner;
        let open = || Vault::of(inner.workspace.root(), inner.keychain);
        inner.vault.get_or_init(open)
    }

    /// The pushes and pulls of this process.
    pub(crate) fn transfers(&self) -> &transfers::Transfers {
        &self.inner.transfers
    }

    /// Whether the keychain may be used.
    pub(crate) fn keychain(&self) -> bool {
        self.inner.keychain
    }

    /// Runs async work of the layers below to its end. Only called on threads that may block.
    pub(crate) fn block_on<F: Future>(&self, work: F) -> Result<F::Output, Report> {
        Ok(self.runtime()?.block_on(work))
    }

    pub(crate) fn runtime(&self) -> Result<&tokio::runtime::Runtime, Report> {
        if let Some(runtime) = self.inner.runtime.get() {
            return Ok(runtime);
        }
        let made = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| {
                Report::new(
                    Code::Failed,
                    "app.no_threads",
                    format!("the operating system gives no threads: {error}"),
                )
            })?;
        Ok(self.inner.runtime.get_or_init(|| made))
    }

    /// How far a long operation is, for whoever shows it.
    pub(crate) fn tell(&self, progress: &lapwing_data::Progress) {
        if let Some(tell) = self.inner.progress.get() {
            tell(&progress.what, progress.done_bytes, progress.total_bytes);
        }
    }

    /// Shows how far long operations are; only the first call counts.
    pub fn show_progress(&self, tell: impl Fn(&str, u64, u64) + Send + Sync + 'static) {
        // Set already: the first one stays.
        let _ = self.inner.progress.set(Box::new(tell));
    }

    /// Tells everyone who shows it that these nouns changed.
    pub(crate) fn announce(&self, tags: &[Tag]) {
        if tags.is_empty() {
            return;
        }
        let changes = tags
            .iter()
            .map(|tag| Change {
                tag: *tag,
                id: None,
            })
            .collect();
        if let Err(error) = lapwing_store::announce(self.store(), changes) {
            tracing::warn!(%error, "a change was made but could not be announced");
        }
    }

    /// The change feed from now on, of this process and of all others.
    #[must_use]
    pub fn feed(&self) -> Feed {
        Feed {
            feed: lapwing_store::Feed::from_now(self.store()),
        }
    }
}

/// Changes as they come.
pub struct Feed {
    feed: lapwing_store::Feed,
}

impl Feed {
    /// What changed since the last call; empty when nothing did. Cheap when nothing did.
    pub fn poll(&mut self) -> Vec<Change> {
        self.feed.poll().unwrap_or_else(|error| {
            tracing::warn!(%error, "the change feed cannot be read");
            Vec::new()
        })
    }
}
