//! MLflow's scoring protocol: what `/invocations` takes and gives (mlflow/pyfunc/scoring_server).

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Refusal};
use crate::runtime::Input;
use crate::signature::{Inputs, Signature, Tensor};
use crate::table::{MAX_ROWS, Rows, typed};

const KEYS: [&str; 4] = [
    "dataframe_split",
    "dataframe_records",
    "instances",
    "inputs",
];

/// A parsed body.
pub(crate) struct Request {
    pub(crate) input: Input,
    pub(crate) params: Option<Value>,
    /// A column `prediction_id` that the model does not have: the client's own ids.
    pub(crate) ids: Option<Vec<String>>,
}

enum Content {
    Json,
    Csv,
    Parquet,
}

/// Reads a body of any of the accepted content types.
pub(crate) fn parse(
    headers: &HeaderMap,
    body: &[u8],
    signature: &Signature,
) -> Result<Request, Refusal> {
    match content(headers)? {
        Content::Json => parse_json(body, signature),
        Content::Csv => {
            let rows = csv_rows(body, signature)?;
            let ids = own_ids(&rows, signature);
            Ok(Request {
                input: table(rows, signature)?,
                params: None,
                ids,
            })
        }
        Content::Parquet => {
            let rows = parquet_rows(body)?;
            let ids = own_ids(&rows, signature);
            Ok(Request {
                input: table(rows, signature)?,
                params: None,
                ids,
            })
        }
    }
}

fn content(headers: &HeaderMap) -> Result<Content, Refusal> {
    let text = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    for parameter in parts.filter(|part| !part.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let utf8 = value.trim_matches('"').eq_ignore_ascii_case("utf-8");
        if !name.eq_ignore_ascii_case("charset") || !utf8 {
            return Err(Refusal::unsupported_media(format!(
                "the content type's parameter `{parameter}` is not supported"
            )));
        }
    }
    match kind.as_str() {
        "application/json" => Ok(Content::Json),
        "text/csv" => Ok(Content::Csv),
        "application/vnd.apache.parquet" => Ok(Content::Parquet),
        _ => Err(Refusal::unsupported_media(format!(
            "This predictor only supports the content types: text/csv, application/json, application/vnd.apache.parquet. \
             Got '{text}'."
        ))),
    }
}

/// JSON with its nesting bounded (serde_json stops at 128).
pub(crate) fn json_object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Refusal::bad_request("Invalid input. The body is empty."));
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        Refusal::bad_request(format!(
            "Invalid input. Ensure that input is a valid JSON formatted string. {error}"
        ))
    })?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(Refusal::bad_request(
            "Invalid input. The body must be a JSON object.",
        )),
    }
}

fn parse_json(body: &[u8], signature: &Signature) -> Result<Request, Refusal> {
    let mut object = json_object(body)?;
    let params = object.remove("params").filter(|params| !params.is_null());
    if params.as_ref().is_some_and(|params| !params.is_object()) {
        return Err(Refusal::bad_request(
            "Invalid input. `params` must be an object.",
        ));
    }
    let given: Vec<&str> = KEYS
        .into_iter()
        .filter(|key| object.contains_key(*key))
        .collect();
    let [key] = given.as_slice() else {
        return Err(Refusal::bad_request(format!(
            "Invalid input. The input must contain exactly one of {KEYS:?}; it has {:?}.",
            object.keys().take(20).collect::<Vec<_>>()
        )));
    };
    let value = object.remove(*key).unwrap_or(Value::Null);
    let rows = match *key {
        "dataframe_split" => split(value)?,
        "dataframe_records" => records(value)?,
        _ => {
            let input = instances(value, signature)?;
            return bounded(Request {
                input,
                params,
                ids: None,
            });
        }
    };
    let ids = own_ids(&rows, signature);
    bounded(Request {
        input: table(rows, signature)?,
        params,
        ids,
    })
}

fn bounded(request: Request) -> Result<Request, Refusal> {
    let rows = request.input.rows();
    if rows > MAX_ROWS {
        return Err(Refusal::too_large(format!(
            "A request has at most {MAX_ROWS} rows; this one has {rows}."
        )));
    }
    Ok(request)
}

fn own_ids(rows: &Rows, signature: &Signature) -> Option<Vec<String>> {
    let name = crate::predictions::ID;
    if signature
        .inputs
        .columns()
        .iter()
        .any(|column| column.name == name)
    {
        return None;
    }
    Some(rows.column(name)?.into_iter().map(name_of).collect())
}

