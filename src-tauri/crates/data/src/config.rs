//! DVC's configuration: INI files of system, user, project and machine, later ones winning key by key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lapwing_remote::Secret;

use crate::{Error, Result};

/// One remote of `.dvc/config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    pub name: String,
    /// As written, with relative local paths made absolute.
    pub url: String,
    pub default: bool,
    /// Everything that its section says. Some of it is secret.
    pub keys: BTreeMap<String, Secret>,
}

/// The merged configuration: section → key → value, names in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    sections: BTreeMap<String, BTreeMap<String, String>>,
}

impl Config {
    /// Reads all levels for the project at `root`; files that are not there count as empty.
    ///
    /// # Errors
    /// When one that is there cannot be read.
    pub fn read(root: &Path) -> Result<Self> {
        let mut config = Self::default();
        let own = root.join(".dvc");
        let user = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(".config")));
        let mut files = vec![PathBuf::from("/etc/xdg/dvc/config")];
        files.extend(user.map(|folder| folder.join("dvc/config")));
        files.extend([own.join("config"), own.join("config.local")]);
        for file in files {
            match fs_err::read_to_string(&file) {
                Ok(text) => config.merge(&text, file.parent().unwrap_or(Path::new("/"))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(config)
    }

    /// Lines over what is known; relative local addresses start from the file's own folder.
    fn merge(&mut self, text: &str, folder: &Path) {
        let mut section = String::new();
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || line.starts_with(';') {
                continue;
            }
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                section = name.trim().trim_matches('\'').trim().to_owned();
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let (key, mut value) = (key.trim().to_lowercase(), unquote(value.trim()).to_owned());
            let is_path = (section.starts_with("remote ") && key == "url")
                || (section == "cache" && key == "dir");
            if is_path && !value.contains("://") && !Path::new(&value).is_absolute() {
                value = clean(&folder.join(&value)).display().to_string();
            }
            self.sections
                .entry(section.clone())
                .or_default()
                .insert(key, value);
        }
    }

    /// The value of `section.key`.
    #[must_use]
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.sections.get(section)?.get(key).map(String::as_str)
    }

    /// All remotes by name.
    #[must_use]
    pub fn remotes(&self) -> Vec<Remote> {
        let default = self.get("core", "remote");
        self.sections
            .iter()
            .filter_map(|(section, keys)| {
                let name = section
                    .strip_prefix("remote ")?
                    .trim()
                    .trim_matches('"')
                    .to_owned();
                Some(Remote {
                    default: default == Some(name.as_str()),
                    url: keys.get("url")?.clone(),
                    keys: keys
                        .iter()
                        .map(|(key, value)| (key.clone(), Secret::new(value)))
                        .collect(),
                    name,
                })
            })
            .collect()
    }
}

fn unquote(text: &str) -> &str {
    let quoted = |mark: char| text.len() >= 2 && text.starts_with(mark) && text.ends_with(mark);
    if quoted('"') || quoted('\'') {
        text.get(1..text.len() - 1).unwrap_or(text)
    } else {
        text
    }
}

/// Without `.` and `..`, as far as the text alone tells.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                out.pop();
            }
            std::path::Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// Adds or replaces a remote in the text of a configuration file.
#[must_use]
pub(crate) fn with_remote(text: &str, name: &str, url: &str, default: bool) -> String {
    let out = if default {
        with_default(text, name)
    } else {
        text.to_owned()
    };
    // Settings beside the address stay: `jobs`, credentials, a profile.
    with_setting(&out, name, "url", url)
}

/// Sets one key in the section of a remote, which is made where there is none.
#[must_use]
pub(crate) fn with_setting(text: &str, name: &str, key: &str, value: &str) -> String {
    with_key(text, &format!("remote \"{name}\""), key, value)
}

/// Sets one key in a section, which is made where there is none.
#[must_use]
pub(crate) fn with_key(text: &str, header: &str, key: &str, value: &str) -> String {
    let is_header = |line: &String| section(line).is_some_and(|found| found == header);
    let mut lines: Vec<String> = without_key(text, header, key);
    let line = format!("    {key} = {value}");
    match lines.iter().position(is_header) {
        Some(index) => lines.insert(index + 1, line),
        None if header.contains('"') => lines.extend([format!("['{header}']"), line]),
        None => lines.extend([format!("[{header}]"), line]),
    }
    lines.join("\n") + "\n"
}

/// The name of the section that a line begins.
fn section(line: &str) -> Option<&str> {
    let inner = line.trim().strip_prefix('[')?.strip_suffix(']')?;
    Some(inner.trim().trim_matches('\'').trim())
}

/// Refuses what would become another line or section of the file.
pub(crate) fn check_remote(name: &str, url: &str) -> Result<()> {
    let bad_name = name.is_empty()
        || name.trim() != name
        || name.contains(['"', '\'', '[', ']', '=', '#', ';', '%'])
        || name.chars().any(char::is_control);
    if bad_name {
        return Err(Error::BadRemote(format!(
            "`{name}` is no name for a remote"
        )));
    }
    if url.trim().is_empty() || url.chars().any(char::is_control) {
        return Err(Error::BadRemote(format!("`{url}` is no address")));
    }
    Ok(())
}

/// Keys whose values are secret: they do not belong into a file that is shared.
const SECRET: [&str; 9] = [
    "secret_access_key",
    "session_token",
    "sse_customer_key",
    "password",
    "passphrase",
    "account_key",
    "sas_token",
    "connection_string",
    "client_secret",
];

/// Refuses a setting that would become another line of the file, or a secret that everybody would read.
pub(crate) fn check_setting(key: &str, value: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if key.is_empty() || !key.chars().all(plain) || value.chars().any(char::is_control) {
        return Err(Error::BadRemote(format!(
            "`{key}` is no setting of a remote"
        )));
    }
    if SECRET.contains(&key.to_ascii_lowercase().as_str()) {
        return Err(Error::SecretSetting(key.to_owned()));
    }
    Ok(())
}

fn with_default(text: &str, name: &str) -> String {
    let mut lines: Vec<String> = without_key(text, "core", "remote");
    match lines.iter().position(|line| line.trim() == "[core]") {
        Some(index) => lines.insert(index + 1, format!("    remote = {name}")),
        None => {
            lines.insert(0, "[core]".to_owned());
            lines.insert(1, format!("    remote = {name}"));
        }
    }
    lines.join("\n") + "\n"
}

fn without_key(text: &str, wanted: &str, key: &str) -> Vec<String> {
    let mut current = String::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some(name) = section(line) {
            name.clone_into(&mut current);
        }
        let is_key = line
            .split_once('=')
            .is_some_and(|(name, _)| name.trim() == key);
        if !(current == wanted && is_key) {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// The text without that remote's section, and without a default that names it.
#[must_use]
pub(crate) fn without_remote(text: &str, name: &str) -> String {
    let header = format!("remote \"{name}\"");
    let mut skipping = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim().starts_with('[') {
            skipping = line.trim().trim_matches(['[', ']']).trim_matches('\'') == header;
        }
        let is_default = line
            .split_once('=')
            .is_some_and(|(key, value)| key.trim() == "remote" && value.trim() == name);
        if !skipping && !is_default {
            lines.push(line);
        }
    }
    let mut out = lines.join("\n");
    if !out.is_empty() {
        out.push('\n');
    }
    out
}
