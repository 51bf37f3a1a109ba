//! Azure Blob Storage.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use object_store::azure::MicrosoftAzureBuilder;

use super::connector::Connector;
use super::objects::Objects;
use super::settings::{Around, bucket};
use super::{Settings, connector, retry};
use crate::{Error, Result};

const KEYS: [&str; 9] = [
    "connection_string",
    "account_name",
    "account_key",
    "sas_token",
    "tenant_id",
    "client_id",
    "client_secret",
    "allow_anonymous_login",
    "connection_timeout",
];

/// What a connection string says, or the settings one by one.
#[derive(Default)]
struct Account {
    name: Option<String>,
    key: Option<String>,
    sas: Option<String>,
    endpoint: Option<String>,
}

pub(super) fn open(settings: &Settings) -> Result<Objects> {
    settings.only(&KEYS)?;
    let (container, prefix) = bucket(settings.address())?;
    let account = account(settings)?;
    let Some(name) = account.name.clone() else {
        return Err(settings.bad("account_name", "Azure needs to know the storage account"));
    };
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    // It becomes a part of the server's name, and a token follows it there.
    if !(3..=24).contains(&name.len()) || !name.bytes().all(plain) {
        return Err(settings.bad("account_name", "it is no name of a storage account"));
    }
    let mut builder = MicrosoftAzureBuilder::new()
        .with_container_name(&container)
        .with_account(&name)
        .with_http_connector(Connector::of(settings)?)
        .with_retry(retry());
    if let Some(endpoint) = &account.endpoint {
        let plain = endpoint.starts_with("http://");
        builder = builder
            .with_endpoint(endpoint.clone())
            .with_allow_http(plain);
    }
    let built = signed(builder, settings, &account)?
        .build()
        .map_err(|error| connector::told(&error, settings.address()))?;
    let address = format!("azure://{name}/{container}/{prefix}");
    let service = "Azure Blob Storage";
    Ok(Objects::new(Arc::new(built), address, prefix, service))
}

fn account(settings: &Settings) -> Result<Account> {
    let name = settings.get_or("account_name", &["AZURE_STORAGE_ACCOUNT"]);
    if let Some(own) = settings.own() {
        let secret = own.secret.reveal();
        let user = own.user.clone().or(name);
        return Ok(
            if secret.contains("AccountName=") || secret.contains("BlobEndpoint=") {
                parsed(secret)
            } else if secret.contains("sig=") {
                Account {
                    name: user,
                    sas: Some(secret.to_owned()),
                    ..Account::default()
                }
            } else {
                Account {
                    name: user,
                    key: Some(secret.to_owned()),
                    ..Account::default()
                }
            },
        );
    }
    let whole = settings.get_or("connection_string", &["AZURE_STORAGE_CONNECTION_STRING"]);
    if let Some(whole) = whole {
        return Ok(parsed(&whole));
    }
    Ok(Account {
        name,
        key: settings.get_or("account_key", &["AZURE_STORAGE_KEY"]),
        sas: settings.get_or("sas_token", &["AZURE_STORAGE_SAS_TOKEN"]),
        endpoint: None,
    })
}

/// `DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;BlobEndpoint=…`
fn parsed(text: &str) -> Account {
    let pairs: BTreeMap<&str, &str> = text
        .trim()
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let get = |key: &str| pairs.get(key).map(|value| (*value).to_owned());
    let endpoint = get("BlobEndpoint").or_else(|| {
        let (protocol, suffix) = (get("DefaultEndpointsProtocol")?, get("EndpointSuffix")?);
        Some(format!(
            "{protocol}://{}.blob.{suffix}",
            get("AccountName")?
        ))
    });
    Account {
        name: get("AccountName"),
        key: get("AccountKey"),
        sas: get("SharedAccessSignature"),
        endpoint: endpoint.map(|text| text.trim_end_matches('/').to_owned()),
    }
}

fn signed(
    builder: MicrosoftAzureBuilder,
    settings: &Settings,
    account: &Account,
) -> Result<MicrosoftAzureBuilder> {
    if let Some(key) = &account.key {
        if STANDARD.decode(key).is_err() {
            return Err(settings.bad("account_key", "it is no key of a storage account"));
        }
        return Ok(builder.with_access_key(key));
    }
    if let Some(sas) = &account.sas {
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(sas.trim_start_matches('?').as_bytes())
                .into_owned()
                .collect();
        return Ok(builder.with_sas_authorization(pairs));
    }
    let anonymous = settings.flag("allow_anonymous_login", false)?;
    // The project's file names the server: whoever wrote it must not get the user's own login there.
    if account.endpoint.is_some() && settings.get("connection_string").is_some() && !anonymous {
        return Err(settings.no_login_for(
            "connection_string",
            "it has neither AccountKey nor SharedAccessSignature",
        ));
    }
    let get = |key: &str, variable: &str| settings.get_or(key, &[variable]);
    let application = (
        get("client_id", "AZURE_CLIENT_ID"),
        get("client_secret", "AZURE_CLIENT_SECRET"),
        get("tenant_id", "AZURE_TENANT_ID"),
    );
    if let (Some(id), Some(secret), Some(tenant)) = application {
        return Ok(builder.with_client_secret_authorization(id, secret, tenant));
    }
    if anonymous {
        return Ok(builder.with_skip_signature(true));
    }
    if Around::is_machine_of("Microsoft") {
        return Ok(builder);
    }
    Err(Error::NoCredentials {
        service: "Azure Blob Storage",
        looked: "`lapwing remotes login`, .dvc/config.local, AZURE_STORAGE_KEY and AZURE_CLIENT_SECRET",
    })
}
