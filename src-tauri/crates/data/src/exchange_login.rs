//! Who one is at a git remote, and what it means when one is not let in.

use git2::{Config, Cred, CredentialType, ErrorClass, ErrorCode, RemoteCallbacks, Repository};
use lapwing_remote::Credential;

use crate::Error;

/// Whose settings may name programs to start: `core.sshCommand` and credential helpers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Settings {
    /// The user's and the system's. What somebody else put into a folder's `.git/config` starts nothing.
    #[default]
    User,
    /// The repository's as well.
    Repository,
}

/// How a git remote is reached.
#[derive(Debug, Clone, Default)]
pub struct Access {
    pub settings: Settings,
    /// Comes before the credential helpers; ssh has its own keys.
    pub credential: Option<Credential>,
}

/// What one exchange needs to be let in.
pub(crate) struct Connecting {
    config: Config,
    credential: Option<Credential>,
}

impl Connecting {
    pub fn new(repository: &Repository, access: &Access) -> Result<Self, Error> {
        match access.settings {
            Settings::User => Self::of_user(access),
            Settings::Repository => Ok(Self {
                config: repository.config()?,
                credential: access.credential.clone(),
            }),
        }
    }

    pub fn of_user(access: &Access) -> Result<Self, Error> {
        Ok(Self {
            config: Config::open_default()?,
            credential: access.credential.clone(),
        })
    }

    /// From git's settings.
    pub fn ssh_command(&self) -> Option<String> {
        self.config.get_string("core.sshCommand").ok() // Not set: the usual one.
    }

    /// Each way is tried once: libgit2 asks again after every refusal, without end.
    pub fn callbacks(&self) -> RemoteCallbacks<'_> {
        let mut ways = [Way::Given, Way::Helper, Way::Platform].into_iter();
        let mut callbacks = RemoteCallbacks::new();
        callbacks.credentials(move |url, user, allowed| {
            ways.by_ref()
                .find_map(|way| self.credential(way, url, user, allowed))
                .unwrap_or_else(|| {
                    Err(git2::Error::new(
                        ErrorCode::Auth,
                        ErrorClass::Callback,
                        "no credential was accepted",
                    ))
                })
        });
        callbacks
    }

    /// `None` where that way leads nowhere.
    fn credential(
        &self,
        way: Way,
        url: &str,
        user: Option<&str>,
        allowed: CredentialType,
    ) -> Option<Result<Cred, git2::Error>> {
        let password = allowed.contains(CredentialType::USER_PASS_PLAINTEXT);
        match way {
            Way::Given => {
                let known = self.credential.as_ref().filter(|_| password)?;
                // Where a token stands alone, the forges take any name beside it.
                let user = known.user.as_deref().or(user).unwrap_or("git");
                Some(Cred::userpass_plaintext(user, known.secret.reveal()))
            }
            Way::Helper if password => Cred::credential_helper(&self.config, url, user)
                .ok() // No helper knows it.
                .map(Ok),
            Way::Platform if allowed.contains(CredentialType::DEFAULT) => Some(Cred::default()),
            Way::Helper | Way::Platform => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Way {
    /// Kept by Lapwing.
    Given,
    /// git's credential helpers.
    Helper,
    /// What the platform offers by itself.
    Platform,
}

/// What a failed exchange with `url` means. `said` is what `ssh` said; it has one exit code for everything, so its English
/// text is all there is to go by (`ssh` is not translated).
pub(crate) fn explain(url: &str, error: &git2::Error, said: &str) -> Error {
    let url = url.to_owned();
    let has = |text: &str| said.contains(text);
    if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        return Error::GitHostKeyChanged { url };
    }
    if has("Host key verification failed") || has("host key is known for") {
        return Error::GitHostKeyUnknown { url };
    }
    if has("Permission denied (") || has("Too many authentication failures") {
        return Error::GitLogin { url };
    }
    match error.code() {
        ErrorCode::Auth => Error::GitLogin { url },
        ErrorCode::Certificate => Error::GitCertificate {
            url,
            why: error.message().to_owned(),
        },
        _ => Error::Unreached {
            url,
            why: last_lines(said).unwrap_or_else(|| error.message().to_owned()),
        },
    }
}

fn last_lines(said: &str) -> Option<String> {
    const LINES: usize = 3;
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let from = lines.len().saturating_sub(LINES);
    let last = lines.get(from..).unwrap_or_default().join(" ");
    (!last.is_empty()).then_some(last)
}
