//! What a model takes and gives, as MLflow writes it into `MLmodel`: columns or tensors, and parameters.
//!
//! Source of the format: mlflow/types/schema.py. Inputs, outputs and params are JSON texts inside the YAML.

use arrow::datatypes::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use specta::Type;

/// MLflow's column types; what is none of the simple ones is handed to Python as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    Boolean,
    Integer,
    Long,
    Float,
    Double,
    String,
    Binary,
    Datetime,
    /// Arrays, objects, maps and `any`.
    Nested,
}

impl ColumnType {
    pub(crate) fn parse(word: &str) -> Self {
        match word {
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "long" => Self::Long,
            "float" => Self::Float,
            "double" => Self::Double,
            "string" => Self::String,
            "binary" => Self::Binary,
            "datetime" => Self::Datetime,
            _ => Self::Nested,
        }
    }

    /// The word that MLflow uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::String => "string",
            Self::Binary => "binary",
            Self::Datetime => "datetime",
            Self::Nested => "any",
        }
    }

    /// A value that a form or a snippet can begin with.
    pub(crate) fn example(self) -> Value {
        match self {
            Self::Boolean => Value::from(false),
            Self::Integer | Self::Long => Value::from(0),
            Self::Float | Self::Double => Value::from(0.0),
            Self::String | Self::Binary => Value::from(""),
            Self::Datetime => Value::from("2024-01-01T00:00:00"),
            Self::Nested => Value::Null,
        }
    }

    /// How a column of this type lies in memory and in the prediction log. Nested values are kept as their JSON text.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int32,
            Self::Long => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::String | Self::Nested | Self::Binary => DataType::Utf8,
            Self::Datetime => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }

    /// The Open Inference Protocol's word.
    #[must_use]
    pub fn v2(self) -> &'static str {
        match self {
            Self::Boolean => "BOOL",
            Self::Integer => "INT32",
            Self::Long => "INT64",
            Self::Float => "FP32",
            Self::Double => "FP64",
            Self::String | Self::Binary | Self::Datetime | Self::Nested => "BYTES",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Column {
    pub name: String,
    pub kind: ColumnType,
    pub required: bool,
}

/// A tensor with MLflow's numpy dtype word; −1 is a dimension of any length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Tensor {
    pub name: Option<String>,
    pub dtype: String,
    #[specta(type = Vec<f64>)]
    pub shape: Vec<i64>,
}

/// What a model takes or gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Inputs {
    Columns(Vec<Column>),
    Tensors(Vec<Tensor>),
    /// The model says nothing about it.
    Unknown,
}

impl Inputs {
    /// The columns, where there are any.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        match self {
            Self::Columns(columns) => columns,
            Self::Tensors(_) | Self::Unknown => &[],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Param {
    pub name: String,
    pub kind: String,
    /// The default as JSON text.
    pub default: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Signature {
    pub inputs: Inputs,
    pub outputs: Inputs,
    pub params: Vec<Param>,
}

impl Signature {
    pub(crate) fn unknown() -> Self {
        Self {
            inputs: Inputs::Unknown,
            outputs: Inputs::Unknown,
            params: Vec::new(),
        }
    }

    /// From the three JSON texts.
    pub(crate) fn parse(
        inputs: Option<&str>,
        outputs: Option<&str>,
        params: Option<&str>,
    ) -> serde_json::Result<Self> {
        Ok(Self {
            inputs: parse_side(inputs)?,
            outputs: parse_side(outputs)?,
            params: parse_params(params)?,
        })
    }
}

fn parse_side(text: Option<&str>) -> serde_json::Result<Inputs> {
    let Some(text) = text else {
        return Ok(Inputs::Unknown);
    };
    let entries: Vec<Value> = serde_json::from_str(text)?;
    let name = |entry: &Value| entry.get("name").and_then(Value::as_str).map(str::to_owned);
    if entries
        .iter()
        .any(|entry| entry.get("tensor-spec").is_some())
    {
        return Ok(Inputs::Tensors(
            entries
                .iter()
                .filter_map(|entry| {
                    let spec = entry.get("tensor-spec")?;
                    Some(Tensor {
                        name: name(entry),
                        dtype: spec.get("dtype")?.as_str()?.to_owned(),
                        shape: spec
                            .get("shape")?
                            .as_array()?
                            .iter()
                            .filter_map(Value::as_i64)
                            .collect(),
                    })
                })
                .collect(),
        ));
    }
    let columns = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| Column {
            // A list without names (a numpy array, a list of texts) has columns 0, 1, …
            name: name(entry).unwrap_or_else(|| index.to_string()),
            kind: ColumnType::parse(entry.get("type").and_then(Value::as_str).unwrap_or("any")),
            required: entry
                .get("required")
                .and_then(Value::as_bool)
                .unwrap_or(true),
        })
        .collect();
    Ok(Inputs::Columns(columns))
}

fn parse_params(text: Option<&str>) -> serde_json::Result<Vec<Param>> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    let entries: Option<Vec<Value>> = serde_json::from_str(text)?;
    Ok(entries
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| {
            Some(Param {
                name: entry.get("name")?.as_str()?.to_owned(),
                kind: entry
                    .get("type")
                    .and_then(Value::as_str)
                    .unwrap_or("any")
                    .to_owned(),
                default: entry.get("default").unwrap_or(&Value::Null).to_string(),
            })
        })
        .collect())
}
