//! From a name to a connection, and from a connection to the credential that is known for it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use lapwing_core::{Code, RemoteKind, Report};
use lapwing_remote::{Around, Client, Credential, HuggingFaceFiles, Secret, Settings, Storage};
use lapwing_store::remotes as table;

use crate::error::Reported as _;
use crate::options::home_folder;
use crate::wire::RemoteOrigin;
use crate::{App, exchange, projects};

/// A remote, whoever named it.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub name: String,
    pub kind: RemoteKind,
    pub address: String,
    pub options: BTreeMap<String, String>,
    pub default: bool,
    pub origin: RemoteOrigin,
    /// The project that names it, where one does.
    project: Option<String>,
    /// What the project's configuration says about it; some of it secret.
    keys: BTreeMap<String, Secret>,
}

impl Connection {
    /// The name of its credential in the vault: two projects may each have a `store`. A project's files are shared, and say
    /// where a remote is: a credential is for the server that they named when it was kept, and for no other.
    pub fn key(&self) -> String {
        let Some(project) = self.project() else {
            return self.name.clone();
        };
        let said = |key: &str| self.keys.get(key).map_or("", |value| value.reveal());
        format!(
            "{} {} of {project} at {} {} {}",
            self.kind,
            self.name,
            self.address,
            said("endpointurl"),
            said("account_name")
        )
    }

    /// `git:origin`: what tells it from one of another kind with that name.
    fn kind_and_name(&self) -> String {
        format!("{}:{}", self.kind, self.name)
    }

    /// The project that names it, where one does.
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// Whether an option of it, which is on by itself, was turned off.
    pub fn says_no(&self, option: &str) -> bool {
        debug_assert!(
            super::options::known(self.kind).contains(&option),
            "`{option}` can be set"
        );
        let said = self.options.get(option);
        said.is_some_and(|value| matches!(value.as_str(), "no" | "false" | "off"))
    }

    /// A client of it with the credential that is known.
    ///
    /// # Errors
    /// When the address is none, or the keychain is locked.
    pub fn client(&self, app: &App) -> Result<Client, Report> {
        Client::new(&self.address, self.credential(app)?).reported()
    }

    /// The credential that is known for it.
    ///
    /// # Errors
    /// When the keychain is locked.
    pub fn credential(&self, app: &App) -> Result<Option<Credential>, Report> {
        Ok(credential(app, self)?.map(|known| known.credential))
    }

    /// The storage at it, with the credential that is kept for it and the settings of the project.
    ///
    /// # Errors
    /// When it is of no kind that can be used, a setting cannot be honoured, or the keychain is locked.
    pub fn storage(&self, app: &App) -> Result<Storage, lapwing_remote::Error> {
        let settings = Settings::of(&self.address)
            .keys(self.keys.clone())
            .credential(app.vault().get(&self.key())?)
            .around(around());
        Storage::open(&settings)
    }
}

/// A credential, and where it comes from.
pub(crate) struct Known {
    pub credential: Credential,
    pub place: String,
}

/// All connections: the project's, the user's, the found ones. A name that was taken before is not taken again.
pub(super) fn all(app: &App, project: Option<&str>) -> Result<Vec<Connection>, Report> {
    let mut all: Vec<Connection> = Vec::new();
    if let Some(project) = project {
        all.extend(of_project(project)?);
    }
    let own = table::list(app.store()).reported()?;
    all.extend(own.into_iter().map(|remote| Connection {
        name: remote.name,
        kind: remote.kind,
        address: remote.address,
        options: remote.options,
        default: false,
        origin: RemoteOrigin::Workspace,
        project: None,
        keys: BTreeMap::new(),
    }));
    for found in found()? {
        if all.iter().all(|known| known.name != found.name) {
            all.push(found);
        }
    }
    Ok(all)
}

fn of_project(project: &str) -> Result<Vec<Connection>, Report> {
    let opened = projects::project(project)?;
    let storage = opened
        .config()
        .remotes()
        .into_iter()
        .map(|remote| of_data(project, remote));
    let git = exchange::remotes(&opened)
        .into_iter()
        .map(|remote| of_git(project, remote));
    Ok(storage.chain(git).collect())
}

/// A remote of git's configuration.
pub(crate) fn of_git(project: &str, remote: lapwing_data::GitRemote) -> Connection {
    Connection {
        name: remote.name,
        kind: RemoteKind::Git,
        address: remote.url,
        options: BTreeMap::new(),
        default: false,
        origin: RemoteOrigin::Project,
        project: Some(project.to_owned()),
        keys: BTreeMap::new(),
    }
}

