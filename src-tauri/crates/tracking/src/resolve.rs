//! From the many ways to name a model to its folder on this machine.

use std::path::{Path, PathBuf};

use lapwing_core::RunId;

use crate::artifacts::{beneath, copy_into};
use crate::{Error, Result, Tracking};

/// Where a model lies, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The folder that holds `MLmodel`.
    pub folder: PathBuf,
    /// Registered name and version, where it was named by them.
    pub name: Option<String>,
    pub version: Option<u32>,
    pub run_id: Option<RunId>,
    pub model_id: Option<String>,
    /// A URI that the registry keeps; `None` for a folder outside of the workspace.
    pub uri: Option<String>,
}

fn run_id(text: &str) -> Result<RunId> {
    text.parse()
        .map_err(|_| Error::NotFound(format!("Run with id={text} not found")))
}

impl Tracking {
    /// The model that `text` names: `NAME@ALIAS`, `NAME/VERSION`, `models:/…`, `runs:/ID/PATH`, a run id, or a folder.
    ///
    /// # Errors
    /// When there is no such model: the message names what is known.
    pub fn resolve(&self, text: &str) -> Result<Resolved> {
        let found = self.find(text, 0)?;
        if found.folder.join("MLmodel").is_file() {
            return Ok(found);
        }
        Err(Error::NotFound(format!(
            "{text} has no MLmodel file (looked in {})",
            found.folder.display()
        )))
    }

    /// As [`Tracking::resolve`], for what only keeps files or passes them on: they need be no MLflow model.
    ///
    /// # Errors
    /// When there are none.
    pub fn files(&self, text: &str) -> Result<Resolved> {
        let found = self.find(text, 0)?;
        if found.folder.is_dir() {
            return Ok(found);
        }
        Err(Error::NotFound(format!(
            "the files of {text} are gone (looked in {})",
            found.folder.display()
        )))
    }

    /// A version's source may be another version: so many steps are followed, then it must be a circle.
    fn find(&self, text: &str, depth: u32) -> Result<Resolved> {
        const MAX_STEPS: u32 = 8;
        if depth > MAX_STEPS {
            return Err(Error::Invalid(format!(
                "the source of {text} leads in a circle"
            )));
        }
        if let Some(rest) = text.strip_prefix("runs:/") {
            let rest = rest.trim_start_matches('/');
            let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
            return self.of_run(&run_id(id)?, path);
        }
        if let Some(rest) = text.strip_prefix("mlflow-artifacts:/") {
            let folder = beneath(&self.workspace().artifacts(), rest.trim_start_matches('/'))?;
            return Ok(plain(folder, Some(text.to_owned())));
        }
        if let Some(rest) = text.strip_prefix("models:/") {
            return self.of_models(rest.trim_start_matches('/'), depth);
        }
        let path = Path::new(text);
        if path.is_absolute() || text.starts_with('.') {
            if path.is_dir() {
                return Ok(plain(path.to_owned(), None));
            }
            return Err(Error::NotFound(format!("there is no folder {text}")));
        }
        if text.contains('@') || text.contains('/') {
            return self.of_models(text, depth);
        }
        match text.parse::<RunId>() {
            Ok(id) => self.of_run(&id, ""),
            Err(_) => self.of_models(text, depth),
        }
    }

    /// A model below a run: a logged model of that name, or a folder of its artifacts.
    fn of_run(&self, id: &RunId, path: &str) -> Result<Resolved> {
        let logged = self.logged_models(id)?;
        let fits = |model: &&crate::LoggedModel| path.is_empty() || model.row.name == path;
        if let Some(model) = logged.iter().find(fits) {
            return Ok(Resolved {
                folder: model.folder.clone(),
                name: None,
                version: None,
                run_id: Some(id.clone()),
                model_id: Some(model.row.id.clone()),
                uri: Some(model.uri.clone()),
            });
        }
        if path.is_empty() {
            self.run(id)?;
            return Err(Error::NotFound(format!("run {id} logged no model")));
        }
        let run = self.run(id)?;
        let folder = beneath(&self.artifact_folder(id)?, path)?;
        let uri = format!("{}/{path}", run.artifact_uri());
        Ok(Resolved {
            run_id: Some(id.clone()),
            ..plain(folder, Some(uri))
        })
    }

