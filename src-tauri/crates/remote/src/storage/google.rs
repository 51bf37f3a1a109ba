//! Google Cloud Storage.

use std::sync::Arc;

use object_store::gcp::GoogleCloudStorageBuilder;

use super::connector::Connector;
use super::objects::Objects;
use super::s3::check_endpoint;
use super::settings::{Around, bucket};
use super::{Settings, connector, retry};
use crate::{Error, Result};

const KEYS: [&str; 4] = [
    "projectname",
    "credentialpath",
    "endpointurl",
    "allow_anonymous_login",
];
/// What `gcloud auth application-default login` writes.
const USUAL: &str = ".config/gcloud/application_default_credentials.json";

pub(super) fn open(settings: &Settings) -> Result<Objects> {
    settings.only(&KEYS)?;
    let (name, prefix) = bucket(settings.address())?;
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&name)
        .with_http_connector(Connector::of(settings)?)
        .with_retry(retry());
    let endpoint = settings.get_or("endpointurl", &["STORAGE_EMULATOR_HOST"]);
    if let Some(endpoint) = endpoint {
        check_endpoint(&endpoint)?;
        builder = builder.with_base_url(endpoint.trim_end_matches('/'));
    }
    let built = signed(builder, settings)?
        .build()
        .map_err(|error| connector::told(&error, settings.address()))?;
    let address = format!("gs://{name}/{prefix}");
    let service = "Google Cloud Storage";
    Ok(Objects::new(Arc::new(built), address, prefix, service))
}

/// Our own credential (a service account's JSON, or a token), then the file of the configuration, then the environment, then
/// what `gcloud` wrote.
fn signed(
    builder: GoogleCloudStorageBuilder,
    settings: &Settings,
) -> Result<GoogleCloudStorageBuilder> {
    if let Some(own) = settings.own() {
        let secret = own.secret.reveal();
        return Ok(if secret.trim_start().starts_with('{') {
            builder.with_service_account_key(secret)
        } else {
            builder.with_bearer_token(secret)
        });
    }
    if settings.flag("allow_anonymous_login", false)? && settings.get("credentialpath").is_none() {
        return Ok(builder.with_bearer_token("").with_skip_signature(true));
    }
    // The project's file is shared: whoever wrote it must not get the user's token by naming a server of their own.
    if settings
        .get("endpointurl")
        .is_some_and(|text| !is_googles(text))
    {
        return Err(settings.no_login_for(
            "endpointurl",
            "only Google gets your Google login: `lapwing remotes login` for this server, or set allow_anonymous_login",
        ));
    }
    let file = settings.get_or("credentialpath", &["GOOGLE_APPLICATION_CREDENTIALS"]);
    if let Some(file) = file {
        let file = settings.path(&file);
        // The library says no more than that it could not be read.
        fs_err::metadata(&file)?;
        return Ok(builder.with_application_credentials(file.display().to_string()));
    }
    let usual = settings.surroundings().home.join(USUAL);
    if usual.is_file() {
        return Ok(builder.with_application_credentials(usual.display().to_string()));
    }
    if Around::is_machine_of("Google") {
        return Ok(builder);
    }
    Err(Error::NoCredentials {
        service: "Google Cloud Storage",
        looked: "`lapwing remotes login`, credentialpath, GOOGLE_APPLICATION_CREDENTIALS and gcloud's own file",
    })
}

fn is_googles(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| {
        let host = url.host_str().unwrap_or_default();
        url.scheme() == "https" && (host == "googleapis.com" || host.ends_with(".googleapis.com"))
    })
}
