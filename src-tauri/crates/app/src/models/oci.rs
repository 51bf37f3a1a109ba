//! Models at an OCI registry: a tag for each version, `v3`, and for each alias.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lapwing_remote::mlflow::Which;
use lapwing_remote::oci::{Layer, Manifest, NewArtifact, Registry};
use lapwing_remote::{Client, Error, Sessions, Watch, digest};

use super::keeper::{Identity, MAX_FOUND, Meter, Sent, Source, There, beneath, first};
use super::package::{DIGEST, Package, Travelling};
use crate::transfers::Line;
use crate::wire::{FoundModels, RemoteModelRow};

/// Blobs that are on the way at once: each holds one part in memory.
const MAX_BLOBS: usize = 4;
/// Repositories whose tags are asked for at once.
const MAX_ASKED: usize = 8;
const DESCRIPTION: &str = "org.opencontainers.image.description";
const REVISION: &str = "org.opencontainers.image.revision";

/// A registry, and where its cut uploads are remembered.
pub(super) struct Oci {
    registry: Registry,
    sessions: Sessions,
}

impl Oci {
    pub fn new(client: &Client, sessions: Sessions) -> Result<Self, Error> {
        Ok(Self {
            registry: Registry::new(client)?,
            sessions,
        })
    }

    pub async fn search(&self, remote: &str, text: &str) -> Result<FoundModels, Error> {
        let names = match self.registry.repositories(text, MAX_FOUND + 1).await {
            Ok(names) => names,
            // Large registries list nothing: a whole name can be looked up all the same.
            Err(Error::NotFound { .. } | Error::Unauthorized { .. } | Error::Forbidden { .. })
                if !text.is_empty() =>
            {
                vec![text.to_owned()]
            }
            Err(error) => return Err(error),
        };
        let (names, more) = first(names);
        let rows = stream::iter(names)
            .map(|name| self.row(remote, name))
            .buffered(MAX_ASKED)
            .try_filter_map(|row| async { Ok(row) })
            .try_collect();
        Ok(FoundModels {
            rows: rows.await?,
            more,
        })
    }

    /// A repository as a model; `None` where nothing is in it.
    async fn row(&self, remote: &str, name: String) -> Result<Option<RemoteModelRow>, Error> {
        let tags = self.registry.tags(&self.registry.repository(&name)).await?;
        if tags.is_empty() {
            return Ok(None);
        }
        let aliases = tags
            .iter()
            .filter(|tag| number(tag).is_none())
            .map(|tag| (tag.clone(), tag.clone()))
            .collect();
        Ok(Some(RemoteModelRow {
            address: format!("{remote}:{name}"),
            latest: newest(&tags).map(|found| found.to_string()),
            description: String::new(),
            aliases,
            name,
        }))
    }

    pub async fn push(&self, line: &Line, package: &Package, name: &str) -> Result<Sent, Error> {
        let repository = self.registry.repository(name);
        let (number, known) = self.free_number(&repository, package).await?;
        if known {
            return Ok(Sent {
                name: name.to_owned(),
                version: number.to_string(),
                new: false,
                files: 0,
                bytes: 0,
            });
        }
        let total: u64 = package.files.iter().map(|file| file.size).sum();
        let meter = Meter::new(line, total);
        let sent: Vec<u64> = stream::iter(
            package
                .files
                .iter()
                .map(|file| self.send(&repository, file, &meter)),
        )
        .buffer_unordered(MAX_BLOBS)
        .try_collect()
        .await?;
        let run = package.run.as_ref().map(Travelling::json);
        if let Some(run) = &run {
            self.registry.send_bytes(&repository, run).await?;
        }
        let files: Vec<Layer> = package.files.iter().map(layer).collect();
        let version = format!("v{number}");
        let (manifest, config) = NewArtifact {
            name,
            version: &version,
            description: &package.card,
            revision: package.commit(),
            files: &files,
            run: run.as_deref(),
            annotations: annotations(package),
        }
        .manifest();
        self.registry.send_bytes(&repository, &config).await?;
        // Last: only now is there anything to see.
        self.registry
            .put_manifest(&repository, &version, &manifest)
            .await?;
        Ok(Sent {
            name: name.to_owned(),
            version: number.to_string(),
            new: true,
            files: sent.iter().filter(|bytes| **bytes > 0).count(),
            bytes: sent.iter().sum(),
        })
    }

    async fn send(
        &self,
        repository: &str,
        file: &digest::File,
        meter: &Meter,
    ) -> Result<u64, Error> {
        let watch = Watch {
            moved: &|bytes| meter.moved(&file.path, bytes),
            stop: meter.stop(),
        };
        let sent = self
            .registry
            .send_blob(
                repository,
                &file.on_disk,
                &file.sha256,
                &self.sessions,
                watch,
            )
            .await?;
        if !sent {
            meter.moved(&file.path, file.size);
        }
        Ok(if sent { file.size } else { 0 })
    }

