//! Connections.

use clap::{Args, Subcommand};
use lapwing_core::RemoteKind;

#[derive(Debug, Subcommand)]
pub enum Remotes {
    /// The project's, your own, and those that other programs on this machine know.
    List,
    /// Name a connection. An https:// address is asked what it is.
    Add {
        /// What it is called from now on.
        name: String,
        /// A path, s3://bucket/folder, https://server, ssh://user@host, …
        address: String,
        /// What answers there, when the address does not say: mlflow, hugging-face, oci, storage, …
        #[arg(short, long)]
        kind: Option<RemoteKind>,
        /// Use it where data is pushed and none is named.
        #[arg(short, long)]
        default: bool,
        #[command(flatten)]
        login: Credentials,
        /// A setting of its kind, such as namespace=ml. Can be given again.
        #[arg(short, long = "option", value_name = "KEY=VALUE", value_parser = key_value)]
        options: Vec<(String, String)>,
    },
    /// Bring runs, artifacts and model versions to the same state here and at an MLflow server. A second time moves nothing.
    Sync {
        /// The MLflow server.
        name: String,
        /// Another experiment than the project's. Can be given again.
        #[arg(short, long = "experiment", value_name = "EXPERIMENT")]
        experiments: Vec<String>,
    },
    /// Keep a password or token for a remote, in the keychain.
    Login {
        /// The remote; `git:NAME` where one of git and a storage share it.
        name: String,
        #[command(flatten)]
        login: Credentials,
    },
    /// Say whether a remote can be reached and lets you in, and if not, why.
    Test {
        /// The remote.
        name: String,
    },
    /// Forget a connection and its credential. What lies there stays.
    Remove {
        /// The remote.
        name: String,
    },
}

/// Secrets are never arguments: other users of a machine can read those.
#[derive(Debug, Args)]
pub struct Credentials {
    /// User, or access key; without it the secret is a token.
    #[arg(short, long)]
    pub user: Option<String>,
    /// Read the password, token or secret key from standard input.
    #[arg(long)]
    pub secret_stdin: bool,
}

/// `key=value` of an option.
fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}