fn name_of(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn split(mut value: Value) -> Result<Rows, Refusal> {
    let wrong =
        |why: &str| Refusal::bad_request(format!("Invalid input. `dataframe_split` {why}."));
    let object = value
        .as_object_mut()
        .ok_or_else(|| wrong("must be an object with `columns` and `data`"))?;
    let data = match object.remove("data") {
        Some(Value::Array(data)) => data,
        _ => return Err(wrong("needs a list `data` of rows")),
    };
    let mut rows = Vec::with_capacity(data.len());
    for row in data {
        let Value::Array(row) = row else {
            return Err(wrong("has a row in `data` that is not a list"));
        };
        rows.push(row);
    }
    let width = rows.first().map_or(0, Vec::len);
    let columns: Vec<String> = match object.remove("columns") {
        Some(Value::Array(columns)) => columns.iter().map(name_of).collect(),
        None => (0..width).map(|index| index.to_string()).collect(),
        Some(_) => return Err(wrong("has `columns` that are not a list")),
    };
    if let Some(index) = rows.iter().position(|row| row.len() != columns.len()) {
        return Err(wrong(&format!(
            "has {} columns, and row {index} has {} values",
            columns.len(),
            rows[index].len()
        )));
    }
    Ok(Rows::Split {
        columns,
        data: rows,
    })
}

fn records(value: Value) -> Result<Rows, Refusal> {
    let wrong = || {
        Refusal::bad_request(
            "Invalid input. `dataframe_records` must be a list of objects, column to value.",
        )
    };
    let Value::Array(entries) = value else {
        return Err(wrong());
    };
    let rows = entries
        .into_iter()
        .map(|entry| match entry {
            Value::Object(row) => Ok(row),
            _ => Err(wrong()),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Rows::Records(rows))
}

/// A table by the signature; without columns in it, as it is, for Python.
fn table(rows: Rows, signature: &Signature) -> Result<Input, Refusal> {
    match &signature.inputs {
        Inputs::Columns(columns) => Ok(Input::Columns(typed(&rows, columns)?)),
        Inputs::Tensors(_) | Inputs::Unknown => {
            let names = rows.names();
            let columns: Vec<Vec<&Value>> =
                names.iter().filter_map(|name| rows.column(name)).collect();
            let count = rows.len();
            let data: Vec<Value> = (0..count)
                .map(|row| {
                    columns
                        .iter()
                        .map(|column| column.get(row).copied().cloned().unwrap_or(Value::Null))
                        .collect()
                })
                .collect();
            Ok(Input::Raw {
                question: json!({ "table": true, "data": { "columns": names, "data": data } }),
                rows: count,
            })
        }
    }
}

/// TensorFlow Serving's `instances` and `inputs`: rows or columns, tensors or a table.
fn instances(value: Value, signature: &Signature) -> Result<Input, Refusal> {
    let columns = match &signature.inputs {
        Inputs::Columns(columns) => columns,
        Inputs::Tensors(tensors) => return Ok(tensor_input(value, tensors)),
        Inputs::Unknown => {
            let rows = value.as_array().map_or(1, Vec::len);
            return Ok(Input::Raw {
                question: json!({ "data": value }),
                rows,
            });
        }
    };
    match value {
        Value::Object(columnar) => {
            let columnar = columnar
                .into_iter()
                .map(|(name, value)| {
                    (
                        name,
                        if value.is_array() {
                            value
                        } else {
                            Value::Array(vec![value])
                        },
                    )
                })
                .collect();
            table(Rows::Columnar(columnar), signature)
        }
        Value::Array(entries) if entries.iter().all(Value::is_object) => {
            table(records(Value::Array(entries))?, signature)
        }
        Value::Array(entries) if entries.iter().all(Value::is_array) => {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            table(
                split(json!({ "columns": names, "data": entries }))?,
                signature,
            )
        }
        Value::Array(entries) if columns.len() == 1 => {
            let data: Vec<Value> = entries
                .into_iter()
                .map(|value| Value::Array(vec![value]))
                .collect();
            table(
                split(json!({ "columns": [columns[0].name], "data": data }))?,
                signature,
            )
        }
        _ => Err(Refusal::bad_request(
            "Invalid input. `instances` and `inputs` are a list of rows, or an object of column to values.",
        )),
    }
}

fn tensor_input(value: Value, tensors: &[Tensor]) -> Input {
    let rows = match &value {
        Value::Object(named) => named
            .values()
            .next()
            .and_then(Value::as_array)
            .map_or(1, Vec::len),
        Value::Array(rows) => rows.len(),
        _ => 1,
    };
    let named = tensors
        .iter()
        .filter_map(|tensor| Some((tensor.name.clone()?, tensor.dtype.as_str())));
    let dtypes: Map<String, Value> = named
        .map(|(name, dtype)| (name, Value::from(dtype)))
        .collect();
    let dtype = tensors
        .first()
        .filter(|tensor| tensor.name.is_none())
        .map(|tensor| tensor.dtype.as_str());
    let dtypes = (!dtypes.is_empty()).then_some(dtypes);
    Input::Raw {
        question: json!({ "data": value, "dtype": dtype, "dtypes": dtypes }),
        rows,
    }
}

/// CSV has no types: a cell is what its column is declared to be, and an empty one is null.
fn csv_rows(body: &[u8], signature: &Signature) -> Result<Rows, Refusal> {
    let wrong = |error: csv::Error| {
        Refusal::bad_request(format!("Invalid input. The CSV cannot be read. {error}"))
    };
    let mut reader = csv::Reader::from_reader(body);
    let columns: Vec<String> = reader
        .headers()
        .map_err(wrong)?
        .iter()
        .map(str::to_owned)
        .collect();
    if columns.is_empty() || columns == [""] {
        return Err(Refusal::bad_request("Invalid input. The body is empty."));
    }
    let kinds: Vec<_> = columns
        .iter()
        .map(|name| {
            signature
                .inputs
                .columns()
                .iter()
                .find(|column| column.name == *name)
                .map(|column| column.kind)
        })
        .collect();
    let mut data = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        data.push(
            record
                .iter()
                .zip(&kinds)
                .map(|(cell, kind)| csv_cell(cell, *kind))
                .collect(),
        );
        if data.len() > MAX_ROWS {
            return Err(Refusal::too_large(format!(
                "A request has at most {MAX_ROWS} rows."
            )));
        }
    }
    Ok(Rows::Split { columns, data })
}

fn csv_cell(cell: &str, kind: Option<crate::ColumnType>) -> Value {
    use crate::ColumnType;
    if cell.is_empty() {
        return Value::Null;
    }
    let guess = || match cell.parse::<i64>() {
        Ok(whole) => Value::from(whole),
        Err(_) => cell
            .parse::<f64>()
            .map_or_else(|_| Value::from(cell), Value::from),
    };
    match kind {
        Some(ColumnType::String | ColumnType::Binary | ColumnType::Datetime) => Value::from(cell),
        Some(ColumnType::Boolean) => match cell.to_ascii_lowercase().as_str() {
            "true" => Value::from(true),
            "false" => Value::from(false),
            _ => Value::from(cell),
        },
        Some(
            ColumnType::Integer
            | ColumnType::Long
            | ColumnType::Float
            | ColumnType::Double
            | ColumnType::Nested,
        )
        | None => guess(),
    }
}

fn parquet_rows(body: &[u8]) -> Result<Rows, Refusal> {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let wrong = |error: String| {
        Refusal::bad_request(format!(
            "Invalid input. The Parquet file cannot be read. {error}"
        ))
    };
    let bytes = axum::body::Bytes::copy_from_slice(body);
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .map_err(|error| wrong(error.to_string()))?;
    let count =
        usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(usize::MAX);
    if count > MAX_ROWS {
        return Err(Refusal::too_large(format!(
            "A request has at most {MAX_ROWS} rows; this one has {count}."
        )));
    }
    let columns: Vec<String> = builder
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let mut data = Vec::with_capacity(count);
    for batch in builder.build().map_err(|error| wrong(error.to_string()))? {
        let batch = batch.map_err(|error| wrong(error.to_string()))?;
        let arrays = crate::runtime::widened(&batch);
        for row in 0..batch.num_rows() {
            data.push(
                arrays
                    .iter()
                    .map(|column| crate::runtime::cell(column, row))
                    .collect(),
            );
        }
    }
    Ok(Rows::Split { columns, data })
}

/// The answer's body: MLflow's `predictions`, and beside it what Lapwing adds.
pub(crate) fn answer_body(answer: &Answer, ids: &[String]) -> Value {
    let predictions = answer
        .whole
        .clone()
        .unwrap_or_else(|| Value::Array(answer.predictions.clone()));
    let mut body = json!({ "predictions": predictions });
    if let Some(scores) = &answer.scores {
        body["scores"] = scores.iter().map(|score| Value::from(*score)).collect();
    }
    body["prediction_ids"] = ids.iter().map(|id| Value::from(id.as_str())).collect();
    body
}

/// An error's body.
pub(crate) fn error_body(refusal: &Refusal) -> Value {
    json!({ "error_code": refusal.code, "message": refusal.message })
}