    /// `m-…`, `NAME@ALIAS`, `NAME/VERSION`, `NAME/latest`, `NAME`.
    fn of_models(&self, text: &str, depth: u32) -> Result<Resolved> {
        if text.starts_with("m-") && !text.contains(['/', '@']) {
            let model = self.logged_model(text)?;
            return Ok(Resolved {
                folder: model.folder,
                name: None,
                version: None,
                run_id: model.row.run_id.as_deref().and_then(|id| id.parse().ok()), // Not one of our runs.
                model_id: Some(model.row.id),
                uri: Some(model.uri),
            });
        }
        let (name, version) = match (text.rsplit_once('@'), text.rsplit_once('/')) {
            (Some((name, alias)), _) => (name, self.by_alias(name, alias)?),
            (None, Some((name, "latest"))) => (name, self.newest(name)?),
            (None, Some((name, number))) => {
                let number = number
                    .parse()
                    .map_err(|_| Error::Invalid(format!("`{number}` is no version of {name}")))?;
                (name, self.version(name, number)?.version)
            }
            (None, None) => (text, self.newest(text)?),
        };
        let row = self.version(name, version)?;
        let found = self.find(&row.source, depth + 1)?;
        Ok(Resolved {
            name: Some(name.to_owned()),
            version: Some(version),
            run_id: row
                .run_id
                .as_deref()
                .and_then(|id| id.parse().ok())
                .or(found.run_id), // Not one of our runs.
            ..found
        })
    }

    fn by_alias(&self, name: &str, alias: &str) -> Result<u32> {
        let model = self.model_or_known(name)?;
        model.aliases.get(alias).copied().ok_or_else(|| {
            let known: Vec<String> = model.aliases.keys().map(|alias| format!("@{alias}")).collect();
            let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            Error::NotFound(format!("Registered model alias {alias} not found: model {name} has no alias `{alias}`, {known}"))
        })
    }

    fn newest(&self, name: &str) -> Result<u32> {
        let model = self.model_or_known(name)?;
        model
            .latest
            .ok_or_else(|| Error::NotFound(format!("model {name} has no versions")))
    }

    fn model_or_known(&self, name: &str) -> Result<crate::RegisteredModel> {
        self.model(name).map_err(|_| {
            let known: Vec<String> = self
                .models()
                .unwrap_or_default()
                .into_iter()
                .map(|model| model.name)
                .collect();
            let known = if known.is_empty() {
                "there are none yet".to_owned()
            } else {
                format!("there are {}", known.join(", "))
            };
            Error::NotFound(format!("there is no registered model `{name}`: {known}"))
        })
    }

    /// Refuses a source that does not lie in this workspace: a version must not open the user's other files.
    pub(crate) fn check_source(&self, source: &str) -> Result<()> {
        if let Some(rest) = source.strip_prefix("mlflow-artifacts:") {
            let path = rest.trim_start_matches('/');
            beneath(&self.workspace().artifacts(), path)?;
            return Ok(());
        }
        let known = ["models:/", "runs:/"]
            .iter()
            .any(|prefix| source.starts_with(prefix));
        let local = Path::new(source);
        let inside = local.is_absolute()
            && local.canonicalize().is_ok_and(|real| {
                self.workspace()
                    .artifacts()
                    .canonicalize()
                    .is_ok_and(|root| real.starts_with(root))
            });
        if known || inside {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "Invalid model version source: '{source}'. It must be a run's or a logged model's URI in this workspace."
        )))
    }

    /// Copies a model folder from elsewhere into the workspace and answers its URI.
    pub(crate) fn adopt(&self, folder: &Path) -> Result<String> {
        let id = RunId::random();
        let to = self
            .workspace()
            .artifacts()
            .join("registered")
            .join(id.as_str());
        copy_folder(folder, &to)?;
        Ok(format!("mlflow-artifacts:/registered/{id}"))
    }
}

fn plain(folder: PathBuf, uri: Option<String>) -> Resolved {
    Resolved {
        folder,
        name: None,
        version: None,
        run_id: None,
        model_id: None,
        uri,
    }
}

/// Copies a folder that appears whole or not at all, without what lies outside of it.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let parent = to.parent().unwrap_or(Path::new("/"));
    fs_err::create_dir_all(parent)?;
    let part = tempfile::Builder::new()
        .prefix(".lapwing-")
        .tempdir_in(parent)?;
    let copy = part.path().join("model");
    let root = fs_err::canonicalize(from)?;
    copy_below(&root, &root, &copy)?;
    fs_err::rename(&copy, to)?;
    Ok(())
}

fn copy_below(root: &Path, from: &Path, to: &Path) -> Result<()> {
    fs_err::create_dir(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_below(root, &path, &target)?;
            continue;
        }
        // A link to a folder may lead back to where it lies, so only links to the model's own files are followed.
        if kind.is_symlink()
            && !path
                .canonicalize()
                .is_ok_and(|real| real.is_file() && real.starts_with(root))
        {
            return Err(Error::Invalid(format!(
                "{} is a link to a folder or out of the model's folder: put a copy of what it names in its place",
                path.display()
            )));
        }
        copy_into(&path, fs_err::File::create(&target)?.file())?;
    }
    Ok(())
}
