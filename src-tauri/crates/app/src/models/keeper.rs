//! Where models are kept elsewhere, whatever the kind: one set of verbs over the registries' own protocols.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lapwing_core::{Code, RemoteKind, Report};
use lapwing_remote::hugging_face::HuggingFace;
use lapwing_remote::mlflow::{Mlflow, Which};
use lapwing_remote::{Error, Sessions, digest};

use super::hugging_face::{Hub, Revision};
use super::mlflow as mlflow_server;
use super::oci::{self, Oci};
use super::package::{Package, Travelling};
use crate::App;
use crate::error::Reported as _;
use crate::remotes::{Connection, hugging_face_cache};
use crate::transfers::Line;
use crate::wire::FoundModels;

/// Models of one search: for more, somebody writes more of the name.
pub(super) const MAX_FOUND: usize = 100;

/// The first of what was found, where one more than may be shown was asked for.
pub(super) fn first<T>(mut found: Vec<T>) -> (Vec<T>, bool) {
    let more = found.len() > MAX_FOUND;
    found.truncate(MAX_FOUND);
    (found, more)
}

/// A registry that is talked to.
pub(super) enum Keeper {
    Mlflow(Mlflow),
    Oci(Box<Oci>),
    HuggingFace(Box<Hub>),
}

/// Whether models are kept at remotes of that kind.
pub(super) fn keeps_models(kind: RemoteKind) -> bool {
    matches!(
        kind,
        RemoteKind::Mlflow | RemoteKind::Oci | RemoteKind::HuggingFace
    )
}

/// What became of a push.
pub(super) struct Sent {
    /// The model, as the registry calls it.
    pub name: String,
    /// As the registry calls it.
    pub version: String,
    pub new: bool,
    pub files: usize,
    pub bytes: u64,
}

/// A version elsewhere, before its files are here.
pub(super) struct There {
    pub name: String,
    pub version: String,
    pub description: String,
    pub identity: Identity,
    pub tags: Vec<(String, String)>,
    pub(super) source: Source,
}

/// How a version there is told to be one that is here.
pub(super) enum Identity {
    /// By the digest of its files, which whoever pushed it said.
    Digest(String),
    /// By its files: the registry knows a digest of each.
    Contents,
    /// By where it was pulled from.
    Origin,
}

impl There {
    /// In one word: `REMOTE:NAME/VERSION`, or `REMOTE:NAME@COMMIT` where no version has a number.
    pub fn address(&self, remote: &str) -> String {
        let numbered = self.version.bytes().all(|b| b.is_ascii_digit());
        let sign = if numbered { '/' } else { '@' };
        format!("{remote}:{}{sign}{}", self.name, self.version)
    }

    /// What its place of arrival is called: what a cut left there is gone on with, and must be of the same files.
    pub fn arrival(&self, origin: &str) -> String {
        match &self.source {
            Source::Mlflow(_) | Source::Oci(_) => origin.to_owned(),
            Source::HuggingFace(revision) => format!("{origin}-{}", revision.commit),
        }
    }

    /// Whether these are its files.
    pub fn is(&self, files: &[digest::File]) -> Result<bool, Error> {
        match (&self.identity, &self.source) {
            (Identity::Digest(digest), _) => Ok(digest::of(files) == *digest),
            (Identity::Contents, Source::HuggingFace(revision)) => revision.is(files),
            (Identity::Contents | Identity::Origin, _) => Ok(false),
        }
    }
}

/// What the registry itself needs to find the files again.
pub(super) enum Source {
    Mlflow(lapwing_remote::mlflow::ModelVersion),
    Oci(lapwing_remote::oci::Manifest),
    HuggingFace(Revision),
}

impl Keeper {
    /// The registry at a connection.
    pub fn of(app: &App, remote: &Connection) -> Result<Self, Report> {
        // Only of these: the address of another kind may be none for it.
        let client = || remote.client(app);
        // Where cut uploads stand.
        let sessions = Sessions::at(app.workspace().root().join("arriving/uploads.json"));
        match remote.kind {
            RemoteKind::Mlflow => Ok(Self::Mlflow(Mlflow::new(client()?))),
            RemoteKind::Oci => Ok(Self::Oci(Box::new(
                Oci::new(&client()?, sessions).reported()?,
            ))),
            RemoteKind::HuggingFace => Ok(Self::HuggingFace(Box::new(Hub::new(
                HuggingFace::new(client()?).remembering(sessions),
                !remote.says_no("private"),
                hugging_face_cache(),
            )))),
            RemoteKind::Storage
            | RemoteKind::Git
            | RemoteKind::Docker
            | RemoteKind::Ssh
            | RemoteKind::Slurm
            | RemoteKind::Kubernetes
            | RemoteKind::Ray
            | RemoteKind::Airflow
            | RemoteKind::Kubeflow => Err(Report::new(
                Code::Invalid,
                "model.remote_kind",
                format!(
                    "models cannot be kept at `{}` ({})",
                    remote.name,
                    remote.kind.title()
                ),
            )
            .hint("they are kept at MLflow servers, OCI registries and the Hugging Face Hub")),
        }
    }