    /// The number under which the same files are there already; or the version's own, or the next where that one is taken.
    async fn free_number(&self, repository: &str, package: &Package) -> Result<(u32, bool), Error> {
        let tags = self.registry.tags(repository).await?;
        let numbers: Vec<u32> = tags.iter().filter_map(|tag| number(tag)).collect();
        for taken in &numbers {
            let (manifest, _) = self
                .registry
                .manifest(repository, &format!("v{taken}"))
                .await?;
            if manifest.annotations.get(DIGEST) == Some(&package.digest) {
                return Ok((*taken, true));
            }
        }
        let own = package.version.version;
        if !numbers.contains(&own) {
            return Ok((own, false));
        }
        Ok((numbers.iter().max().map_or(own, |last| last + 1), false))
    }

    pub async fn set_alias(&self, name: &str, alias: &str, version: &str) -> Result<(), Error> {
        let repository = self.registry.repository(name);
        let (manifest, _) = self
            .registry
            .manifest(&repository, &format!("v{version}"))
            .await?;
        self.registry
            .put_manifest(&repository, alias, &manifest)
            .await
            .map(|_| ())
    }

    pub async fn find(&self, name: &str, which: &Which) -> Result<There, Error> {
        let repository = self.registry.repository(name);
        let tag = match which {
            Which::Number(number) => format!("v{number}"),
            Which::Alias(alias) => alias.clone(),
            Which::Newest => {
                let tags = self.registry.tags(&repository).await?;
                newest(&tags).map_or_else(|| "latest".to_owned(), |number| format!("v{number}"))
            }
        };
        let (manifest, _) = self.registry.manifest(&repository, &tag).await?;
        let tags: Vec<(String, String)> = manifest
            .annotations
            .iter()
            .filter(|(key, _)| key.starts_with("lapwing."))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let version = manifest.annotations.get(VERSION).cloned();
        Ok(There {
            name: name.to_owned(),
            version: version.unwrap_or_else(|| tag.trim_start_matches('v').to_owned()),
            description: manifest
                .annotations
                .get(DESCRIPTION)
                .cloned()
                .unwrap_or_default(),
            identity: match manifest.annotations.get(DIGEST) {
                Some(digest) => Identity::Digest(digest.clone()),
                None => Identity::Origin,
            },
            tags,
            source: Source::Oci(manifest),
        })
    }

    pub async fn fetch(
        &self,
        line: &Line,
        name: &str,
        manifest: &Manifest,
        folder: &Path,
    ) -> Result<(), Error> {
        let repository = self.registry.repository(name);
        let files: Vec<_> = manifest
            .layers
            .iter()
            .filter(|layer| !layer.is_run())
            .collect();
        let meter = Meter::new(line, files.iter().map(|layer| layer.size).sum());
        stream::iter(files.into_iter().map(|layer| {
            let (repository, meter) = (&repository, &meter);
            async move {
                let path = layer.title().ok_or_else(|| Error::Unreadable {
                    url: repository.clone(),
                    why: format!("the layer {} names no file", layer.digest),
                })?;
                let place = beneath(folder, path)?;
                if place.is_file() {
                    // Only written when its digest was right.
                    meter.moved(path, layer.size);
                    return Ok(());
                }
                if let Some(parent) = place.parent() {
                    fs_err::create_dir_all(parent)?;
                }
                let part = folder.with_extension(layer.digest.replace(':', "-"));
                let moved = |bytes| meter.moved(path, bytes);
                self.registry
                    .fetch(repository, layer, &part, &place, &moved)
                    .await
            }
        }))
        .buffer_unordered(MAX_BLOBS)
        .try_collect::<Vec<()>>()
        .await?;
        Ok(())
    }
}

const VERSION: &str = "org.opencontainers.image.version";

fn layer(file: &digest::File) -> Layer {
    Layer {
        path: file.path.clone(),
        sha256: file.sha256.clone(),
        size: file.size,
    }
}

fn annotations(package: &Package) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = [
        (DIGEST.to_owned(), package.digest.clone()),
        (DESCRIPTION.to_owned(), package.card.clone()),
        (VERSION.to_owned(), package.version.version.to_string()),
    ]
    .into();
    if let Some(commit) = package.commit() {
        all.insert(REVISION.to_owned(), commit.to_owned());
    }
    all
}

/// 3 of `v3`.
fn number(tag: &str) -> Option<u32> {
    tag.strip_prefix('v')?.parse().ok() // Another word: an alias.
}

fn newest(tags: &[String]) -> Option<u32> {
    tags.iter().filter_map(|tag| number(tag)).max()
}

/// The run that travels beside the files.
pub(super) async fn run(
    from: &Oci,
    name: &str,
    manifest: &Manifest,
) -> Result<Option<Travelling>, Error> {
    let Some(layer) = manifest.layers.iter().find(|layer| layer.is_run()) else {
        return Ok(None);
    };
    let folder = tempfile::tempdir()?;
    let (part, place) = (folder.path().join("part"), folder.path().join("run.json"));
    let repository = from.registry.repository(name);
    from.registry
        .fetch(&repository, layer, &part, &place, &|_| {})
        .await?;
    let text = fs_err::read(&place)?;
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| Error::Unreadable {
            url: format!("the run of {name}"),
            why: error.to_string(),
        })
}
