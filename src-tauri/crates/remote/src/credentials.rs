//! Where credentials lie: the keychain of the operating system, or a file that only its owner can read.
//!
//! Which of the two is said by [`Place`], so that the faces can tell. The file is chosen where there is no keychain (a
//! machine without a desktop session), and where `LAPWING_KEYCHAIN=off` asks for it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::secret::{Credential, Secret};
use crate::{Error, Result};

/// The name under which the keychain lists our entries.
const SERVICE: &str = "Lapwing";

/// Where a credential was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Keychain,
    File(PathBuf),
}

/// The credentials of one workspace.
#[derive(Debug, Clone)]
pub struct Vault {
    file: PathBuf,
    /// Tells workspaces apart in the one keychain of a user.
    scope: String,
    keychain: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept(BTreeMap<String, Credential>);

impl Vault {
    /// The vault of the workspace at `root`. `keychain` is false where the user does not want it.
    #[must_use]
    pub fn of(root: &Path, keychain: bool) -> Self {
        Self {
            file: root.join("credentials.json"),
            scope: root.display().to_string(),
            keychain: keychain && keyring::Entry::store_status().is_ok(),
        }
    }

    /// Where [`Vault::keep`] puts things.
    #[must_use]
    pub fn place(&self) -> Place {
        if self.keychain {
            Place::Keychain
        } else {
            Place::File(self.file.clone())
        }
    }

    /// Keeps the credential of a remote, instead of one that was there.
    ///
    /// # Errors
    /// When the keychain is locked, or the file cannot be written.
    pub fn keep(&self, remote: &str, credential: &Credential) -> Result<Place> {
        if self.keychain {
            let text = encode(credential)?;
            self.entry(remote)?
                .set_password(&text)
                .map_err(Error::Keychain)?;
            self.change(|kept| kept.0.remove(remote).is_some())?;
        } else {
            self.change(|kept| {
                kept.0.insert(remote.to_owned(), credential.clone());
                true
            })?;
        }
        Ok(self.place())
    }

    /// The credential of a remote, where one is kept.
    ///
    /// # Errors
    /// When the keychain is locked, or the file cannot be read.
    pub fn get(&self, remote: &str) -> Result<Option<Credential>> {
        if self.keychain {
            match self.entry(remote)?.get_password() {
                Ok(text) => return decode(&text).map(Some),
                Err(keyring::Error::NoEntry) => {}
                Err(error) => return Err(Error::Keychain(error)),
            }
        }
        Ok(self.read()?.0.remove(remote))
    }

    /// Forgets the credential of a remote, wherever it is.
    ///
    /// # Errors
    /// When the keychain is locked, or the file cannot be written.
    pub fn forget(&self, remote: &str) -> Result<()> {
        if self.keychain {
            match self.entry(remote)?.delete_credential() {
                Ok(()) | Err(keyring::Error::NoEntry) => {}
                Err(error) => return Err(Error::Keychain(error)),
            }
        }
        self.change(|kept| kept.0.remove(remote).is_some())
    }

    fn entry(&self, remote: &str) -> Result<keyring::Entry> {
        keyring::Entry::new(SERVICE, &format!("{remote} in {}", self.scope))
            .map_err(Error::Keychain)
    }

    fn read(&self) -> Result<Kept> {
        match fs_err::read(&self.file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| Error::Unreadable {
                url: self.file.display().to_string(),
                why: at(&error),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Kept::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Under a lock, so that two programs do not lose each other's change. `change` says whether there was any.
    fn change(&self, change: impl FnOnce(&mut Kept) -> bool) -> Result<()> {
        if !self.file.exists() && self.keychain {
            return Ok(());
        }
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        fs_err::create_dir_all(folder)?;
        let lock = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.file.with_extension("lock"))?
            .into_file();
        lock.lock()?;
        let mut kept = self.read()?;
        if !change(&mut kept) {
            return Ok(());
        }
        // A temporary file is readable by its owner only from the start, and keeps that when it gets its name.
        let mut part = tempfile::NamedTempFile::new_in(folder)?;
        part.write_all(
            &serde_json::to_vec_pretty(&kept).map_err(|error| Error::Unreadable {
                url: self.file.display().to_string(),
                why: at(&error),
            })?,
        )?;
        part.as_file().sync_all()?;
        part.persist(&self.file).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Where in the text, never what: the text holds secrets.
fn at(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

fn encode(credential: &Credential) -> Result<String> {
    serde_json::to_string(credential).map_err(|error| Error::Unreadable {
        url: "the credential".to_owned(),
        why: at(&error),
    })
}

/// An entry that a person made by hand in the keychain is the secret itself.
fn decode(text: &str) -> Result<Credential> {
    Ok(serde_json::from_str(text).unwrap_or_else(|_| Credential {
        user: None,
        secret: Secret::new(text),
    }))
}
