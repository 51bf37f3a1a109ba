//! What DVC's configuration says about a remote, and where else credentials may come from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::secret::{Credential, Secret};
use crate::{Error, Result};

/// The environment of the user, handed in.
#[derive(Clone, Default)]
pub struct Around {
    pub home: PathBuf,
    pub variables: BTreeMap<String, String>,
}

impl Around {
    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// Whether this machine says that it is one of that cloud's: only then its metadata service is asked.
    pub(super) fn is_machine_of(vendor: &str) -> bool {
        std::fs::read_to_string("/sys/class/dmi/id/sys_vendor")
            .is_ok_and(|text| text.contains(vendor)) // Not there: no such machine.
    }
}

/// Variables hold secrets.
impl fmt::Debug for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Around(…)")
    }
}

/// An address, what `.dvc/config` and `.dvc/config.local` say about it, and our own credential for it.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    address: String,
    keys: BTreeMap<String, Secret>,
    credential: Option<Credential>,
    around: Around,
}

/// Set for every kind; none of them changes what is stored.
const COMMON: [&str; 8] = [
    "url",
    "jobs",
    "checksum_jobs",
    "verify",
    "read_timeout",
    "connect_timeout",
    "timeout",
    "listobjects",
];

impl Settings {
    /// Of an address alone.
    #[must_use]
    pub fn of(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            ..Self::default()
        }
    }

    /// With the keys of DVC's section for it.
    #[must_use]
    pub fn keys(mut self, keys: BTreeMap<String, Secret>) -> Self {
        self.keys = keys;
        self
    }

    /// With a credential that goes before every other.
    #[must_use]
    pub fn credential(mut self, credential: Option<Credential>) -> Self {
        self.credential = credential;
        self
    }

    /// In that environment.
    #[must_use]
    pub fn around(mut self, around: Around) -> Self {
        self.around = around;
        self
    }

    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn own(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    pub(super) fn surroundings(&self) -> &Around {
        &self.around
    }

    /// A key that is set and not empty.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let value = self.keys.get(key)?.reveal();
        (!value.is_empty()).then_some(value)
    }

    /// The value of a key, or of the first variable that is set.
    pub(super) fn get_or(&self, key: &str, variables: &[&str]) -> Option<String> {
        let variable = || variables.iter().find_map(|name| self.around.variable(name));
        self.get(key).or_else(variable).map(str::to_owned)
    }

    /// The first variable that is set.
    pub(super) fn around_or(&self, variables: &[&str]) -> Option<String> {
        let first = variables.iter().find_map(|name| self.around.variable(name));
        first.map(str::to_owned)
    }

    pub(super) fn flag(&self, key: &str, otherwise: bool) -> Result<bool> {
        match self.get(key).map(str::to_lowercase).as_deref() {
            None => Ok(otherwise),
            Some("true" | "yes" | "on" | "1") => Ok(true),
            Some("false" | "no" | "off" | "0") => Ok(false),
            Some(_) => Err(self.bad(key, "it is neither true nor false")),
        }
    }

    /// A path of the user, with `~` understood.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        match text.strip_prefix("~/") {
            Some(rest) => self.around.home.join(rest),
            None => Path::new(text).to_owned(),
        }
    }

    pub(super) fn bad(&self, key: &str, why: &str) -> Error {
        Error::Setting {
            key: key.to_owned(),
            why: why.to_owned(),
        }
    }

    /// The server that `key` names gets none of the user's logins for others.
    pub(super) fn no_login_for(&self, key: &str, why: &str) -> Error {
        Error::NoLoginFor {
            key: key.to_owned(),
            why: why.to_owned(),
        }
    }

    /// Refuses every key that is not in `known`: what is not understood could change what is stored.
    pub(super) fn only(&self, known: &[&str]) -> Result<()> {
        for key in self.keys.keys() {
            let (key, set) = (key.as_str(), self.get(key).unwrap_or_default());
            let off = set.is_empty() || set.eq_ignore_ascii_case("false");
            if off || COMMON.contains(&key) || known.contains(&key) {
                continue;
            }
            return Err(match key {
                "version_aware" | "worktree" => self.bad(
                    key,
                    "a remote that keeps files under their own names is not supported",
                ),
                _ => self.bad(key, "it is not supported for this kind of storage"),
            });
        }
        Ok(())
    }
}

/// `container/path` behind the scheme, split.
pub(super) fn bucket(address: &str) -> Result<(String, String)> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() || bucket.contains(['@', ':', '?', '#', ' ']) {
        return Err(Error::Address {
            address: hidden(address),
            why: "it names no bucket".to_owned(),
        });
    }
    Ok((bucket.to_owned(), prefix.trim_matches('/').to_owned()))
}

/// An address without what stands before an `@`, and without a query.
fn hidden(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.split('?').next().unwrap_or_default();
    format!("{scheme}://{rest}")
}
