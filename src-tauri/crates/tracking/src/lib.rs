//! Experiments, runs, metrics, model registry, and the MLflow protocol over them.
//!
//! [`Tracking`] is the domain, over the store and the artifact folder; [`router`] speaks MLflow's REST API to real clients. It
//! deliberately does not know pipelines or deployments. Start with [`Tracking`], [`Guard`] and [`router`].

mod artifacts;
mod downsample;
mod error;
mod file_store;
mod filter;
mod guard;
mod import;
mod protocol;
mod registry;
mod resolve;
mod runs;

use std::sync::Arc;

use lapwing_core::Workspace;
use lapwing_store::Store;

pub use artifacts::FileInfo;
pub use error::{Error, Result};
pub use guard::{Guard, guarded};
pub use import::{ImportedRun, ImportedVersion};
pub use protocol::{API_VERSION, router};
pub use registry::{LoggedModel, ModelVersion, NewVersion, RegisteredModel};
pub use resolve::Resolved;
pub use runs::{Metric, NewRun, PARENT, Page, Point, Run, RunInput, RunStatus, Search, is_key};

/// The tracking side of an open workspace. Clones share it.
#[derive(Clone)]
pub struct Tracking {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    workspace: Workspace,
}

impl Tracking {
    #[must_use]
    pub fn open(store: Store, workspace: Workspace) -> Self {
        Self {
            inner: Arc::new(Inner { store, workspace }),
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn workspace(&self) -> &Workspace {
        &self.inner.workspace
    }
}
