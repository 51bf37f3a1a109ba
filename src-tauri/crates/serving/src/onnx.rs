//! ONNX Runtime inside the gateway: where its library is, a pool of sessions, and columns into tensors.
//!
//! The library is loaded at run time (`load-dynamic`), so a machine without it still serves through Python.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

use arrow::array::{Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor};
use serde_json::Value;

use crate::answer::{Answer, Refusal};
use crate::convert::{Graph, GraphInput, GraphType, PredictionOutput};
use crate::{Error, Result};

/// The environment variable that names the library.
const VARIABLE: &str = "LAPWING_ONNXRUNTIME";
const MAX_SESSIONS: usize = 4;

/// Where ONNX Runtime's shared library is: named by `LAPWING_ONNXRUNTIME`, beside the program, in the given Python's packages, or where
/// distributions put it.
#[must_use]
pub fn library(python: Option<&Path>) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        let named = PathBuf::from(named);
        return if named.is_dir() {
            in_folder(&named)
        } else {
            named.is_file().then_some(named)
        };
    }
    let mut folders = Vec::new();
    if let Ok(program) = std::env::current_exe()
        && let Some(folder) = program.parent()
    {
        folders.push(folder.to_owned());
        folders.push(folder.join("../lib/lapwing"));
        folders.push(folder.join("../Frameworks"));
    }
    if let Some(python) = python {
        folders.extend(capi_folders(python));
    }
    for known in [
        "/usr/lib/lapwing",
        "/usr/local/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/opt/homebrew/lib",
    ] {
        folders.push(PathBuf::from(known));
    }
    folders.iter().find_map(|folder| in_folder(folder))
}

/// `…/lib/python3.x/site-packages/onnxruntime/capi` of the environment that the interpreter belongs to.
fn capi_folders(python: &Path) -> Vec<PathBuf> {
    let Some(environment) = python.parent().and_then(Path::parent) else {
        return Vec::new();
    };
    let mut folders = vec![environment.join("Lib/site-packages/onnxruntime/capi")];
    if let Ok(entries) = fs_err::read_dir(environment.join("lib")) {
        folders.extend(
            entries
                .flatten()
                .map(|entry| entry.path().join("site-packages/onnxruntime/capi")),
        );
    }
    folders
}

fn in_folder(folder: &Path) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs_err::read_dir(folder)
        .ok()? // a folder that is not there has no library
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            name.starts_with("libonnxruntime.so")
                || name == "onnxruntime.dll"
                || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
        })
        .collect();
    found.sort();
    found.pop()
}

/// The version in the library's file name, where it has one.
#[must_use]
pub fn library_version(library: &Path) -> Option<String> {
    let name = library.file_name()?.to_str()?;
    let version = name.strip_prefix("libonnxruntime.so.")?;
    (!version.is_empty()).then(|| version.to_owned())
}

/// ONNX Runtime can be loaded once per process; the first library wins.
fn environment(library: &Path) -> Result<&'static Environment> {
    static LOADED: OnceLock<std::result::Result<Environment, String>> = OnceLock::new();
    LOADED
        .get_or_init(|| {
            let builder = ort::init_from(library).map_err(|error| error.to_string())?;
            builder
                .with_name("lapwing")
                .build()
                .map_err(|error| error.to_string())
        })
        .as_ref()
        .map_err(|why| Error::Onnx { why: why.clone() })
}

/// One converted model: sessions that are lent to one request each, since running needs exclusive access.
pub(crate) struct OnnxModel {
    graph: Graph,
    idle: Mutex<Vec<Session>>,
    returned: Condvar,
}

impl OnnxModel {
    /// Loads the graph into as many sessions as there are cores, at most [`MAX_SESSIONS`].
    pub(crate) fn load(library: &Path, model: &Path, graph: Graph) -> Result<Self> {
        let environment = environment(library)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let sessions = (0..cores.min(MAX_SESSIONS))
            .map(|_| session(environment, model))
            .collect::<Result<Vec<_>>>()?;
        let names: Vec<String> = sessions[0]
            .inputs()
            .iter()
            .map(|input| input.name().to_owned())
            .collect();
        for input in &graph.inputs {
            if !names.contains(&input.name) {
                return Err(Error::Onnx {
                    why: format!("the graph has no input `{}`", input.name),
                });
            }
        }
        Ok(Self {
            graph,
            idle: Mutex::new(sessions),
            returned: Condvar::new(),
        })
    }

