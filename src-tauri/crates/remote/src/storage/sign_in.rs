//! Profiles of AWS that sign in: by single sign-on, with a role, or through a program that prints keys. AWS's own SDK knows how; it speaks
//! through our own HTTP. What it is told is kept until shortly before it ends, so that a long transfer goes on.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::Region;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;

use super::connector;
use super::profile::Way;
use crate::diagnose::deepest;
use crate::{Error, Result, client};

/// So long before they end, keys are asked for anew.
const BEFORE_THE_END: Duration = Duration::from_secs(300);

/// One profile, with the keys that it got last.
pub(super) struct SignIn {
    profile: String,
    way: Way,
    provider: ProfileFileCredentialsProvider,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    credential: Arc<AwsCredential>,
    ends: Option<SystemTime>,
}

impl SignIn {
    /// Asks nobody yet. `region` is where roles are assumed that name none.
    ///
    /// # Errors
    /// When this machine cannot make a connection at all.
    pub fn of(profile: &str, way: Way, region: &str) -> Result<Self> {
        let config = ProviderConfig::without_region()
            .with_region(Some(Region::new(region.to_owned())))
            .with_retry_config(RetryConfig::standard())
            .with_sleep_impl(TokioSleep::new())
            .with_http_client(Http::new()?);
        let provider = ProfileFileCredentialsProvider::builder()
            .profile_name(profile)
            .configure(&config)
            .build();
        Ok(Self {
            profile: profile.to_owned(),
            way,
            provider,
            kept: Mutex::new(None),
        })
    }

    async fn ask(&self) -> Result<Kept> {
        let answered = self.provider.provide_credentials().await;
        let keys = answered.map_err(|error| self.failed(&deepest(&error)))?;
        let credential = AwsCredential {
            key_id: keys.access_key_id().to_owned(),
            secret_key: keys.secret_access_key().to_owned(),
            token: keys.session_token().map(str::to_owned),
        };
        Ok(Kept {
            credential: Arc::new(credential),
            ends: keys.expiry(),
        })
    }

    fn failed(&self, why: &str) -> Error {
        let profile = self.profile.clone();
        let check = || format!("`aws sts get-caller-identity --profile {profile}` says more");
        let (how, then) = match self.way {
            Way::SingleSignOn => (
                "by single sign-on",
                format!("sign in anew: `aws sso login --profile {profile}`"),
            ),
            Way::Role => ("with its role", check()),
            Way::Program => ("through its program", check()),
        };
        Error::SignIn {
            profile,
            how,
            then,
            why: client::short(said(why)),
        }
    }
}

/// Of an answer that the SDK shows as `Error { code: "…", message: "…" }`, the message.
fn said(why: &str) -> &str {
    let message = why.split_once("message: \"").map(|(_, rest)| rest);
    let message = message.and_then(|rest| rest.split_once('"'));
    message.map_or(why, |(message, _)| message)
}

/// It holds keys.
impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignIn(…)")
    }
}

#[async_trait]
impl CredentialProvider for SignIn {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut kept = self.kept.lock().await;
        let soon = SystemTime::now() + BEFORE_THE_END;
        if let Some(known) = kept.as_ref()
            && known.ends.is_none_or(|ends| ends > soon)
        {
            return Ok(Arc::clone(&known.credential));
        }
        let new = self.ask().await.map_err(connector::carried)?;
        let credential = Arc::clone(&new.credential);
        *kept = Some(new);
        Ok(credential)
    }
}

/// What a storage's own settings say about certificates is not for AWS's sign-in, and a token is for one server.
#[derive(Debug, Clone)]
struct Http(reqwest::Client);

impl Http {
    fn new() -> Result<Self> {
        let builder = client::builder().redirect(reqwest::redirect::Policy::none());
        let http = builder.build().map_err(|error| Error::Setting {
            key: "profile".to_owned(),
            why: error.to_string(),
        })?;
        Ok(Self(http))
    }

    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let other = |error: reqwest::Error| {
            if error.is_timeout() {
                ConnectorError::timeout(error.into())
            } else {
                ConnectorError::io(error.into())
            }
        };
        let method = reqwest::Method::from_bytes(request.method().as_bytes());
        let method = method.map_err(|error| ConnectorError::user(error.into()))?;
        let mut asked = self.0.request(method, request.uri());
        for (name, value) in request.headers() {
            asked = asked.header(name, value);
        }
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let answer = asked.body(body).send().await.map_err(other)?;
        let status = StatusCode::try_from(answer.status().as_u16())
            .map_err(|error| ConnectorError::other(error.into(), None))?;
        let headers = answer.headers().clone();
        let bytes = answer.bytes().await.map_err(other)?;
        let mut response = HttpResponse::new(status, SdkBody::from(bytes));
        for (name, value) in &headers {
            // What is no text says nothing to the SDK.
            if let Ok(value) = value.to_str() {
                let headers = response.headers_mut();
                headers.append(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(response)
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.clone();
        HttpConnectorFuture::new(async move { http.send(&request).await })
    }
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
