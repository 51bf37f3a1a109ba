//! Named connections: the project's storage (`.dvc/config`), the user's own, and those that other programs know.
//!
//! Credentials are kept apart from all of them, in [`lapwing_remote::Vault`]; nothing here puts one into an answer.

mod machine;
mod options;
mod resolve;
mod test;

use std::collections::BTreeMap;

use lapwing_core::{Code, RemoteKind, Report, Timestamp};
use lapwing_remote::{Client, Credential, Place, Secret, Settings, Storage, check};
use lapwing_store::remotes as table;

pub(crate) use machine::Machine;
pub(crate) use resolve::{
    Connection, connection, connection_for, hugging_face_cache, of_data, of_git,
};

use crate::error::Reported as _;
use crate::wire::{
    AddRemote, Hidden, LoginRemote, Nothing, RemoteAdded, RemoteHealth, RemoteOrigin, RemoteRef,
    RemoteRow, RemotesOf,
};
use crate::{App, projects};

/// Kinds that something can be done with today.
const USEFUL: [RemoteKind; 12] = [
    RemoteKind::Storage,
    RemoteKind::Git,
    RemoteKind::Mlflow,
    RemoteKind::HuggingFace,
    RemoteKind::Oci,
    RemoteKind::Ssh,
    RemoteKind::Slurm,
    RemoteKind::Docker,
    RemoteKind::Kubernetes,
    RemoteKind::Ray,
    RemoteKind::Airflow,
    RemoteKind::Kubeflow,
];
/// Kinds that an `https://` address may stand for, the most telling first.
const SPEAKING_HTTP: [RemoteKind; 6] = [
    RemoteKind::Mlflow,
    RemoteKind::Oci,
    RemoteKind::HuggingFace,
    RemoteKind::Ray,
    RemoteKind::Airflow,
    RemoteKind::Kubeflow,
];

/// All remotes: the project's, the user's, and those found in other programs' files.
///
/// # Errors
/// When the folder is no project, or the workspace cannot be read.
pub fn list(app: &App, input: RemotesOf) -> Result<Vec<RemoteRow>, Report> {
    let all = resolve::all(app, input.project.as_deref())?;
    let called = resolve::called(&all);
    all.into_iter()
        .zip(called)
        .map(|(connection, called)| {
            Ok(RemoteRow {
                called,
                signed_in: resolve::credential(app, &connection)?.map(|known| known.place),
                supported: USEFUL.contains(&connection.kind) && supported(&connection),
                name: connection.name,
                kind: connection.kind,
                url: connection.address,
                default: connection.default,
                origin: connection.origin,
            })
        })
        .collect()
}

fn supported(connection: &Connection) -> bool {
    connection.kind != RemoteKind::Storage || lapwing_remote::Storage::supports(&connection.address)
}

/// Adds a remote, or changes the one of that name. An `https://` address without a kind is asked what it is.
///
/// # Errors
/// When the name or the address cannot be used, or it cannot be told what the address is.
pub fn add(app: &App, input: AddRemote) -> Result<RemoteAdded, Report> {
    check_name(&input.name)?;
    let address = input.url.trim().to_owned();
    let given = credential_of(input.user, input.secret);
    let kind = match input.kind.or_else(|| guess(&address)) {
        Some(kind) => kind,
        None => ask(app, &address, given.clone())?,
    };
    if let Some(credential) = &given {
        usable(kind, &address, credential)?;
    }
    let called = format!("{kind}:{}", input.name);
    // Not known yet: nothing is replaced.
    let before = connection(app, input.project.as_deref(), &called).ok();
    match (kind, &input.project) {
        (RemoteKind::Storage, Some(project)) => {
            let settings = input.options.into_iter().collect();
            add_storage(project, &input.name, &address, input.default, &settings)?;
        }
        (RemoteKind::Storage, None) => {
            return Err(Report::new(
                Code::Invalid,
                "remote.no_project",
                "storage belongs to a project, and this folder is none",
            )
            .hint("go to the project's folder, or make one with `lapwing init`"));
        }
        (RemoteKind::Git, _) => {
            return Err(
                Report::new(Code::Invalid, "remote.git", "git keeps its own remotes").hint(
                    format!(
                        "add it with `git remote add {} {address}`: Lapwing lists and uses it",
                        input.name
                    ),
                ),
            );
        }
        (kind, _) => {
            let address = resolve::normal(kind, &address)?;
            let options = input.options.into_iter().collect();
            options::check(kind, &options)?;
            table::put(
                app.store(),
                table::Remote {
                    name: input.name.clone(),
                    kind,
                    address,
                    options,
                    added: Timestamp::now(),
                },
            )
            .reported()?;
        }
    }
    let place = match given {
        Some(credential) => {
            let found = connection(app, input.project.as_deref(), &called)?;
            Some(keep(app, &found, &credential)?)
        }
        None => None,
    };
    let now = connection(app, input.project.as_deref(), &called)?;
    let replaced = before.map(|before| before.address);
    Ok(RemoteAdded {
        kind,
        place,
        replaced: replaced.filter(|address| *address != now.address),
    })
}

