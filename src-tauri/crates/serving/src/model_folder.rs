//! MLflow model folders: what `MLmodel` and the files beside it say. Reading one runs nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lapwing_core::RunId;
use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Result, Signature};

/// Larger ones are not examples but data sets; nothing here needs them.
const MAX_EXAMPLE_BYTES: u64 = 8 * 1024 * 1024;
const MAX_DEPTH: usize = 16;

/// One model folder, as far as serving needs it.
#[derive(Debug, Clone)]
pub struct ModelFolder {
    pub path: PathBuf,
    /// `python_function`, `sklearn`, `lightgbm`, … with what each says.
    pub flavors: BTreeMap<String, Value>,
    pub signature: Signature,
    /// `input_example.json`, as saved.
    pub input_example: Option<Value>,
    /// `serving_input_example.json`: a ready body for `/invocations`.
    pub serving_example: Option<Value>,
    /// The lines of `requirements.txt`.
    pub requirements: Vec<String>,
    pub python_version: Option<String>,
    pub mlflow_version: Option<String>,
    pub run_id: Option<RunId>,
    pub model_id: Option<String>,
    /// Bytes of all files.
    pub size: u64,
}

#[derive(Deserialize)]
struct MlModel {
    #[serde(default)]
    flavors: BTreeMap<String, Value>,
    #[serde(default)]
    signature: Option<RawSignature>,
    #[serde(default)]
    saved_input_example_info: Option<ExampleInfo>,
    #[serde(default)]
    run_id: Option<String>,
    #[serde(default)]
    model_id: Option<String>,
    #[serde(default)]
    mlflow_version: Option<String>,
}

#[derive(Deserialize)]
struct RawSignature {
    #[serde(default)]
    inputs: Option<String>,
    #[serde(default)]
    outputs: Option<String>,
    #[serde(default)]
    params: Option<String>,
}

#[derive(Deserialize)]
struct ExampleInfo {
    #[serde(default)]
    artifact_path: Option<String>,
    #[serde(default)]
    serving_input_path: Option<String>,
}

#[derive(Deserialize)]
struct PythonEnv {
    #[serde(default)]
    python: Option<String>,
}

/// Reads the folder that holds `MLmodel`.
///
/// # Errors
/// [`Error::NoModel`] where there is no such file, [`Error::Unreadable`] naming the file that is not what it should be.
pub fn read(path: &Path) -> Result<ModelFolder> {
    let file = path.join("MLmodel");
    if !file.is_file() {
        return Err(Error::NoModel {
            path: path.to_owned(),
        });
    }
    let text = fs_err::read_to_string(&file)?;
    let model: MlModel = serde_norway::from_str(&text)
        .map_err(|source| Error::unreadable(&file, "an MLmodel file", source))?;
    let signature = match &model.signature {
        Some(raw) => Signature::parse(
            raw.inputs.as_deref(),
            raw.outputs.as_deref(),
            raw.params.as_deref(),
        )
        .map_err(|source| Error::unreadable(&file, "an MLmodel file with a signature", source))?,
        None => Signature::unknown(),
    };
    let info = model.saved_input_example_info;
    let (example, serving) = match info {
        Some(info) => (info.artifact_path, info.serving_input_path),
        None => (None, None),
    };
    Ok(ModelFolder {
        path: path.to_owned(),
        flavors: model.flavors,
        signature,
        input_example: example_file(path, example.as_deref().unwrap_or("input_example.json"))?,
        serving_example: example_file(
            path,
            serving.as_deref().unwrap_or("serving_input_example.json"),
        )?,
        requirements: requirements(&path.join("requirements.txt"))?,
        python_version: python_version(path)?,
        mlflow_version: model.mlflow_version,
        // A run id that is no MLflow id is of no use to lineage.
        run_id: model.run_id.and_then(|id| id.parse().ok()),
        model_id: model.model_id,
        size: folder_size(path, 0)?,
    })
}

impl ModelFolder {
    /// One row that the model accepts, column → value: from the input example, else zeros and empty texts in the columns of
    /// the signature.
    #[must_use]
    pub fn example_row(&self) -> Option<serde_json::Map<String, Value>> {
        self.saved_example().or_else(|| {
            let columns = self.signature.inputs.columns();
            let row = columns
                .iter()
                .map(|column| (column.name.clone(), column.kind.example()));
            (!columns.is_empty()).then(|| row.collect())
        })
    }

    fn saved_example(&self) -> Option<serde_json::Map<String, Value>> {
        let example = self
            .serving_example
            .as_ref()
            .or(self.input_example.as_ref())?;
        if let Some(row) = example
            .get("dataframe_records")
            .and_then(|rows| rows.get(0))
        {
            return row.as_object().cloned();
        }
        let split = example.get("dataframe_split").unwrap_or(example);
        let columns = split.get("columns")?.as_array()?;
        let row = split.get("data")?.get(0)?.as_array()?;
        Some(
            columns
                .iter()
                .zip(row)
                .map(|(column, value)| {
                    let name = column
                        .as_str()
                        .map_or_else(|| column.to_string(), str::to_owned);
                    (name, value.clone())
                })
                .collect(),
        )
    }

    /// The pickled files: what [`crate::pickle::scan`] should look at before anything is loaded.
    #[must_use]
    pub fn pickles(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect_pickles(&self.path, 0, &mut found);
        found.sort();
        found
    }
}

fn collect_pickles(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs_err::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() && depth < MAX_DEPTH {
            collect_pickles(&path, depth + 1, found);
        }
        let extension = path
            .extension()
            .and_then(|text| text.to_str())
            .unwrap_or_default();
        if kind.is_file()
            && matches!(
                extension,
                "pkl" | "pickle" | "joblib" | "cloudpickle" | "pt" | "pth"
            )
        {
            found.push(path);
        }
    }
}

/// The example lies in the folder itself: a name that leads elsewhere is not followed.
fn example_file(folder: &Path, name: &str) -> Result<Option<Value>> {
    let path = folder.join(name);
    let inside = Path::new(name).file_name().is_some_and(|file| file == name);
    let Ok(about) = fs_err::symlink_metadata(&path) else {
        return Ok(None);
    };
    if !inside || !about.is_file() || about.len() > MAX_EXAMPLE_BYTES || !name.ends_with(".json") {
        return Ok(None);
    }
    let text = fs_err::read_to_string(&path)?;
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|source| Error::unreadable(path, "an input example in JSON", source))
}

fn requirements(path: &Path) -> Result<Vec<String>> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    Ok(fs_err::read_to_string(path)?
        .lines()
        .map(|line| line.split(" #").next().unwrap_or(line).trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

fn python_version(folder: &Path) -> Result<Option<String>> {
    let path = folder.join("python_env.yaml");
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs_err::read_to_string(&path)?;
    let env: PythonEnv = serde_norway::from_str(&text)
        .map_err(|source| Error::unreadable(path, "a Python environment file", source))?;
    Ok(env.python)
}

fn folder_size(folder: &Path, depth: usize) -> Result<u64> {
    let mut size = 0;
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let about = fs_err::symlink_metadata(entry.path())?;
        if about.is_dir() && depth < MAX_DEPTH {
            size += folder_size(&entry.path(), depth + 1)?;
        } else if about.is_file() {
            size += about.len();
        }
    }
    Ok(size)
}
