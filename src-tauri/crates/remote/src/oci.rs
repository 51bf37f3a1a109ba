//! An OCI registry: models as OCI artifacts, in the shape of the CNCF ModelPack specification, with the titles that ORAS reads.
//!
//! Protocol: OCI distribution specification 1.1 (<https://github.com/opencontainers/distribution-spec>); artifact: ModelPack
//! (<https://github.com/modelpack/model-spec>). `oci-client` was weighed: it neither goes on with a cut upload nor tells how far it is,
//! which is most of what happens here.

mod artifact;
mod authority;
mod blob;

use std::path::Path;

use reqwest::{Method, Response, StatusCode, header};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

pub use artifact::{Descriptor, Layer, Manifest, NewArtifact};
use authority::Authority;

use crate::client::{accepted, bytes, json, next_page, shown};
use crate::{Client, Error, Moved, Result};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const MAX_TAGS_PAGES: usize = 1000;
const MAX_CATALOG_PAGES: usize = 1000;

/// A registry, and the part of it in front of every repository (`ghcr.io/org`).
#[derive(Debug)]
pub struct Registry {
    client: Client,
    prefix: String,
    authority: Authority,
}

impl Registry {
    /// The registry that `client` is a client of; what its address has behind the host goes in front of repositories.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(client: &Client) -> Result<Self> {
        let bad = |why: String| Error::Address {
            address: client.base().to_owned(),
            why,
        };
        let url = url::Url::parse(client.base()).map_err(|error| bad(error.to_string()))?;
        let prefix = url.path().trim_matches('/').to_owned();
        let root = url.origin().ascii_serialization();
        Ok(Self {
            // The credential is sent in the way that the registry asks for, and only then.
            client: Client::new(&root, None)?,
            prefix,
            authority: Authority::new(client.credential().cloned()),
        })
    }

    /// The repository of a model's name: small letters, as registries want them.
    #[must_use]
    pub fn repository(&self, name: &str) -> String {
        let name = name.to_ascii_lowercase();
        if self.prefix.is_empty() {
            name
        } else {
            format!("{}/{name}", self.prefix)
        }
    }

    /// Sends, with what the registry asks for. `make` is called again after a challenge.
    pub(crate) async fn send(
        &self,
        scope: &str,
        make: impl Fn(&Client) -> reqwest::RequestBuilder,
    ) -> Result<Response> {
        let response = self
            .client
            .send(self.authority.apply(make(&self.client)))
            .await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        self.authority
            .answer(&self.client, &response, scope)
            .await?;
        let mut response = self
            .client
            .send(self.authority.apply(make(&self.client)))
            .await?;
        // A token is given to anybody: it says who we are only where we have said it.
        response.extensions_mut().insert(self.authority.sent());
        Ok(response)
    }

    /// Who answers, and whether it lets us in.
    ///
    /// # Errors
    /// When it does not, or is no registry.
    pub async fn check(&self) -> Result<()> {
        let response = self
            .send("", |client| client.request(Method::GET, "v2/"))
            .await?;
        accepted(response).await.map(|_| ())
    }

    /// The manifest behind a tag or digest, with its own digest.
    ///
    /// # Errors
    /// When there is none, or it arrives damaged.
    pub async fn manifest(&self, repository: &str, reference: &str) -> Result<(Manifest, String)> {
        let path = format!("v2/{repository}/manifests/{reference}");
        let make = |client: &Client| {
            client
                .request(Method::GET, &path)
                .header(header::ACCEPT, MANIFEST)
        };
        let response = accepted(self.send(&pull_scope(repository), make).await?).await?;
        let url = shown(response.url());
        let named = response
            .headers()
            .get("docker-content-digest")
            .and_then(|value| value.to_str().ok()) // Not text: not named.
            .map(str::to_owned);
        let body = bytes(response).await?;
        let found = digest_of(&body);
        let expected = if reference.starts_with("sha256:") {
            Some(reference.to_owned())
        } else {
            named
        };
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(Error::Digest {
                what: format!("the manifest of {repository}"),
                expected,
                found,
            });
        }
        let manifest = serde_json::from_slice(&body).map_err(|error| Error::Unreadable {
            url,
            why: error.to_string(),
        })?;
        Ok((manifest, found))
    }

    /// Puts a manifest under a tag. Answers its digest.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn put_manifest(
        &self,
        repository: &str,
        tag: &str,
        manifest: &Manifest,
    ) -> Result<String> {
        let path = format!("v2/{repository}/manifests/{tag}");
        let body = serde_json::to_vec(manifest).map_err(|error| Error::Unreadable {
            url: "the manifest".to_owned(),
            why: error.to_string(),
        })?;
        let make = |client: &Client| {
            client
                .request(Method::PUT, &path)
                .header(header::CONTENT_TYPE, MANIFEST)
                .body(body.clone())
        };
        accepted(self.send(&push_scope(repository), make).await?).await?;
        Ok(digest_of(&body))
    }

    /// All tags of a repository; none where it does not exist.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            tags: Option<Vec<String>>,
        }
        let mut path = format!("v2/{repository}/tags/list");
        let mut all = Vec::new();
        for _ in 0..MAX_TAGS_PAGES {
            let make = |client: &Client| client.request(Method::GET, &path);
            let response = self.send(&pull_scope(repository), make).await?;
            let next = next_page(&response);
            match accepted(response).await {
                Ok(response) => {
                    let answer: Answer = json(response).await?;
                    all.extend(answer.tags.unwrap_or_default());
                }
                Err(Error::NotFound { .. }) => break,
                Err(error) => return Err(error),
            }
            match next {
                Some(next) => path = next,
                None => break,
            }
        }
        Ok(all)
    }

    /// Repositories below our part of the registry, without it, of which the name contains `text`: no more than `most`. Large public
    /// registries do not answer this.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn repositories(&self, text: &str, most: usize) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            repositories: Vec<String>,
        }
        let front = self.repository("");
        let mut path = "v2/_catalog?n=1000".to_owned();
        let mut found = Vec::new();
        for _ in 0..MAX_CATALOG_PAGES {
            let make = |client: &Client| client.request(Method::GET, &path);
            let response = self.send("registry:catalog:*", make).await?;
            let next = next_page(&response);
            let answer: Answer = json(accepted(response).await?).await?;
            let ours = answer.repositories.iter();
            let ours = ours.filter_map(|name| name.strip_prefix(&front));
            found.extend(ours.filter(|name| name.contains(text)).map(str::to_owned));
            match next {
                Some(next) if found.len() < most => path = next,
                Some(_) | None => break,
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// Fetches a blob to `place`, which is only written when the digest is right; `part` keeps what has arrived until then.
    ///
    /// # Errors
    /// When there is none, or it arrives damaged: then nothing of it stays.
    pub async fn fetch(
        &self,
        repository: &str,
        wanted: &Descriptor,
        part: &Path,
        place: &Path,
        moved: Moved<'_>,
    ) -> Result<()> {
        let path = format!("v2/{repository}/blobs/{}", wanted.digest);
        let request = || {
            self.authority
                .apply(self.client.request(Method::GET, &path))
        };
        let mut had = None;
        loop {
            // Asked without a body, so that the token is there for the download and its tries.
            let make = |client: &Client| client.request(Method::HEAD, &path);
            accepted(self.send(&pull_scope(repository), make).await?).await?;
            match self.client.fetch(request, part, moved).await {
                Ok(()) => break,
                // A token may run out on the way: as long as something arrives, there is another one.
                Err(error @ Error::Unauthorized { .. }) => {
                    let has = fs_err::metadata(part).map_or(0, |part| part.len());
                    if had.replace(has).is_some_and(|before| before >= has) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let (found, _) = crate::digest::sha256(part)?;
        let found = format!("sha256:{found}");
        if found != wanted.digest {
            fs_err::remove_file(part)?;
            return Err(Error::Digest {
                what: wanted.title().unwrap_or(&wanted.digest).to_owned(),
                expected: wanted.digest.clone(),
                found,
            });
        }
        Ok(fs_err::rename(part, place)?)
    }
}

pub(crate) fn pull_scope(repository: &str) -> String {
    format!("repository:{repository}:pull")
}

pub(crate) fn push_scope(repository: &str) -> String {
    format!("repository:{repository}:pull,push")
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", crate::digest::hex(&Sha256::digest(bytes)))
}