/// Nothing is written when one part of it cannot be.
fn add_storage(
    project: &str,
    name: &str,
    address: &str,
    default: bool,
    settings: &BTreeMap<String, String>,
) -> Result<(), Report> {
    if !lapwing_remote::Storage::supports(address) {
        let scheme = address.split("://").next().unwrap_or_default();
        return Err(Report::new(
            Code::Invalid,
            "remote.unsupported",
            format!("storage of the kind {scheme} is not supported"),
        )
        .hint("a path, s3://, gs://, azure://, ssh:// and https:// are; for other kinds use `dvc push`, the files are the same"));
    }
    let has_password = address
        .split_once("://")
        .and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'))
        .is_some_and(|(user, _)| user.contains(':'));
    if has_password {
        return Err(Report::new(
            Code::Invalid,
            "remote.address",
            "credentials do not belong into an address: .dvc/config is shared",
        )
        .hint(format!(
            "leave them out, then `lapwing remotes login {name}`"
        )));
    }
    check_settings(address, settings)?;
    projects::project(project)?
        .add_remote(name, address, default, settings)
        .reported()
}

/// Refuses what no transfer could honour; whether the storage answers is asked by a test of it.
fn check_settings(address: &str, settings: &BTreeMap<String, String>) -> Result<(), Report> {
    let keys: BTreeMap<String, Secret> = settings
        .iter()
        .map(|(key, value)| (key.to_ascii_lowercase(), Secret::new(value)))
        .collect();
    let given = keys.clone();
    let asked = Settings::of(address).keys(keys).around(resolve::around());
    match Storage::open(&asked) {
        Err(error @ lapwing_remote::Error::Address { .. }) => Err(error.report()),
        Err(lapwing_remote::Error::Setting { key, why }) if given.contains_key(&key) => {
            let error = lapwing_remote::Error::Setting { key, why };
            Err(error.report().hint(
                "nothing was added; the settings are those of `dvc remote modify` for this kind of storage",
            ))
        }
        // What is around may change, and credentials may come later.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), Report> {
    let good = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.".contains(c));
    if good {
        return Ok(());
    }
    Err(Report::new(
        Code::Invalid,
        "remote.name",
        format!("`{name}` is no name for a remote: use letters, digits, - and _"),
    ))
}

/// What an address stands for, as far as it says so itself.
fn guess(address: &str) -> Option<RemoteKind> {
    let Some((scheme, rest)) = address.split_once("://") else {
        return Some(RemoteKind::Storage);
    };
    let has_path = rest.trim_end_matches('/').contains('/');
    match scheme {
        "http" | "https" if rest.trim_end_matches('/') == "huggingface.co" => {
            Some(RemoteKind::HuggingFace)
        }
        "http" | "https" => None,
        "ssh" if !has_path => Some(RemoteKind::Ssh),
        "oci" => Some(RemoteKind::Oci),
        "tcp" => Some(RemoteKind::Docker),
        "kube" => Some(RemoteKind::Kubernetes),
        "slurm" => Some(RemoteKind::Slurm),
        "ray" => Some(RemoteKind::Ray),
        _ => Some(RemoteKind::Storage),
    }
}

/// Asks a server of which kind it is.
fn ask(app: &App, address: &str, credential: Option<Credential>) -> Result<RemoteKind, Report> {
    let client = Client::new(address, credential).reported()?;
    for kind in SPEAKING_HTTP {
        match app.block_on(check::check(kind, &client))? {
            Ok(_) => return Ok(kind),
            Err(lapwing_remote::Error::WrongServer { .. }) => {}
            Err(error) => {
                let report = error.report();
                // Nobody is there: what it is does not matter yet.
                if report.code == Code::Missing {
                    return Err(report);
                }
                return Err(report.hint(format!(
                    "say what it is with `--kind storage|{}`, and give credentials if it wants some: `--user USER`, or `--secret-stdin` for a token",
                    SPEAKING_HTTP.map(RemoteKind::as_str).join("|")
                )));
            }
        }
    }
    Err(Report::new(
        Code::Invalid,
        "remote.kind",
        format!("{address} is none of the servers that Lapwing knows"),
    )
    .hint("check the address; for plain files over HTTP add `--kind storage`"))
}

fn credential_of(user: Option<String>, secret: Option<Hidden>) -> Option<Credential> {
    let secret = secret?.0;
    (!secret.is_empty()).then(|| Credential {
        user: user.filter(|user| !user.is_empty()),
        secret: Secret::new(secret),
    })
}

fn keep(app: &App, connection: &Connection, credential: &Credential) -> Result<String, Report> {
    usable(connection.kind, &connection.address, credential)?;
    let place = app.vault().keep(&connection.key(), credential).reported()?;
    Ok(place_words(&place))
}

/// What would be kept, and never be used, or not work.
fn usable(kind: RemoteKind, address: &str, credential: &Credential) -> Result<(), Report> {
    let is_ssh = address.starts_with("ssh://") || kind == RemoteKind::Slurm;
    if is_ssh && kind != RemoteKind::Git {
        return Err(Report::new(
            Code::Invalid,
            "remote.no_login",
            format!("{address} is reached by `ssh`, which signs in by itself"),
        )
        .hint("with your keys, your agent and ~/.ssh/config: Lapwing keeps no password for it"));
    }
    if address.starts_with("s3://") && credential.user.is_none() {
        return Err(Report::new(
            Code::Invalid,
            "remote.no_user",
            "S3 signs in with an access key and its secret key",
        )
        .hint("give the access key as the user: `--user ACCESS_KEY`"));
    }
    Ok(())
}

fn place_words(place: &Place) -> String {
    match place {
        Place::Keychain => "the keychain".to_owned(),
        Place::File(file) => format!("{} (only you can read it)", file.display()),
    }
}

/// Keeps a new credential for a remote.
///
/// # Errors
/// When there is no such remote, or the keychain cannot be written.
pub fn login(app: &App, input: LoginRemote) -> Result<RemoteAdded, Report> {
    let found = connection(app, input.project.as_deref(), &input.name)?;
    let Some(credential) = credential_of(input.user, Some(input.secret)) else {
        return Err(Report::new(
            Code::Invalid,
            "remote.secret",
            "an empty password or token is none",
        ));
    };
    let place = keep(app, &found, &credential)?;
    app.announce(&[lapwing_core::Tag::Remotes]);
    Ok(RemoteAdded {
        kind: found.kind,
        place: Some(place),
        replaced: None,
    })
}

/// Tries a remote: reached, let in, of the right kind.
///
/// # Errors
/// When there is no such remote. That it does not work is an answer.
pub fn test(app: &App, input: RemoteRef) -> Result<RemoteHealth, Report> {
    let found = connection(app, input.project.as_deref(), &input.name)?;
    test::test(app, &found)
}

/// Removes a remote and its credential; what lies there stays.
///
/// # Errors
/// When there is none with that name, or another program's file names it.
pub fn remove(app: &App, input: RemoteRef) -> Result<Nothing, Report> {
    let found = connection(app, input.project.as_deref(), &input.name)?;
    match (&found.origin, &input.project) {
        (RemoteOrigin::Workspace, _) => {
            table::remove(app.store(), &found.name).reported()?;
        }
        (RemoteOrigin::Project, Some(project)) if found.kind == RemoteKind::Storage => {
            projects::project(project)?
                .remove_remote(&found.name)
                .reported()?;
        }
        (RemoteOrigin::Project | RemoteOrigin::Found { .. }, _) => {
            return Err(Report::new(
                Code::Invalid,
                "remote.not_ours",
                format!("`{}` was not added with Lapwing", found.name),
            )
            .hint("remove it with the program that it belongs to"));
        }
    }
    app.vault().forget(&found.key()).reported()?;
    Ok(Nothing {})
}
