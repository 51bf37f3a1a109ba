//! What answers for a revision: ONNX Runtime in the gateway, or Python beside it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use serde_json::{Value, json};

use crate::answer::{Answer, Refusal};
use crate::onnx::{self, OnnxModel};
use crate::worker::Workers;
use crate::{
    Column, DeploymentFolder, Error, ModelFolder, Result, RevisionConfig, RuntimeKind, convert,
};

/// Up to so many rows are computed on the request's own thread: cheaper than handing them over.
const INLINE_ROWS: usize = 64;

/// What a runtime is asked.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// Typed columns of the signature.
    Columns(RecordBatch),
    /// Anything else, for Python alone: the body for the worker without its parameters.
    Raw { question: Value, rows: usize },
}

impl Input {
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Columns(batch) => batch.num_rows(),
            Self::Raw { rows, .. } => *rows,
        }
    }
}

pub(crate) enum Runtime {
    Onnx(Arc<OnnxModel>),
    Python(Workers),
}

/// A loaded runtime, and why it is this one when another was asked for.
pub(crate) struct Loaded {
    pub(crate) runtime: Runtime,
    pub(crate) note: Option<String>,
}

/// Loads a revision: ONNX where it is asked for and can be had, otherwise Python.
pub(crate) async fn load(
    folder: &DeploymentFolder,
    revision: &RevisionConfig,
    workers: u32,
    limit: Duration,
) -> Result<Loaded> {
    let mut note = None;
    if revision.runtime == RuntimeKind::Onnx {
        match load_onnx(folder, revision) {
            Ok(model) => {
                return Ok(Loaded {
                    runtime: Runtime::Onnx(Arc::new(model)),
                    note,
                });
            }
            Err(error) if revision.python.is_some() => {
                note = Some(format!("served by Python, since {error}"));
                tracing::warn!(revision = revision.number, %error, "ONNX cannot serve, Python does");
            }
            Err(error) => return Err(error),
        }
    }
    let python = revision.python.as_deref().ok_or_else(|| Error::Load {
        revision: revision.number,
        why: "the model needs Python, and no environment is given".to_owned(),
    })?;
    let number = revision.number;
    let model = folder.model(number);
    let runtime = Workers::start(python, &model, &folder.revision(number), workers, limit)
        .await
        .map(Runtime::Python)
        .map_err(|error| match error {
            Error::Load { why, .. } => Error::Load {
                revision: number,
                why,
            },
            other => other,
        })?;
    Ok(Loaded { runtime, note })
}

fn load_onnx(folder: &DeploymentFolder, revision: &RevisionConfig) -> Result<OnnxModel> {
    let onnx = folder.onnx(revision.number);
    let conversion = convert::read(&onnx)?;
    let graph = conversion
        .graph
        .filter(|_| conversion.accepted)
        .ok_or_else(|| Error::Onnx {
            why: conversion.why,
        })?;
    let library = onnx::library(revision.python.as_deref()).ok_or(Error::NoOnnxRuntime)?;
    OnnxModel::load(&library, &convert::graph_file(&onnx), graph)
}

impl Runtime {
    pub(crate) fn kind(&self) -> RuntimeKind {
        match self {
            Self::Onnx(_) => RuntimeKind::Onnx,
            Self::Python(_) => RuntimeKind::Python,
        }
    }

    /// Whether its answers are known to carry scores.
    pub(crate) fn has_scores(&self) -> bool {
        match self {
            Self::Onnx(model) => model.has_scores(),
            Self::Python(_) => false,
        }
    }

    pub(crate) async fn predict(
        &self,
        input: &Input,
        columns: &[Column],
        params: Option<&Value>,
    ) -> std::result::Result<Answer, Refusal> {
        match (self, input) {
            (Self::Onnx(model), Input::Columns(batch)) if batch.num_rows() <= INLINE_ROWS => {
                model.predict(batch)
            }
            (Self::Onnx(model), Input::Columns(batch)) => {
                let (model, batch) = (Arc::clone(model), batch.clone());
                tokio::task::spawn_blocking(move || model.predict(&batch))
                    .await
                    .unwrap_or_else(|error| Err(Refusal::internal(error.to_string())))
            }
            (Self::Onnx(_), Input::Raw { .. }) => Err(Refusal::bad_request(
                "The model takes a table: send `dataframe_split` or `dataframe_records`.",
            )),
            (Self::Python(workers), Input::Columns(batch)) => {
                let mut question =
                    json!({ "columns": as_json(batch, columns), "rows": batch.num_rows() });
                question["params"] = params.cloned().unwrap_or(Value::Null);
                workers.ask(&question).await
            }
            (Self::Python(workers), Input::Raw { question, .. }) => {
                let mut question = question.clone();
                question["params"] = params.cloned().unwrap_or(Value::Null);
                workers.ask(&question).await
            }
        }
    }
}

/// The examples of a model folder make the first real request as fast as the second.
pub(crate) fn warm_up_body(model: &Path) -> Option<Vec<u8>> {
    let folder: ModelFolder = crate::model_folder::read(model).ok()?; // a model without a readable example is not warmed up
    serde_json::to_vec(&folder.serving_example?).ok()
}

fn as_json(batch: &RecordBatch, columns: &[Column]) -> Vec<Value> {
    columns
        .iter()
        .zip(batch.columns())
        .map(|(column, array)| {
            let values: Vec<Value> = match array.as_primitive_opt::<TimestampMicrosecondType>() {
                Some(times) => times.iter().map(Value::from).collect(),
                None => (0..array.len()).map(|row| cell(array, row)).collect(),
            };
            json!({
                "name": column.name,
                "type": column.kind.as_str(),
                "optional": !column.required,
                "values": values,
            })
        })
        .collect()
}

/// Columns of any source with only the types that [`cell`] tells apart: small integers, decimals and categories are widened.
pub(crate) fn widened(batch: &RecordBatch) -> Vec<ArrayRef> {
    let widen = |array: &ArrayRef| {
        let wide = match array.data_type() {
            DataType::Dictionary(_, value)
                if matches!(**value, DataType::Utf8 | DataType::LargeUtf8) =>
            {
                DataType::Utf8
            }
            kind if kind.is_integer() => DataType::Int64,
            kind if kind.is_numeric() => DataType::Float64,
            _ => return Arc::clone(array),
        };
        // What cannot be widened (an integer above i64) is written as text and refused by name at the endpoint.
        cast(array, &wide).unwrap_or_else(|_| Arc::clone(array))
    };
    batch.columns().iter().map(widen).collect()
}

/// One value of a column as JSON; what JSON cannot say (NaN) is null, and times are ISO 8601.
pub(crate) fn cell(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => Value::from(array.as_boolean().value(row)),
        DataType::Int32 => Value::from(array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => Value::from(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt32 => Value::from(
            array
                .as_primitive::<arrow::datatypes::UInt32Type>()
                .value(row),
        ),
        DataType::Float32 => Value::from(f64::from(array.as_primitive::<Float32Type>().value(row))),
        DataType::Float64 => Value::from(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Value::from(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Value::from(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Value::from(array.as_string_view().value(row)),
        _ => {
            arrow::util::display::array_value_to_string(array, row).map_or(Value::Null, Value::from)
        }
    }
}