/// A remote of DVC's configuration.
pub(crate) fn of_data(project: &str, remote: lapwing_data::Remote) -> Connection {
    Connection {
        name: remote.name,
        kind: RemoteKind::Storage,
        address: remote.url,
        options: BTreeMap::new(),
        default: remote.default,
        origin: RemoteOrigin::Project,
        project: Some(project.to_owned()),
        keys: remote.keys,
    }
}

/// The user's environment, as programs of the clouds read it.
pub(super) fn around() -> Around {
    Around {
        // Without a home there are no files in it.
        home: home_folder().unwrap_or_default(),
        variables: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))) // No text: not for us.
            .collect(),
    }
}

fn found() -> Result<Vec<Connection>, Report> {
    let variable = |name: &str| std::env::var(name).ok(); // Not set, or no text: not there.
    let found = lapwing_remote::found(&home_folder()?, &variable);
    Ok(found
        .into_iter()
        .map(|found| Connection {
            name: found.name,
            kind: found.kind,
            address: found.address,
            options: BTreeMap::new(),
            default: false,
            origin: RemoteOrigin::Found { file: found.origin },
            project: None,
            keys: BTreeMap::new(),
        })
        .collect())
}

/// What each is called, so that no two are called the same: its name, with its kind in front where another one has that name.
pub(super) fn called(all: &[Connection]) -> Vec<String> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for one in all {
        *times.entry(&one.name).or_default() += 1;
    }
    all.iter()
        .map(|one| match times.get(one.name.as_str()) {
            Some(&times) if times > 1 => one.kind_and_name(),
            Some(_) | None => one.name.clone(),
        })
        .collect()
}

/// The connection of that name; of that kind, where it says one: `git:origin`.
///
/// # Errors
/// When there is none, or more than one: the answer names those that there are.
pub(crate) fn connection(
    app: &App,
    project: Option<&str>,
    name: &str,
) -> Result<Connection, Report> {
    connection_for(app, project, name, |_| true)
}

/// As [`connection`]; where several have the name, only those of a kind that fits count.
///
/// # Errors
/// As [`connection`].
pub(crate) fn connection_for(
    app: &App,
    project: Option<&str>,
    name: &str,
    fits: fn(RemoteKind) -> bool,
) -> Result<Connection, Report> {
    let all = all(app, project)?;
    let named: Vec<&Connection> = all
        .iter()
        .filter(|one| one.name == name || one.kind_and_name() == name)
        .collect();
    let fitting: Vec<&Connection> = named.iter().copied().filter(|one| fits(one.kind)).collect();
    match (fitting.as_slice(), named.as_slice()) {
        ([only], _) | ([], [only]) => Ok((*only).clone()),
        ([], []) => Err(unknown(&all, name)),
        ([], several) | (several, _) => Err(several_of(several, name)),
    }
}

fn unknown(all: &[Connection], name: &str) -> Report {
    let hint = if all.is_empty() {
        "add one with `lapwing remotes add NAME ADDRESS`".to_owned()
    } else {
        format!("there are: {}", called(all).join(", "))
    };
    Report::new(
        Code::NotFound,
        "remote.unknown",
        format!("there is no remote `{name}`"),
    )
    .hint(hint)
}

fn several_of(several: &[&Connection], name: &str) -> Report {
    let kinds: Vec<&str> = several.iter().map(|one| one.kind.title()).collect();
    let number = several.len();
    let words: Vec<String> = several
        .iter()
        .map(|one| format!("`{}`", one.kind_and_name()))
        .collect();
    Report::new(
        Code::Invalid,
        "remote.several",
        format!("`{name}` names {number} remotes: {}", kinds.join(", ")),
    )
    .hint(format!("say which: {}", words.join(" or ")))
}

/// An address as it is kept: whole, without a slash at the end.
pub(super) fn normal(kind: RemoteKind, address: &str) -> Result<String, Report> {
    let address = address.trim_end_matches('/');
    match kind {
        RemoteKind::Oci => Ok(address.replacen("oci://", "https://", 1)),
        RemoteKind::Ray => Ok(address.replacen("ray://", "http://", 1)),
        RemoteKind::Mlflow
        | RemoteKind::HuggingFace
        | RemoteKind::Airflow
        | RemoteKind::Kubeflow => {
            Client::new(address, None).reported()?;
            Ok(address.to_owned())
        }
        RemoteKind::Kubernetes if !address.contains("://") => Ok(format!("kube://{address}")),
        RemoteKind::Ssh | RemoteKind::Slurm if !address.contains("://") => {
            Ok(format!("{}://{address}", kind.as_str()))
        }
        RemoteKind::Storage
        | RemoteKind::Git
        | RemoteKind::Docker
        | RemoteKind::Ssh
        | RemoteKind::Slurm
        | RemoteKind::Kubernetes => Ok(address.to_owned()),
    }
}

