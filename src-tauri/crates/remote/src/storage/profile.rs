//! The files of the AWS command line: `~/.aws/credentials` and `~/.aws/config`, read as boto reads them.

use std::collections::BTreeMap;

use super::Settings;
use crate::{Error, Result};

/// What both files say about one profile, the credentials file first.
#[derive(Default)]
pub(super) struct Profile {
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
            return Err(settings.bad(
                "profile",
                &format!(
                    "neither {} nor {} has a profile `{name}`",
                    secrets.display(),
                    config.display()
                ),
            ));
        }
        Ok(Self { keys })
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(String::as_str)
    }

    /// Key, secret key and session token.
    ///
    /// # Errors
    /// When the profile gets them in a way that only the AWS command line knows.
    pub fn credentials(&self) -> Result<Option<(String, String, Option<String>)>> {
        let own = |key: &str| self.get(key).map(str::to_owned);
        if let (Some(id), Some(secret)) = (own("aws_access_key_id"), own("aws_secret_access_key")) {
            return Ok(Some((id, secret, own("aws_session_token"))));
        }
        let theirs = [
            "sso_session",
            "sso_start_url",
            "credential_process",
            "role_arn",
        ];
        match theirs.into_iter().find(|key| self.get(key).is_some()) {
            None => Ok(None),
            Some(key) => Err(Error::Setting {
                key: "profile".to_owned(),
                why: format!(
                    "it signs in by `{key}`, which is not supported: put the keys into the environment with `aws configure export-credentials --format env`"
                ),
            }),
        }
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
