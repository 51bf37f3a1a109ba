//! S3 and what speaks like it.

use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use super::connector::Connector;
use super::objects::Objects;
use super::profile::Profile;
use super::settings::{Around, bucket};
use super::sign_in::SignIn;
use super::{Settings, connector, retry};
use crate::secret::Credential;
use crate::{Error, Result};

const KEYS: [&str; 14] = [
    "region",
    "profile",
    "credentialpath",
    "configpath",
    "endpointurl",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "use_ssl",
    "ssl_verify",
    "allow_anonymous_login",
    "sse",
    "sse_kms_key_id",
    "cache_regions",
];
/// What a session on a cloud's own machine gets its keys by.
const ON_THE_CLOUD: [(&str, AmazonS3ConfigKey); 6] = [
    (
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        AmazonS3ConfigKey::WebIdentityTokenFile,
    ),
    ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
    ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
    (
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
    ),
    (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        AmazonS3ConfigKey::ContainerCredentialsFullUri,
    ),
    (
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
    ),
];

pub(super) fn open(settings: &Settings) -> Result<Objects> {
    settings.only(&KEYS)?;
    let (name, prefix) = bucket(settings.address())?;
    let profile = Profile::of(settings)?;
    let region = settings.get_or("region", &[]);
    let region = region
        .or_else(|| profile.get("region").map(str::to_owned))
        .or_else(|| settings.around_or(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
        .unwrap_or_else(|| "us-east-1".to_owned());
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&name)
        .with_region(&region)
        .with_http_connector(Connector::of(settings)?)
        .with_retry(retry());
    let endpoint = settings
        .get("endpointurl")
        .or_else(|| profile.get("endpoint_url"))
        .map(str::to_owned)
        .or_else(|| settings.around_or(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]));
    let plain = !settings.flag("use_ssl", true)?;
    let endpoint = match endpoint {
        Some(endpoint) if endpoint.contains("://") => Some(endpoint),
        Some(endpoint) if plain => Some(format!("http://{endpoint}")),
        Some(endpoint) => Some(format!("https://{endpoint}")),
        None if plain => Some(format!("http://s3.{region}.amazonaws.com")),
        None => None,
    };
    if let Some(endpoint) = endpoint {
        check_endpoint(&endpoint)?;
        builder = builder.with_endpoint(endpoint).with_allow_http(true);
    }
    builder = encrypted(builder, settings)?;
    builder = signed(builder, settings, &profile, &region)?;
    let built = builder
        .build()
        .map_err(|error| connector::told(&error, settings.address()))?;
    let address = format!("s3://{name}/{prefix}");
    Ok(Objects::new(Arc::new(built), address, prefix, "S3"))
}

pub(super) fn check_endpoint(endpoint: &str) -> Result<()> {
    let bad = |why: &str| Error::Setting {
        key: "endpointurl".to_owned(),
        why: why.to_owned(),
    };
    let url = url::Url::parse(endpoint).map_err(|_| bad("it is no address"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(bad("it begins with http:// or https://"));
    }
    if url.password().is_some() || !url.username().is_empty() {
        return Err(bad("credentials do not belong into an address"));
    }
    Ok(())
}

fn encrypted(builder: AmazonS3Builder, settings: &Settings) -> Result<AmazonS3Builder> {
    match (settings.get("sse"), settings.get("sse_kms_key_id")) {
        (None, None) => Ok(builder),
        (Some("AES256"), None) => {
            let key = "aws_server_side_encryption".parse::<AmazonS3ConfigKey>();
            let key = key.map_err(|error| connector::told(&error, settings.address()))?;
            Ok(builder.with_config(key, "AES256"))
        }
        (None | Some("aws:kms"), Some(key)) => Ok(builder.with_sse_kms_encryption(key)),
        (Some(_), _) => Err(settings.bad("sse", "it is AES256, or aws:kms with sse_kms_key_id")),
    }
}

/// Our own credential, then the configuration, then a profile that was named, the environment, the usual profile, and at last
/// what the cloud gives to its own machines.
fn signed(
    builder: AmazonS3Builder,
    settings: &Settings,
    profile: &Profile,
    region: &str,
) -> Result<AmazonS3Builder> {
    let keys = |id: &str, secret: &str, token: Option<String>| {
        let builder = builder
            .clone()
            .with_access_key_id(id)
            .with_secret_access_key(secret);
        match token {
            Some(token) => builder.with_token(token),
            None => builder,
        }
    };
    match settings.own() {
        Some(Credential {
            user: Some(id),
            secret,
        }) => return Ok(keys(id, secret.reveal(), None)),
        Some(Credential { user: None, .. }) => {
            return Err(settings.bad(
                "access_key_id",
                "the secret key alone was given: sign in with the access key as the user",
            ));
        }
        None => {}
    }
    let own = |key: &str| settings.get(key).map(str::to_owned);
    match (own("access_key_id"), own("secret_access_key")) {
        (Some(id), Some(secret)) => return Ok(keys(&id, &secret, own("session_token"))),
        (Some(_), None) | (None, Some(_)) => {
            return Err(settings.bad("access_key_id", "it needs secret_access_key beside it"));
        }
        (None, None) => {}
    }
    if settings.flag("allow_anonymous_login", false)? {
        return Ok(builder.with_skip_signature(true));
    }
    let around = settings.surroundings();
    let named = settings.get("profile").is_some() || settings.get("credentialpath").is_some();
    let variable = |name: &str| around.variable(name).map(str::to_owned);
    let variables = (
        variable("AWS_ACCESS_KEY_ID"),
        variable("AWS_SECRET_ACCESS_KEY"),
    );
    if let ((Some(id), Some(secret)), false) = (variables, named) {
        return Ok(keys(&id, &secret, variable("AWS_SESSION_TOKEN")));
    }
    if let Some(way) = profile.way()? {
        return Ok(builder.with_credentials(Arc::new(SignIn::of(profile.name(), way, region)?)));
    }
    if let Some((id, secret, token)) = profile.credentials() {
        return Ok(keys(&id, &secret, token));
    }
    let given = |(name, _): &&(&str, AmazonS3ConfigKey)| around.variable(name).is_some();
    if !ON_THE_CLOUD.iter().any(|entry| given(&entry)) && !Around::is_machine_of("Amazon") {
        return Err(Error::NoCredentials {
            service: "S3",
            looked: "`lapwing remotes login`, .dvc/config.local, ~/.aws and AWS_ACCESS_KEY_ID",
        });
    }
    Ok(ON_THE_CLOUD
        .into_iter()
        .fold(builder, |builder, (name, key)| {
            match around.variable(name) {
                Some(value) => builder.with_config(key, value),
                None => builder,
            }
        }))
}
