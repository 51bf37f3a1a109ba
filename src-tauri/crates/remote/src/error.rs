//! What can go wrong with somebody else's server, told apart as far as a person can do something about it.

use lapwing_core::{Code, RemoteKind, Report};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Of credentials that a server refuses.
const OTHERS: &str =
    "give new ones with `lapwing remotes login NAME`, or correct them where they are";

/// Whether a request that was refused said who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    Nothing,
    Credential,
}

impl Sent {
    fn refused(self) -> &'static str {
        match self {
            Self::Nothing => "wants to know who you are",
            Self::Credential => "does not accept the credentials that were sent",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("storage of the kind {scheme} is not supported yet")]
    UnsupportedStorage { scheme: String },
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("`{address}` is no address: {why}")]
    Address { address: String, why: String },
    #[error("`{name}` cannot be used there: {why}")]
    Name { name: String, why: String },
    #[error("the name {host} cannot be found")]
    NameLookup { host: String },
    #[error("nothing listens at {at}")]
    Refused { at: String },
    #[error("{at} does not answer")]
    Silent { at: String },
    #[error("no safe connection to {at} can be made: {why}")]
    Tls { at: String, why: String },
    #[error("the connection to {url} broke off: {source}")]
    Broken { url: String, source: reqwest::Error },
    #[error("{url} {}", sent.refused())]
    Unauthorized { url: String, sent: Sent },
    #[error("{url} does not let you do this")]
    Forbidden { url: String, sent: Sent },
    #[error("{url} does not exist")]
    NotFound { url: String },
    #[error("{url} answered {status}: {message}")]
    Answered {
        url: String,
        status: u16,
        message: String,
    },
    #[error("{url} is no {}: {why}", kind.title())]
    WrongServer {
        url: String,
        kind: RemoteKind,
        why: String,
    },
    #[error("the clock here is {seconds} s away from the clock of {at}")]
    Clock { at: String, seconds: i64 },
    #[error("{what} arrived with the digest {found}, not {expected}")]
    Digest {
        what: String,
        expected: String,
        found: String,
    },
    #[error("{url} sent something that cannot be read: {why}")]
    Unreadable { url: String, why: String },
    #[error("the keychain cannot be used: {0}")]
    Keychain(#[source] keyring::Error),
    #[error("there is no program `ssh`: {0}")]
    NoSsh(#[source] std::io::Error),
    #[error("{host} cannot be reached by ssh: {why}")]
    Ssh {
        host: String,
        by_hand: String,
        why: String,
    },
    #[error("{host} does not accept the credentials: none of your keys is known there")]
    SshKey { host: String, by_hand: String },
    #[error("{host} has never been connected to: its host key is not known here")]
    HostKeyUnknown { host: String, by_hand: String },
    #[error("the host key of {host} has changed since the last connection")]
    HostKeyChanged { host: String },
    #[error("the connection to {url} broke off: {why}")]
    Cut { url: String, why: String },
    #[error("{url} does not accept the credentials: {why}")]
    Refusal { url: String, why: String },
    #[error("there is no bucket or container at {url}")]
    NoBucket { url: String },
    #[error("{url} is not where the bucket is")]
    Elsewhere { url: String },
    #[error("there are no credentials for {service}")]
    NoCredentials {
        service: &'static str,
        looked: &'static str,
    },
    #[error("the profile `{profile}` of AWS does not sign in {how}: {why}")]
    SignIn {
        profile: String,
        how: &'static str,
        /// What a person can run, with the profile's name.
        then: String,
        why: String,
    },
    #[error("the remote's setting `{key}` cannot be used: {why}")]
    Setting { key: String, why: String },
    /// A login of its own makes it good.
    #[error("the remote's setting `{key}` cannot be used: {why}")]
    NoLoginFor { key: String, why: String },
    #[error("there is no folder {path}")]
    NoFolder { path: std::path::PathBuf },
    #[error("the transfer was stopped")]
    Stopped,
}

impl Error {
    /// Code, stable name, one sentence, and a next step where one is known.
    #[must_use]
    pub fn report(&self) -> Report {
        let (code, name, hint) = self.parts();
        let report = Report::new(code, name, self.to_string());
        if let Some(hint) = self.own_hint() {
            return report.hint(hint);
        }
        if hint.is_empty() {
            return report;
        }
        report.hint(hint)
    }

    /// A next step with names in it.
    fn own_hint(&self) -> Option<String> {
        if let Self::NoCredentials { looked, .. } = self {
            return Some(format!("none were found in {looked}"));
        }
        if let Self::SignIn { then, .. } = self {
            return Some(then.clone());
        }
        if let Self::SshKey { by_hand, .. } = self {
            return Some(format!(
                "try `{by_hand}`: it must let you in; a key with a passphrase needs ssh-agent"
            ));
        }
        if let Self::HostKeyUnknown { by_hand, .. } = self {
            return Some(format!(
                "run `{by_hand}` once, and compare the fingerprint that it shows"
            ));
        }
        if let Self::Ssh { by_hand, .. } = self {
            return Some(format!("see whether `{by_hand}` works"));
        }
        None
    }

    /// Whether it is worth another try by itself.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Broken { .. } | Self::Cut { .. } | Self::Silent { .. } | Self::Refused { .. } => {
                true
            }
            Self::Answered { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            Self::UnsupportedStorage { .. }
            | Self::Io(_)
            | Self::Address { .. }
            | Self::Name { .. }
            | Self::NameLookup { .. }
            | Self::Tls { .. }
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::WrongServer { .. }
            | Self::Clock { .. }
            | Self::Digest { .. }
            | Self::Unreadable { .. }
            | Self::Keychain(_)
            | Self::NoSsh(_)
            | Self::Ssh { .. }
            | Self::SshKey { .. }
            | Self::HostKeyUnknown { .. }
            | Self::HostKeyChanged { .. }
            | Self::Refusal { .. }
            | Self::NoBucket { .. }
            | Self::Elsewhere { .. }
            | Self::NoCredentials { .. }
            | Self::SignIn { .. }
            | Self::Setting { .. }
            | Self::NoLoginFor { .. }
            | Self::NoFolder { .. }
            | Self::Stopped => false,
        }
    }

    fn parts(&self) -> (Code, &'static str, &'static str) {
        match self {
            Self::UnsupportedStorage { .. } => (Code::Missing, "remote.unsupported", ""),
            Self::Io(_) => (Code::Failed, "remote.io", ""),
            Self::Address { .. } => (
                Code::Invalid,
                "remote.address",
                "write it as https://host:port, ssh://user@host, s3://bucket/folder or a path",
            ),
            Self::Name { .. } => (Code::Invalid, "remote.bad_name", "choose another name"),
            Self::NameLookup { .. } => (
                Code::Missing,
                "remote.name_lookup",
                "check the spelling of the address, the network and the VPN",
            ),
            Self::Refused { .. } => (
                Code::Missing,
                "remote.refused_connection",
                "check that the server runs and that the port is right",
            ),
            Self::Silent { .. } => (
                Code::Missing,
                "remote.silent",
                "a firewall or a VPN may be in between, or the server is overloaded",
            ),
            Self::Tls { .. } => (
                Code::Missing,
                "remote.tls",
                "check that the address begins with the right http:// or https://, and that the certificate is valid and known to this machine",
            ),
            Self::Broken { .. } => (
                Code::Missing,
                "remote.broken",
                "try again: what has arrived is kept",
            ),
            Self::Unauthorized {
                sent: Sent::Nothing,
                ..
            } => (
                Code::Failed,
                "remote.not_signed_in",
                "no credentials were sent: sign in with `lapwing remotes login NAME`",
            ),
            Self::Unauthorized {
                sent: Sent::Credential,
                ..
            } => (Code::Failed, "remote.unauthorized", OTHERS),
            Self::Forbidden {
                sent: Sent::Nothing,
                ..
            } => (
                Code::Failed,
                "remote.forbidden",
                "no credentials were sent: if it knows you, sign in with `lapwing remotes login NAME`",
            ),
            Self::Forbidden {
                sent: Sent::Credential,
                ..
            } => (
                Code::Failed,
                "remote.forbidden",
                "the credentials are known there but may not do this: ask for the right, or use others with `lapwing remotes login NAME`",
            ),
            Self::NotFound { .. } => (Code::NotFound, "remote.not_found", ""),
            Self::Answered { .. } => (Code::Failed, "remote.answered", ""),
            Self::WrongServer { .. } => (
                Code::Invalid,
                "remote.wrong_server",
                "check the address, its path and the kind",
            ),
            Self::Clock { .. } => (
                Code::Missing,
                "remote.clock",
                "set the clock of this machine: signatures and certificates depend on it",
            ),
            Self::Digest { .. } => (
                Code::Failed,
                "remote.digest",
                "nothing of it was kept: try again, and tell whoever runs the server if it stays so",
            ),
            Self::Unreadable { .. } => (Code::Failed, "remote.unreadable", ""),
            Self::Keychain(_) => (
                Code::Missing,
                "remote.keychain",
                "unlock the keychain, or set LAPWING_KEYCHAIN=off to keep secrets in a file that only you can read",
            ),
            Self::Cut { .. } => (
                Code::Missing,
                "remote.broken",
                "try again: what has arrived is kept",
            ),
            Self::Refusal { .. } => (Code::Failed, "remote.unauthorized", OTHERS),
            Self::NoBucket { .. } => (
                Code::NotFound,
                "remote.no_bucket",
                "check its name and the endpoint, or make it first",
            ),
            Self::Elsewhere { .. } => (
                Code::Invalid,
                "remote.region",
                "set the region of the bucket: `dvc remote modify NAME region REGION`, or `lapwing remotes add` with `-o region=REGION`",
            ),
            Self::NoCredentials { .. } => (Code::Failed, "remote.no_credentials", ""),
            Self::SignIn { .. } => (Code::Failed, "remote.sign_in", ""),
            Self::Setting { .. } | Self::NoLoginFor { .. } => (
                Code::Invalid,
                "remote.setting",
                "it is in .dvc/config, .dvc/config.local or DVC's own configuration",
            ),
            Self::NoFolder { .. } => (
                Code::NotFound,
                "remote.no_folder",
                "check the path, and that its disk is mounted",
            ),
            Self::Stopped => (
                Code::Failed,
                "remote.stopped",
                "start it again: what has arrived is kept",
            ),
            Self::NoSsh(_) => (Code::Missing, "remote.no_ssh", "install an OpenSSH client"),
            Self::Ssh { .. } => (Code::Missing, "remote.ssh", ""),
            Self::SshKey { .. } => (Code::Failed, "remote.unauthorized", ""),
            Self::HostKeyUnknown { .. } => (Code::Missing, "remote.host_key_unknown", ""),
            Self::HostKeyChanged { .. } => (
                Code::Missing,
                "remote.host_key_changed",
                "somebody may be listening in; ask its administrator before you remove the old key from ~/.ssh/known_hosts",
            ),
        }
    }
}
