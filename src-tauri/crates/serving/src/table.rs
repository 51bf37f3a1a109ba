//! Rows of a request as typed columns, by the model's signature, with MLflow's rules and errors.
//!
//! MLflow's rules (mlflow/models/utils.py, `_enforce_schema`): extra columns are dropped; a missing required column is an error;
//! an int is good for a float; null in a float is NaN; anything else that would lose information is an error naming the column.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    RecordBatchOptions, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{Field, Schema};
use serde_json::{Map, Value};

use crate::answer::Refusal;
use crate::signature::{Column, ColumnType};

/// A request may not carry more.
pub(crate) const MAX_ROWS: usize = 100_000;

/// Rows as they came, before types.
pub(crate) enum Rows {
    Split {
        columns: Vec<String>,
        data: Vec<Vec<Value>>,
    },
    Records(Vec<Map<String, Value>>),
    /// Column → values.
    Columnar(Map<String, Value>),
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Split { data, .. } => data.len(),
            Self::Records(rows) => rows.len(),
            Self::Columnar(columns) => columns
                .values()
                .next()
                .and_then(Value::as_array)
                .map_or(0, Vec::len),
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::Split { columns, .. } => columns.clone(),
            Self::Records(rows) => {
                rows.iter()
                    .flat_map(Map::keys)
                    .fold(Vec::new(), |mut names, name| {
                        if !names.contains(name) {
                            names.push(name.clone());
                        }
                        names
                    })
            }
            Self::Columnar(columns) => columns.keys().cloned().collect(),
        }
    }

    /// The values of one column; `None` when no row has it.
    pub(crate) fn column(&self, name: &str) -> Option<Vec<&Value>> {
        const NULL: &Value = &Value::Null;
        match self {
            Self::Split { columns, data } => {
                let index = columns.iter().position(|column| column == name)?;
                Some(
                    data.iter()
                        .map(|row| row.get(index).unwrap_or(NULL))
                        .collect(),
                )
            }
            Self::Records(rows) => {
                rows.iter().find(|row| row.contains_key(name))?;
                Some(
                    rows.iter()
                        .map(|row| row.get(name).unwrap_or(NULL))
                        .collect(),
                )
            }
            Self::Columnar(columns) => Some(columns.get(name)?.as_array()?.iter().collect()),
        }
    }
}

/// The typed columns of the signature, in its order.
pub(crate) fn typed(rows: &Rows, columns: &[Column]) -> Result<RecordBatch, Refusal> {
    let missing: Vec<&str> = columns
        .iter()
        .filter(|column| column.required && rows.column(&column.name).is_none())
        .map(|column| column.name.as_str())
        .collect();
    if !missing.is_empty() {
        return Err(missing_columns(&missing, &rows.names()));
    }
    let length = rows.len();
    let mut fields = Vec::with_capacity(columns.len());
    let mut arrays = Vec::with_capacity(columns.len());
    for column in columns {
        fields.push(Field::new(&column.name, column.kind.arrow(), true));
        let Some(values) = rows.column(&column.name) else {
            arrays.push(new_null_array(&column.kind.arrow(), length));
            continue;
        };
        if values.len() != length {
            return Err(Refusal::bad_request(format!(
                "column `{}` has {} values where others have {length}",
                column.name,
                values.len()
            )));
        }
        arrays.push(array(column, &values)?);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(length));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| Refusal::internal(error.to_string()))
}

pub(crate) fn missing_columns(missing: &[&str], given: &[String]) -> Refusal {
    let list = |names: &mut dyn Iterator<Item = &str>| {
        names
            .map(|name| format!("'{name}'"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let missing_text = list(&mut missing.iter().copied());
    let extra = list(&mut given.iter().map(String::as_str).take(20));
    Refusal::invalid_parameter(format!(
        "Model is missing inputs [{missing_text}]. The request has the columns [{extra}]."
    ))
}

fn array(column: &Column, values: &[&Value]) -> Result<ArrayRef, Refusal> {
    Ok(match column.kind {
        ColumnType::Float => Arc::new(
            values
                .iter()
                .map(|value| float(column, value).map(|v| v.map(narrow)))
                .collect::<Result<Float32Array, _>>()?,
        ),
        ColumnType::Double => Arc::new(
            values
                .iter()
                .map(|value| float(column, value))
                .collect::<Result<Float64Array, _>>()?,
        ),
        ColumnType::Integer => Arc::new(
            values
                .iter()
                .map(|value| {
                    let whole = integer(column, value)?;
                    i32::try_from(whole)
                        .map(Some)
                        .map_err(|_| not(column, value))
                })
                .collect::<Result<Int32Array, _>>()?,
        ),
        ColumnType::Long => Arc::new(
            values
                .iter()
                .map(|value| integer(column, value).map(Some))
                .collect::<Result<Int64Array, _>>()?,
        ),
        ColumnType::Boolean => Arc::new(
            values
                .iter()
                .map(|value| value.as_bool().map(Some).ok_or_else(|| not(column, value)))
                .collect::<Result<BooleanArray, _>>()?,
        ),
        ColumnType::String | ColumnType::Binary => Arc::new(
            values
                .iter()
                .map(|value| match value {
                    Value::Null => Ok(None),
                    Value::String(text) => Ok(Some(text.as_str())),
                    Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                        Err(not(column, value))
                    }
                })
                .collect::<Result<StringArray, _>>()?,
        ),
        ColumnType::Datetime => Arc::new(
            values
                .iter()
                .map(|value| instant(column, value))
                .collect::<Result<TimestampMicrosecondArray, _>>()?,
        ),
        ColumnType::Nested => Arc::new(
            values
                .iter()
                .map(|value| (!value.is_null()).then(|| value.to_string()))
                .collect::<StringArray>(),
        ),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the model declares float: this is the cast that it trained with"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

fn not(column: &Column, value: &Value) -> Refusal {
    let mut shown = value.to_string();
    if shown.chars().count() > 60 {
        shown = shown.chars().take(60).chain(['…']).collect();
    }
    Refusal::bad_request(format!(
        "Failed to convert column '{}' to type '{}': {shown} is not of this type.",
        column.name,
        column.kind.as_str()
    ))
}

fn float(column: &Column, value: &Value) -> Result<Option<f64>, Refusal> {
    match value {
        Value::Null => Ok(Some(f64::NAN)),
        Value::Number(number) => number
            .as_f64()
            .filter(|number| number.is_finite())
            .map(Some)
            .ok_or_else(|| not(column, value)),
        // How JSON without NaN spells it, in MLflow's clients and in v2.
        Value::String(text) if text.eq_ignore_ascii_case("nan") => Ok(Some(f64::NAN)),
        Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            Err(not(column, value))
        }
    }
}

fn integer(column: &Column, value: &Value) -> Result<i64, Refusal> {
    if let Some(whole) = value.as_i64() {
        return Ok(whole);
    }
    // 3.0 is 3: CSV readers and JavaScript write it so. Beyond 2^53 a double no longer says which integer is meant.
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            Ok(number as i64)
        }
        _ => Err(not(column, value)),
    }
}

/// ISO 8601 text, or milliseconds since 1970 as pandas' JSON writes them.
fn instant(column: &Column, value: &Value) -> Result<Option<i64>, Refusal> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => number
            .as_i64()
            .and_then(|millis| millis.checked_mul(1000))
            .map(Some)
            .ok_or_else(|| not(column, value)),
        Value::String(text) => arrow::compute::kernels::cast_utils::string_to_timestamp_nanos(text)
            .map(|nanos| Some(nanos.div_euclid(1000)))
            .map_err(|_| not(column, value)),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(not(column, value)),
    }
}