    /// Blocks for the time of the computation.
    pub(crate) fn predict(&self, batch: &RecordBatch) -> std::result::Result<Answer, Refusal> {
        let inputs = self.feed(batch)?;
        let mut session = self.borrow();
        let answer = run(&mut session, inputs, &self.graph);
        self.give_back(session);
        answer
    }

    pub(crate) fn has_scores(&self) -> bool {
        self.graph.probabilities.is_some()
    }

    fn borrow(&self) -> Session {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(session) = idle.pop() {
                return session;
            }
            idle = self
                .returned
                .wait(idle)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, session: Session) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(session);
        self.returned.notify_one();
    }

    fn feed(
        &self,
        batch: &RecordBatch,
    ) -> std::result::Result<Vec<(String, SessionInputValue<'static>)>, Refusal> {
        self.graph
            .inputs
            .iter()
            // A graph may not use a column; the converter then leaves its input out.
            .map(|input| {
                tensor(input, batch)
                    .map(|value| (input.name.clone(), SessionInputValue::from(value)))
            })
            .collect()
    }
}

fn session(environment: &Environment, model: &Path) -> Result<Session> {
    let failed = |why: String| Error::Onnx { why };
    Session::builder(environment)
        .map_err(|error| failed(error.to_string()))?
        // Converters declare some shapes wrongly, and each run would warn about it.
        .with_log_level(LogLevel::Error)
        .map_err(|error| failed(error.to_string()))?
        .with_intra_threads(1)
        .map_err(|error| failed(error.to_string()))?
        .commit_from_file(model)
        .map_err(|error| failed(error.to_string()))
}

/// The columns of one input side by side, row-major, as `[rows, columns]`.
fn tensor(input: &GraphInput, batch: &RecordBatch) -> std::result::Result<DynValue, Refusal> {
    let rows = batch.num_rows();
    let shape = [rows, input.columns.len()];
    let internal = |error: ort::Error| Refusal::internal(error.to_string());
    Ok(match input.dtype {
        GraphType::Float => {
            let data = side_by_side(input, batch, &DataType::Float32, |array| {
                numbers::<Float32Type>(array, f32::NAN)
            })?;
            Tensor::from_array((shape, data))
                .map_err(internal)?
                .into_dyn()
        }
        GraphType::Double => {
            let data = side_by_side(input, batch, &DataType::Float64, |array| {
                numbers::<Float64Type>(array, f64::NAN)
            })?;
            Tensor::from_array((shape, data))
                .map_err(internal)?
                .into_dyn()
        }
        GraphType::Int64 => {
            let data = side_by_side(input, batch, &DataType::Int64, |array| {
                numbers::<Int64Type>(array, 0)
            })?;
            Tensor::from_array((shape, data))
                .map_err(internal)?
                .into_dyn()
        }
        GraphType::Bool => {
            let data = side_by_side(input, batch, &DataType::Boolean, |array| {
                let array = arrow::array::AsArray::as_boolean(array);
                array.iter().map(|value| value.unwrap_or(false)).collect()
            })?;
            Tensor::from_array((shape, data))
                .map_err(internal)?
                .into_dyn()
        }
        GraphType::String => {
            let data: Vec<String> = side_by_side(input, batch, &DataType::Utf8, |array| {
                let array = arrow::array::AsArray::as_string::<i32>(array);
                // The word that pandas' `astype(str)` gives, which the comparison with the original used.
                array
                    .iter()
                    .map(|value| value.unwrap_or("nan").to_owned())
                    .collect()
            })?;
            Tensor::from_string_array((shape, data.as_slice()))
                .map_err(internal)?
                .into_dyn()
        }
    })
}

fn numbers<T: arrow::datatypes::ArrowPrimitiveType>(
    array: &dyn Array,
    missing: T::Native,
) -> Vec<T::Native> {
    let array = arrow::array::AsArray::as_primitive::<T>(array);
    array.iter().map(|value| value.unwrap_or(missing)).collect()
}

