//! The manifest of a model: ModelPack's media types, and the titles by which ORAS names files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{MANIFEST, digest_of};

const ARTIFACT: &str = "application/vnd.cncf.model.manifest.v1+json";
const CONFIG: &str = "application/vnd.cncf.model.config.v1+json";
const WEIGHT: &str = "application/vnd.cncf.model.weight.v1.raw";
const WEIGHT_CONFIG: &str = "application/vnd.cncf.model.weight.config.v1.raw";
const DOC: &str = "application/vnd.cncf.model.doc.v1.raw";
/// The run that made the model: no part of the model's own folder.
const RUN: &str = "application/vnd.lapwing.run.v1+json";
const TITLE: &str = "org.opencontainers.image.title";
const FILE_PATH: &str = "org.cncf.model.filepath";

/// One blob: what it is, and how it is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: String,
    pub digest: String,
    pub size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// The file's path below the model's folder.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        let found = self.annotations.get(FILE_PATH);
        found
            .or_else(|| self.annotations.get(TITLE))
            .map(String::as_str)
    }

    /// Whether it is the run that made the model.
    #[must_use]
    pub fn is_run(&self) -> bool {
        self.media_type == RUN
    }
}

/// What lies behind a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub schema_version: u32,
    pub media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    pub config: Descriptor,
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// One file of a model.
#[derive(Debug, Clone)]
pub struct Layer {
    pub path: String,
    /// 64 hex digits.
    pub sha256: String,
    pub size: u64,
}

/// What a manifest is made of.
#[derive(Debug, Clone)]
pub struct NewArtifact<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub description: &'a str,
    /// The commit that made it.
    pub revision: Option<&'a str>,
    pub files: &'a [Layer],
    /// The run that made it, as JSON.
    pub run: Option<&'a [u8]>,
    pub annotations: BTreeMap<String, String>,
}

fn descriptor(media_type: &str, title: &str, digest: String, size: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size,
        annotations: [
            (TITLE.to_owned(), title.to_owned()),
            (FILE_PATH.to_owned(), title.to_owned()),
        ]
        .into(),
    }
}

fn kind(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&[".md", ".rst", "license"]) {
        DOC
    } else if ends(&[".yaml", ".yml", ".json", ".txt", ".toml", "mlmodel"]) {
        WEIGHT_CONFIG
    } else {
        WEIGHT
    }
}

impl NewArtifact<'_> {
    /// The manifest, and its config as it must be pushed.
    #[must_use]
    pub fn manifest(&self) -> (Manifest, Vec<u8>) {
        let config = self.config();
        let mut layers: Vec<Descriptor> = self
            .files
            .iter()
            .map(|file| {
                let digest = format!("sha256:{}", file.sha256);
                descriptor(kind(&file.path), &file.path, digest, file.size)
            })
            .collect();
        if let Some(run) = self.run {
            layers.push(descriptor(
                RUN,
                "lapwing-run.json",
                digest_of(run),
                run.len() as u64,
            ));
        }
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            artifact_type: Some(ARTIFACT.to_owned()),
            config: Descriptor {
                media_type: CONFIG.to_owned(),
                digest: digest_of(&config),
                size: config.len() as u64,
                annotations: BTreeMap::new(),
            },
            layers,
            annotations: self.annotations.clone(),
        };
        (manifest, config)
    }

    fn config(&self) -> Vec<u8> {
        let diff_ids: Vec<String> = self
            .files
            .iter()
            .map(|file| format!("sha256:{}", file.sha256))
            .collect();
        serde_json::json!({
            "descriptor": {
                "name": self.name,
                "version": self.version,
                "description": self.description,
                "revision": self.revision,
            },
            "config": { "format": "mlflow" },
            "modelfs": { "type": "layers", "diffIds": diff_ids },
        })
        .to_string()
        .into_bytes()
    }
}