    /// Whether a push that is to stop should get to the end of a part: one that breaks off in it may cost more than that.
    pub fn stops_between_parts(&self) -> bool {
        match self {
            Self::Oci(_) => true,
            Self::Mlflow(_) | Self::HuggingFace(_) => false,
        }
    }

    pub async fn search(&self, remote: &str, text: &str) -> Result<FoundModels, Error> {
        match self {
            Self::Mlflow(server) => mlflow_server::search(server, remote, text).await,
            Self::Oci(registry) => registry.search(remote, text).await,
            Self::HuggingFace(hub) => hub.search(remote, text).await,
        }
    }

    /// Sends what is not there yet. Pushing the same files again answers the version that has them.
    pub async fn push(&self, line: &Line, package: &Package, name: &str) -> Result<Sent, Error> {
        match self {
            Self::Mlflow(server) => mlflow_server::push(line, server, package, name).await,
            Self::Oci(registry) => registry.push(line, package, name).await,
            Self::HuggingFace(hub) => hub.push(line, package, name).await,
        }
    }

    pub async fn set_alias(&self, name: &str, alias: &str, version: &str) -> Result<(), Error> {
        match self {
            Self::Mlflow(server) => server.set_alias(name, alias, version).await,
            Self::Oci(registry) => registry.set_alias(name, alias, version).await,
            Self::HuggingFace(hub) => hub.set_alias(name, alias, version).await,
        }
    }

    pub async fn find(&self, name: &str, which: &Which) -> Result<There, Error> {
        match self {
            Self::Mlflow(server) => mlflow_server::find(server, name, which).await,
            Self::Oci(registry) => registry.find(name, which).await,
            Self::HuggingFace(hub) => hub.find(name, which).await,
        }
    }

    /// Fetches all files of a version into `folder`, going on with what is there. `here` are files that need not be fetched.
    pub async fn fetch(
        &self,
        line: &Line,
        there: &There,
        folder: &Path,
        here: &[digest::File],
    ) -> Result<(), Error> {
        match (self, &there.source) {
            (Self::Mlflow(server), Source::Mlflow(version)) => {
                mlflow_server::fetch(line, server, version, folder).await
            }
            (Self::Oci(registry), Source::Oci(manifest)) => {
                registry.fetch(line, &there.name, manifest, folder).await
            }
            (Self::HuggingFace(hub), Source::HuggingFace(revision)) => {
                hub.fetch(line, revision, folder, here).await
            }
            (Self::Mlflow(_), Source::Oci(_) | Source::HuggingFace(_))
            | (Self::Oci(_), Source::Mlflow(_) | Source::HuggingFace(_))
            | (Self::HuggingFace(_), Source::Mlflow(_) | Source::Oci(_)) => {
                unreachable!("a version is fetched from where it was found")
            }
        }
    }

    /// The run that made a version, where it is known there.
    pub async fn run(&self, there: &There) -> Result<Option<Travelling>, Error> {
        match (self, &there.source) {
            (Self::Mlflow(server), Source::Mlflow(version)) if !version.run_id.is_empty() => {
                mlflow_server::run(server, &version.run_id).await
            }
            (Self::Oci(registry), Source::Oci(manifest)) => {
                oci::run(registry, &there.name, manifest).await
            }
            (Self::HuggingFace(_), Source::HuggingFace(revision)) => {
                let record = revision.record.as_ref();
                Ok(record.and_then(|record| record.run.clone()))
            }
            (Self::Mlflow(_), _)
            | (Self::Oci(_), Source::Mlflow(_) | Source::HuggingFace(_))
            | (Self::HuggingFace(_), Source::Mlflow(_) | Source::Oci(_)) => Ok(None),
        }
    }
}

/// How much of a transfer is done, told to whoever shows it.
#[derive(Clone)]
pub(super) struct Meter {
    line: Line,
    done: Arc<AtomicU64>,
    total: u64,
}

impl Meter {
    pub fn new(line: &Line, total: u64) -> Self {
        Self {
            line: line.clone(),
            done: Arc::default(),
            total,
        }
    }

    /// Set when somebody wants the end.
    pub fn stop(&self) -> &AtomicBool {
        self.line.stop()
    }

    pub fn moved(&self, what: &str, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.line.tell(lapwing_data::Progress {
            what: what.to_owned(),
            done_bytes: done,
            total_bytes: self.total,
        });
    }
}

/// A registry's path below our folder, and nowhere else.
pub(super) fn beneath(folder: &Path, path: &str) -> Result<PathBuf, Error> {
    let plain = Path::new(path)
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    if plain && !path.is_empty() && !path.contains('\\') {
        return Ok(folder.join(path));
    }
    Err(Error::Unreadable {
        url: "the registry".to_owned(),
        why: format!("`{path}` leads out of the model's folder"),
    })
}
