//! The files of the AWS command line: `~/.aws/credentials` and `~/.aws/config`, read as boto reads them.

use std::collections::BTreeMap;

use super::Settings;
use crate::{Error, Result};

/// How a profile signs in by something else than keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    SingleSignOn,
    Role,
    Program,
}

/// Keys of profiles, and what they mean.
const WAYS: [(&str, Way); 4] = [
    ("role_arn", Way::Role),
    ("sso_session", Way::SingleSignOn),
    ("sso_start_url", Way::SingleSignOn),
    ("credential_process", Way::Program),
];

/// What both files say about one profile, the credentials file first.
pub(super) struct Profile {
    name: String,
    /// A shared file may name other files than the user's own.
    is_users: bool,
    keys: BTreeMap<String, String>,
}

impl Profile {
    /// The profile that the settings or `AWS_PROFILE` name, otherwise `default`.
    ///
    /// # Errors
    /// When one was named and neither file has it.
    pub fn of(settings: &Settings) -> Result<Self> {
        let around = settings.surroundings();
        let named = settings.get_or("profile", &["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
        let name = named.clone().unwrap_or_else(|| "default".to_owned());
        let file = |key: &str, variable: &str, usual: &str| {
            let text = settings.get_or(key, &[variable]);
            text.map_or_else(
                || around.home.join(".aws").join(usual),
                |text| settings.path(&text),
            )
        };
        let config = file("configpath", "AWS_CONFIG_FILE", "config");
        let secrets = file(
            "credentialpath",
            "AWS_SHARED_CREDENTIALS_FILE",
            "credentials",
        );
        let mut keys = BTreeMap::new();
        let mut there = false;
        for (path, section) in [
            (&config, format!("profile {name}")),
            (&config, name.clone()),
            (&secrets, name.clone()),
        ] {
            // A file that is not there names nothing.
            let text = fs_err::read_to_string(path).unwrap_or_default();
            there |= merge(&text, &section, &mut keys);
        }
        if !there && named.is_some() {
            let why = format!(
                "neither {} nor {} has a profile `{name}`",
                secrets.display(),
                config.display()
            );
            if settings.get("profile").is_some() {
                return Err(settings.bad("profile", &why));
            }
            return Err(Error::SignIn {
                profile: name,
                how: "here",
                then: "the variable AWS_PROFILE names it: correct it, or unset it".to_owned(),
                why,
            });
        }
        let is_set = |key: &str| settings.get(key).is_some();
        Ok(Self {
            name,
            is_users: !is_set("configpath") && !is_set("credentialpath"),
            keys,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(String::as_str)
    }

    /// Key, secret key and session token, where they are written there.
    pub fn credentials(&self) -> Option<(String, String, Option<String>)> {
        let own = |key: &str| self.get(key).map(str::to_owned);
        let (id, secret) = (own("aws_access_key_id")?, own("aws_secret_access_key")?);
        Some((id, secret, own("aws_session_token")))
    }

    /// How it signs in, where it does; keys of its own go before a program, as everywhere else.
    ///
    /// # Errors
    /// When it is in a file that the remote's settings name: those may be somebody else's, and a profile can name a program to run.
    pub fn way(&self) -> Result<Option<Way>> {
        let found = WAYS.into_iter().find(|(key, _)| self.get(key).is_some());
        let goes_before = |way: Way| way != Way::Program || self.credentials().is_none();
        let Some((key, way)) = found.filter(|(_, way)| goes_before(*way)) else {
            return Ok(None);
        };
        if self.is_users {
            return Ok(Some(way));
        }
        Err(Error::Setting {
            key: "configpath".to_owned(),
            why: format!(
                "profile `{}` there signs in by `{key}`, which only profiles in your own ~/.aws may do",
                self.name
            ),
        })
    }
}

/// The keys of a section of INI text into `keys`; true when there is such a section.
fn merge(text: &str, section: &str, keys: &mut BTreeMap<String, String>) -> bool {
    let (mut inside, mut there) = (false, false);
    for line in text.lines() {
        // Indented lines belong to a nested table such as `s3 =`.
        let nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            inside = name.trim() == section;
            there |= inside;
            continue;
        }
        if !inside || nested || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some((key, value)) = line.split_once('=') {
            keys.insert(key.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    there
}
