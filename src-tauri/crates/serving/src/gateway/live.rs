//! What is served at this moment: loaded revisions and their shares. Replaced as a whole; requests keep the one they began with.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;

use crate::answer::{Answer, Refusal};
use crate::protocol::mlflow;
use crate::runtime::{Input, Loaded, load, warm_up_body};
use crate::{
    DeploymentFolder, Error, GatewayConfig, ModelFolder, Result, RevisionConfig, model_folder,
};

pub(super) struct Revision {
    pub(super) config: RevisionConfig,
    pub(super) model: ModelFolder,
    pub(super) loaded: Loaded,
}

pub(super) struct Live {
    pub(super) config: GatewayConfig,
    pub(super) revisions: Vec<Arc<Revision>>,
}

impl Revision {
    async fn load(
        folder: &DeploymentFolder,
        config: &RevisionConfig,
        gateway: &GatewayConfig,
    ) -> Result<Self> {
        let limit = Duration::from_secs(u64::from(gateway.timeout_seconds.max(1)));
        let place = folder.model(config.number);
        let model = model_folder::read(&place)?;
        let loaded = load(folder, config, gateway.workers, limit).await?;
        let revision = Self {
            config: config.clone(),
            model,
            loaded,
        };
        revision.warm_up(limit).await?;
        Ok(revision)
    }

    /// The first request is the model's own example: a model that cannot answer it gets no traffic.
    async fn warm_up(&self, limit: Duration) -> Result<()> {
        let Some(body) = warm_up_body(&self.model.path) else {
            return Ok(());
        };
        let headers =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let failed = |refusal: Refusal| Error::Load {
            revision: self.config.number,
            why: format!(
                "it does not answer its own input example: {}",
                refusal.message
            ),
        };
        let request = match mlflow::parse(&headers, &body, &self.model.signature) {
            Ok(request) => request,
            Err(refusal) => {
                // Examples of chat models have shapes that this endpoint does not speak; that says nothing about the model.
                tracing::warn!(
                    why = refusal.message,
                    "the model's example cannot be sent to it"
                );
                return Ok(());
            }
        };
        let answered =
            tokio::time::timeout(limit, self.predict(&request.input, request.params.as_ref()))
                .await;
        answered
            .unwrap_or_else(|_| Err(Refusal::timeout(limit.as_secs())))
            .map_err(failed)?;
        Ok(())
    }

    pub(super) async fn predict(
        &self,
        input: &Input,
        params: Option<&serde_json::Value>,
    ) -> std::result::Result<Answer, Refusal> {
        self.loaded
            .runtime
            .predict(input, self.model.signature.inputs.columns(), params)
            .await
    }

    /// The model's version as text; the revision where the model has none.
    pub(super) fn version(&self) -> String {
        self.config
            .model_version
            .unwrap_or(self.config.number)
            .to_string()
    }
}

impl Live {
    /// Loads what gets traffic; what `before` has loaded already is kept.
    pub(super) async fn load(
        folder: &DeploymentFolder,
        config: GatewayConfig,
        before: Option<&Self>,
    ) -> Result<Self> {
        config.check()?;
        let mut revisions = Vec::new();
        for wanted in &config.revisions {
            if weight(&config, wanted.number) <= 0.0 {
                continue;
            }
            let kept = before
                .filter(|before| before.config.workers == config.workers)
                .and_then(|before| {
                    before
                        .revisions
                        .iter()
                        .find(|revision| revision.config == *wanted)
                });
            revisions.push(match kept {
                Some(kept) => Arc::clone(kept),
                None => Arc::new(Revision::load(folder, wanted, &config).await?),
            });
        }
        Ok(Self { config, revisions })
    }

    pub(super) fn weight(&self, revision: u32) -> f64 {
        weight(&self.config, revision)
    }

    /// The revision that a request gets: always the same one for the same id.
    pub(super) fn choose(&self, request_id: &str) -> Option<&Arc<Revision>> {
        let total: f64 = self
            .revisions
            .iter()
            .map(|revision| self.weight(revision.config.number))
            .sum();
        let mut point = share(request_id) * total;
        for revision in &self.revisions {
            point -= self.weight(revision.config.number);
            if point < 0.0 {
                return Some(revision);
            }
        }
        self.revisions.last()
    }

    pub(super) fn revision(&self, number: u32) -> Option<&Arc<Revision>> {
        self.revisions
            .iter()
            .find(|revision| revision.config.number == number)
    }

    /// The revision with the largest share: what `/docs` and metadata describe.
    pub(super) fn main(&self) -> Option<&Arc<Revision>> {
        self.revisions.iter().max_by(|a, b| {
            self.weight(a.config.number)
                .total_cmp(&self.weight(b.config.number))
        })
    }
}

fn weight(config: &GatewayConfig, revision: u32) -> f64 {
    config
        .traffic
        .iter()
        .filter(|share| share.revision == revision)
        .map(|share| share.weight)
        .sum()
}

/// FNV-1a, its upper half as a number from 0 to 1: stable over versions and machines, unlike the standard library's hashes.
pub(super) fn share(text: &str) -> f64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // FNV's upper bits hardly change with the last bytes of short texts: mix once more.
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let upper = u32::try_from(mixed >> 32).unwrap_or(0);
    f64::from(upper) / (f64::from(u32::MAX) + 1.0)
}
