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
    pub kept: Option<Kept>,
}

/// A credential, and the address that it is for.
#[derive(Debug, Clone)]
pub struct Kept {
    pub credential: Credential,
    pub server: String,
}

/// What one exchange needs to be let in.
pub(crate) struct Connecting {
    config: Config,
    kept: Option<Kept>,
}

impl Connecting {
    pub fn new(repository: &Repository, access: &Access) -> Result<Self, Error> {
        match access.settings {
            Settings::User => Self::of_user(access),
            Settings::Repository => Ok(Self {
                config: repository.config()?,
                kept: access.kept.clone(),
            }),
        }
    }

    pub fn of_user(access: &Access) -> Result<Self, Error> {
        Ok(Self {
            config: Config::open_default()?,
            kept: access.kept.clone(),
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
                let kept = self.kept.as_ref().filter(|_| password)?;
                // A redirect, or an address to push to, may lead to somebody else.
                if !is_same_server(&kept.server, url) {
                    return None;
                }
                let known = &kept.credential;
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

/// Whether `asking` is the server of `known`, by scheme, host and port.
fn is_same_server(known: &str, asking: &str) -> bool {
    let parts = |url: &str| {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split('/').next()?;
        let host = authority.rsplit('@').next()?;
        Some((scheme.to_lowercase(), host.to_lowercase()))
    };
    match (parts(known), parts(asking)) {
        (Some(known), Some(asking)) => known == asking,
        _ => false,
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

#[cfg(test)]
mod server_tests {
    use super::is_same_server;

    #[test]
    fn a_kept_credential_is_for_its_own_server() {
        let known = "https://ada@forge.example:8443/team/x.git";
        assert!(is_same_server(
            known,
            "https://FORGE.example:8443/team/x.git/info/refs"
        ));
        for other in [
            "http://forge.example:8443/team/x.git",
            "https://forge.example/team/x.git",
            "https://forge.example:8443@evil.example/x",
            "forge.example:team/x.git",
        ] {
            assert!(!is_same_server(known, other), "{other}");
        }
    }
}