fn side_by_side<T: Clone>(
    input: &GraphInput,
    batch: &RecordBatch,
    dtype: &DataType,
    read: impl Fn(&dyn Array) -> Vec<T>,
) -> std::result::Result<Vec<T>, Refusal> {
    let mut columns = Vec::with_capacity(input.columns.len());
    for name in &input.columns {
        let column = batch.column_by_name(name).ok_or_else(|| {
            Refusal::internal(format!("the converted model wants a column `{name}`"))
        })?;
        let cast = cast(column, dtype).map_err(|error| Refusal::internal(error.to_string()))?;
        columns.push(read(&cast));
    }
    if let [single] = columns.as_mut_slice() {
        return Ok(std::mem::take(single));
    }
    let mut data = Vec::with_capacity(batch.num_rows() * columns.len());
    for row in 0..batch.num_rows() {
        data.extend(columns.iter().map(|column| column[row].clone()));
    }
    Ok(data)
}

fn run(
    session: &mut Session,
    inputs: Vec<(String, SessionInputValue<'static>)>,
    graph: &Graph,
) -> std::result::Result<Answer, Refusal> {
    let internal = |error: ort::Error| Refusal::internal(error.to_string());
    let outputs = session.run(inputs).map_err(internal)?;
    let output = |name: &str| {
        outputs
            .get(name)
            .ok_or_else(|| Refusal::internal(format!("the converted model has no output `{name}`")))
    };
    let probabilities = match &graph.probabilities {
        Some(name) => Some(matrix(output(name)?)?),
        None => None,
    };
    let predictions: Vec<Value> = match &graph.predictions {
        PredictionOutput::Label {
            output: name,
            boolean,
        } => labels(output(name)?, *boolean)?,
        PredictionOutput::Value { output: name } => rows_as_values(matrix(output(name)?)?),
        PredictionOutput::PositiveProbability => probabilities
            .iter()
            .flatten()
            .map(|row| row.get(1).copied().map_or(Value::Null, Value::from))
            .collect(),
        PredictionOutput::Probabilities => probabilities
            .iter()
            .flatten()
            .cloned()
            .map(Value::from)
            .collect(),
    };
    let scores = probabilities.map(|rows| rows.iter().map(|row| score(row)).collect());
    Ok(Answer {
        predictions,
        scores,
        whole: None,
    })
}

/// Of two classes the second one's probability, of more the predicted one's.
pub(crate) fn score(probabilities: &[f64]) -> f64 {
    match probabilities {
        [_, positive] => *positive,
        more => more.iter().copied().fold(f64::NAN, f64::max),
    }
}

fn rows_as_values(rows: Vec<Vec<f64>>) -> Vec<Value> {
    rows.into_iter()
        .map(|row| match row.as_slice() {
            [single] => Value::from(*single),
            _ => Value::from(row),
        })
        .collect()
}

fn labels(value: &DynValue, boolean: bool) -> std::result::Result<Vec<Value>, Refusal> {
    if let Ok((_, data)) = value.try_extract_tensor::<i64>() {
        return Ok(data
            .iter()
            .map(|label| {
                if boolean {
                    Value::from(*label != 0)
                } else {
                    Value::from(*label)
                }
            })
            .collect());
    }
    if let Ok((_, data)) = value.try_extract_tensor::<bool>() {
        return Ok(data.iter().map(|label| Value::from(*label)).collect());
    }
    if let Ok((_, data)) = value.try_extract_strings() {
        return Ok(data
            .into_iter()
            .map(|label| {
                if boolean {
                    Value::from(label == "True")
                } else {
                    Value::from(label)
                }
            })
            .collect());
    }
    Ok(rows_as_values(matrix(value)?))
}

fn matrix(value: &DynValue) -> std::result::Result<Vec<Vec<f64>>, Refusal> {
    let chunk = |shape: &[i64], data: Vec<f64>| {
        let width = shape.get(1..).unwrap_or_default().iter().product::<i64>();
        let width = usize::try_from(width).unwrap_or(1).max(1);
        data.chunks(width).map(<[f64]>::to_vec).collect()
    };
    if let Ok((shape, data)) = value.try_extract_tensor::<f32>() {
        return Ok(chunk(shape, data.iter().copied().map(f64::from).collect()));
    }
    if let Ok((shape, data)) = value.try_extract_tensor::<f64>() {
        return Ok(chunk(shape, data.to_vec()));
    }
    if let Ok((shape, data)) = value.try_extract_tensor::<i64>() {
        #[expect(
            clippy::cast_precision_loss,
            reason = "predictions are shown as numbers of JSON, which are doubles"
        )]
        return Ok(chunk(
            shape,
            data.iter().map(|value| *value as f64).collect(),
        ));
    }
    Err(Refusal::internal(
        "the converted model answers with a type that is not known",
    ))
}