/// The credential of a connection: our own first, then what the program that the server belongs to would use.
pub(crate) fn credential(app: &App, connection: &Connection) -> Result<Option<Known>, Report> {
    if let Some(credential) = app.vault().get(&connection.key()).reported()? {
        let place = super::place_words(&app.vault().place());
        return Ok(Some(Known { credential, place }));
    }
    Ok(match connection.kind {
        RemoteKind::Mlflow => of_mlflow(&connection.address),
        RemoteKind::HuggingFace => of_hugging_face(&connection.address)?,
        RemoteKind::Oci => of_docker(&connection.address)?,
        RemoteKind::Storage
        | RemoteKind::Git
        | RemoteKind::Docker
        | RemoteKind::Ssh
        | RemoteKind::Slurm
        | RemoteKind::Kubernetes
        | RemoteKind::Ray
        | RemoteKind::Airflow
        | RemoteKind::Kubeflow => None,
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty()) // Not set: not there.
}

fn known(user: Option<String>, secret: String, place: &str) -> Known {
    Known {
        credential: Credential {
            user,
            secret: Secret::new(secret),
        },
        place: place.to_owned(),
    }
}

/// MLflow's own variables, for the server that they are for and for no other.
fn of_mlflow(address: &str) -> Option<Known> {
    let theirs = url::Url::parse(&variable("MLFLOW_TRACKING_URI")?).ok()?; // No address: for no server.
    if theirs.origin() != url::Url::parse(address).ok()?.origin() {
        return None;
    }
    if let Some(token) = variable("MLFLOW_TRACKING_TOKEN") {
        return Some(known(None, token, "MLFLOW_TRACKING_TOKEN"));
    }
    let user = variable("MLFLOW_TRACKING_USERNAME")?;
    let password = variable("MLFLOW_TRACKING_PASSWORD").unwrap_or_default();
    Some(known(Some(user), password, "MLFLOW_TRACKING_USERNAME"))
}

/// Where `huggingface_hub` looks, its variable, then its file; for the server that it would send the token to, and for no other.
fn of_hugging_face(address: &str) -> Result<Option<Known>, Report> {
    let origin = |address: &str| url::Url::parse(address).map(|url| url.origin()).ok(); // No address: no server.
    let theirs = origin(&lapwing_remote::hugging_face_endpoint(&variable));
    if theirs.is_none() || theirs != origin(address) {
        return Ok(None);
    }
    if let Some(token) = variable("HF_TOKEN") {
        return Ok(Some(known(None, token.trim().to_owned(), "HF_TOKEN")));
    }
    let file = HuggingFaceFiles::of(&home_folder()?, &variable).token;
    // Not signed in with `hf auth login`.
    let Ok(token) = fs_err::read_to_string(&file) else {
        return Ok(None);
    };
    let token = token.trim().to_owned();
    Ok((!token.is_empty()).then(|| known(None, token, &file.display().to_string())))
}

/// What `huggingface_hub` has downloaded on this machine, where there is anything.
pub(crate) fn hugging_face_cache() -> Option<PathBuf> {
    let home = home_folder().ok()?; // A user without a home folder has no cache in it.
    let cache = HuggingFaceFiles::of(&home, &variable).cache;
    cache.is_dir().then_some(cache)
}

/// What `docker login` wrote for this registry, where it wrote it into its file.
fn of_docker(address: &str) -> Result<Option<Known>, Report> {
    let file = home_folder()?.join(".docker/config.json");
    let Ok(text) = fs_err::read(&file) else {
        return Ok(None);
    };
    let config: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let host = address
        .split_once("://")
        .map_or(address, |(_, rest)| rest)
        .split('/')
        .next()
        .unwrap_or_default();
    let auth = config["auths"]
        .as_object()
        .and_then(|auths| {
            [host.to_owned(), format!("https://{host}")]
                .iter()
                .find_map(|key| auths.get(key))
        })
        .and_then(|entry| entry["auth"].as_str())
        .and_then(|auth| base64::engine::general_purpose::STANDARD.decode(auth).ok()) // Not ours to mend.
        .and_then(|bytes| String::from_utf8(bytes).ok()); // As above.
    Ok(auth
        .as_deref()
        .and_then(|auth| auth.split_once(':'))
        .map(|(user, secret)| {
            known(
                Some(user.to_owned()),
                secret.to_owned(),
                &file.display().to_string(),
            )
        }))
}
