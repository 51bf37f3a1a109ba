//! From an MLflow model to ONNX, done by the model's own Python and accepted only when the outputs are the same.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use specta::Type;

use crate::{Error, Result};

const SCRIPT: &str = include_str!("convert.py");
const POLL: Duration = Duration::from_millis(50);
/// A forest of thousands of trees takes minutes to convert; more than this is not waited for.
const TIMEOUT: Duration = Duration::from_secs(600);
/// Of standard error, what is shown as the reason.
const SHOWN_TAIL: usize = 600;

/// What came of the attempt; also `conversion.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Conversion {
    /// Only then `model.onnx` may answer for the model.
    pub accepted: bool,
    /// One sentence: what was compared, or why it was not converted.
    pub why: String,
    pub max_abs_difference: Option<f64>,
    pub rows_compared: u32,
    /// How the graph is fed and read; present when accepted.
    #[serde(default)]
    #[specta(skip)]
    pub graph: Option<Graph>,
}

/// How the columns of a request become the inputs of the graph, and its outputs become predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    pub inputs: Vec<GraphInput>,
    pub predictions: PredictionOutput,
    /// The output with one probability for each class and row.
    #[serde(default)]
    pub probabilities: Option<String>,
    /// The classes in the order of the probabilities, as the original gives them.
    #[serde(default)]
    pub classes: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphInput {
    pub name: String,
    pub dtype: GraphType,
    /// The columns that lie side by side in this input.
    pub columns: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GraphType {
    Float,
    Double,
    Int64,
    String,
    Bool,
}

/// Which output the original's `predict` corresponds to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PredictionOutput {
    /// Class labels.
    Label { output: String, boolean: bool },
    /// Numbers.
    Value { output: String },
    /// The probability of the second class, as LightGBM's boosters predict.
    PositiveProbability,
    /// All probabilities of a row.
    Probabilities,
}

/// What the model's environment needs besides the model's own requirements.
#[must_use]
pub fn requirements_for_conversion() -> Vec<String> {
    ["skl2onnx>=1.18", "onnxmltools>=1.13", "onnxruntime>=1.18"]
        .map(str::to_owned)
        .to_vec()
}

/// Converts the model folder with the interpreter `python` (which has the model's packages and
/// [`requirements_for_conversion`]) into `out/model.onnx` and `out/conversion.json`.
///
/// `rows` are compared on where the model has no input example of its own: `{"columns": […], "data": [[…], …]}`.
/// A model that cannot be converted is no error: the answer says why.
///
/// # Errors
/// When Python cannot be started or dies without an answer.
pub fn to_onnx(
    model: &Path,
    python: &Path,
    out: &Path,
    rows: Option<&Value>,
) -> Result<Conversion> {
    fs_err::create_dir_all(out)?;
    let script = tempfile::Builder::new().suffix(".py").tempfile()?;
    fs_err::write(script.path(), SCRIPT)?;
    let rows = rows.map(written).transpose()?;
    let mut errors = tempfile::tempfile()?;
    let child = Command::new(python)
        .arg(script.path())
        .arg(model)
        .arg(out)
        .args(rows.as_ref().map(tempfile::NamedTempFile::path))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors.try_clone()?)
        .spawn()
        .map_err(|source| Error::Python {
            program: python.to_owned(),
            source,
        })?;
    let success = wait(child)?;
    let path = conversion_file(out);
    if !success || !path.is_file() {
        return Err(Error::Conversion {
            why: tail(&mut errors)?,
        });
    }
    read(out)
}

fn written(rows: &Value) -> Result<tempfile::NamedTempFile> {
    let file = tempfile::Builder::new().suffix(".json").tempfile()?;
    fs_err::write(file.path(), rows.to_string())?;
    Ok(file)
}

/// Reads `conversion.json` of a revision's `onnx` folder.
pub fn read(onnx: &Path) -> Result<Conversion> {
    let path = conversion_file(onnx);
    let bytes = fs_err::read(&path)?;
    serde_json::from_slice(&bytes)
        .map_err(|source| Error::unreadable(path, "the result of a conversion", source))
}

/// Where the graph lies.
#[must_use]
pub fn graph_file(onnx: &Path) -> PathBuf {
    onnx.join("model.onnx")
}

fn conversion_file(onnx: &Path) -> PathBuf {
    onnx.join("conversion.json")
}

fn wait(mut child: std::process::Child) -> Result<bool> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if begun.elapsed() > TIMEOUT {
            child.kill()?;
            child.wait()?;
            return Err(Error::Conversion {
                why: format!("it took more than {} seconds", TIMEOUT.as_secs()),
            });
        }
        std::thread::sleep(POLL);
    }
}

fn tail(errors: &mut std::fs::File) -> Result<String> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    errors.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    errors.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim();
    let skip = text.chars().count().saturating_sub(SHOWN_TAIL);
    Ok(text.chars().skip(skip).collect())
}
