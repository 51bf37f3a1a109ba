//! Logged models, registered models, versions and aliases.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lapwing_core::{RunId, Timestamp};
use lapwing_store::registry as table;

use crate::{Error, Result, Tracking};

pub use lapwing_store::registry::{ModelVersion, RegisteredModel};

/// A model that a run logged, with its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedModel {
    pub row: table::LoggedModel,
    /// `models:/m-…`.
    pub uri: String,
    pub folder: PathBuf,
}

/// What a new version begins with.
#[derive(Debug, Clone, Default)]
pub struct NewVersion {
    pub name: String,
    pub source: String,
    pub run_id: Option<String>,
    pub model_id: Option<String>,
    pub description: String,
    pub tags: BTreeMap<String, String>,
}

pub(crate) fn no_model(name: &str) -> Error {
    Error::NotFound(format!("Registered Model with name={name} not found"))
}

pub(crate) fn no_version(name: &str, version: u32) -> Error {
    Error::NotFound(format!(
        "Model Version (name={name}, version={version}) not found"
    ))
}

pub(crate) fn check_model_name(name: &str) -> Result<()> {
    let bad =
        name.is_empty() || name.contains(['/', ':', '\0']) || name.chars().any(char::is_control);
    if bad {
        return Err(Error::Invalid(format!(
            "Invalid model name: '{name}'. It cannot be empty or hold `/` or `:`"
        )));
    }
    Ok(())
}

fn check_alias(alias: &str) -> Result<()> {
    let numbered = alias
        .strip_prefix(['v', 'V'])
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    if alias.eq_ignore_ascii_case("latest") || numbered {
        return Err(Error::Invalid(format!(
            "'{alias}' is reserved and cannot be used as an alias"
        )));
    }
    let good = !alias.is_empty()
        && alias
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if good {
        Ok(())
    } else {
        Err(Error::Invalid(format!(
            "'{alias}' is no valid alias: use letters, digits, _ and -"
        )))
    }
}

impl Tracking {
    pub(crate) fn logged_folder(&self, model: &table::LoggedModel) -> PathBuf {
        self.workspace()
            .artifacts()
            .join(model.experiment_id.to_string())
            .join("models")
            .join(&model.id)
            .join("artifacts")
    }

    fn with_folder(&self, row: table::LoggedModel) -> LoggedModel {
        LoggedModel {
            uri: format!("models:/{}", row.id),
            folder: self.logged_folder(&row),
            row,
        }
    }

    /// The models that a run logged, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn logged_models(&self, id: &RunId) -> Result<Vec<LoggedModel>> {
        let rows = table::logged_of(self.store(), Some(id.as_str()))?;
        Ok(rows.into_iter().map(|row| self.with_folder(row)).collect())
    }

    /// One logged model.
    ///
    /// # Errors
    /// When there is none with that id.
    pub fn logged_model(&self, id: &str) -> Result<LoggedModel> {
        let row = table::logged(self.store(), id)?;
        let row =
            row.ok_or_else(|| Error::NotFound(format!("Logged model with ID '{id}' not found.")))?;
        Ok(self.with_folder(row))
    }

    /// All registered models.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn models(&self) -> Result<Vec<RegisteredModel>> {
        Ok(table::models(self.store())?)
    }

    /// One registered model.
    ///
    /// # Errors
    /// When there is none with that name.
    pub fn model(&self, name: &str) -> Result<RegisteredModel> {
        self.models()?
            .into_iter()
            .find(|model| model.name == name)
            .ok_or_else(|| no_model(name))
    }

    /// A model's versions, newest first.
    ///
    /// # Errors
    /// When there is no such model.
    pub fn versions(&self, name: &str) -> Result<Vec<ModelVersion>> {
        self.model(name)?;
        Ok(table::versions(self.store(), Some(name))?)
    }

    /// One version.
    ///
    /// # Errors
    /// When there is no such model or version.
    pub fn version(&self, name: &str, version: u32) -> Result<ModelVersion> {
        self.versions(name)?
            .into_iter()
            .find(|row| row.version == version)
            .ok_or_else(|| no_version(name, version))
    }

    /// Makes a version; the registered model must exist.
    ///
    /// # Errors
    /// When there is no such model, or the source is not one that can be served.
    pub fn add_version(&self, new: NewVersion) -> Result<ModelVersion> {
        self.model(&new.name)?;
        self.check_source(&new.source)?;
        let now = Timestamp::now();
        let number = table::add_version(
            self.store(),
            ModelVersion {
                name: new.name.clone(),
                version: 0,
                created: now,
                updated: now,
                description: new.description,
                stage: "None".to_owned(),
                source: new.source,
                run_id: new.run_id.filter(|id| !id.is_empty()),
                model_id: new.model_id.filter(|id| !id.is_empty()),
                tags: new.tags,
                aliases: Vec::new(),
            },
        )?;
        self.version(&new.name, number)
    }

    /// Makes a version from `runs:/…`, `models:/m-…`, a run id or a folder, making the registered model when it is new.
    ///
    /// # Errors
    /// When the source is no model.
    pub fn register(&self, name: &str, source: &str, alias: Option<&str>) -> Result<ModelVersion> {
        check_model_name(name)?;
        let resolved = self.resolve(source)?;
        let uri = match resolved.uri {
            Some(uri) => uri,
            None => self.adopt(&resolved.folder)?,
        };
        table::create_model(self.store(), name, "", &BTreeMap::new(), Timestamp::now())?;
        let version = self.add_version(NewVersion {
            name: name.to_owned(),
            source: uri,
            run_id: resolved.run_id.map(|id| id.to_string()),
            model_id: resolved.model_id,
            ..NewVersion::default()
        })?;
        if let Some(alias) = alias {
            self.set_alias(name, alias, version.version)?;
        }
        self.version(name, version.version)
    }

    /// Points an alias at a version.
    ///
    /// # Errors
    /// When the alias is reserved, or there is no such version.
    pub fn set_alias(&self, name: &str, alias: &str, version: u32) -> Result<()> {
        check_alias(alias)?;
        self.model(name)?;
        if table::set_alias(self.store(), name, alias, Some(version))? {
            Ok(())
        } else {
            Err(no_version(name, version))
        }
    }

    /// Removes an alias; one that is not there stays so.
    ///
    /// # Errors
    /// When there is no such model.
    pub fn delete_alias(&self, name: &str, alias: &str) -> Result<()> {
        self.model(name)?;
        table::set_alias(self.store(), name, alias, None)?;
        Ok(())
    }
}
