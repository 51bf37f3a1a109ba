//! The Open Inference Protocol, version 2, over HTTP and JSON, with its binary extension.

use serde_json::{Value, json};

use crate::answer::{Answer, Refusal};
use crate::runtime::Input;
use crate::signature::{ColumnType, Inputs, Signature};
use crate::table::{MAX_ROWS, Rows, typed};

/// The length of the JSON in front of binary tensor data.
pub(crate) const HEADER_LENGTH: &str = "inference-header-content-length";

pub(crate) struct Request {
    pub(crate) id: Option<String>,
    pub(crate) input: Input,
    /// The outputs that are asked for in binary.
    pub(crate) binary_output: bool,
}

pub(crate) fn server(name: &str) -> Value {
    json!({ "name": name, "version": env!("CARGO_PKG_VERSION"), "extensions": ["binary_tensor_data"] })
}

/// `GET /v2/models/{m}`.
pub(crate) fn model(
    name: &str,
    versions: &[String],
    platform: &str,
    signature: &Signature,
    scores: bool,
) -> Value {
    let mut outputs = match &signature.outputs {
        Inputs::Columns(columns) if columns.len() > 1 => columns
            .iter()
            .map(|column| json!({ "name": column.name, "datatype": column.kind.v2(), "shape": [-1, 1] }))
            .collect(),
        Inputs::Columns(columns) => vec![json!({
            "name": "predictions",
            "datatype": columns.first().map_or("FP64", |column| column.kind.v2()),
            "shape": [-1],
        })],
        Inputs::Tensors(tensors) => vec![json!({
            "name": "predictions",
            "datatype": tensors.first().map_or("FP64", |tensor| datatype(&tensor.dtype)),
            "shape": tensors.first().map_or_else(|| vec![-1], |tensor| tensor.shape.clone()),
        })],
        Inputs::Unknown => vec![json!({ "name": "predictions", "datatype": "FP64", "shape": [-1] })],
    };
    if scores {
        outputs.push(json!({ "name": "scores", "datatype": "FP64", "shape": [-1] }));
    }
    let inputs: Vec<Value> = match &signature.inputs {
        Inputs::Columns(columns) => columns
            .iter()
            .map(|column| json!({ "name": column.name, "datatype": column.kind.v2(), "shape": [-1, 1] }))
            .collect(),
        Inputs::Tensors(tensors) => tensors
            .iter()
            .map(|tensor| {
                json!({
                    "name": tensor.name.as_deref().unwrap_or("input"),
                    "datatype": datatype(&tensor.dtype),
                    "shape": tensor.shape,
                })
            })
            .collect(),
        Inputs::Unknown => Vec::new(),
    };
    json!({ "name": name, "versions": versions, "platform": platform, "inputs": inputs, "outputs": outputs })
}

fn datatype(dtype: &str) -> &'static str {
    match dtype {
        "bool" => "BOOL",
        "int8" => "INT8",
        "int16" => "INT16",
        "int32" => "INT32",
        "int64" => "INT64",
        "uint8" => "UINT8",
        "uint16" => "UINT16",
        "uint32" => "UINT32",
        "uint64" => "UINT64",
        "float16" => "FP16",
        "float32" => "FP32",
        "float64" => "FP64",
        _ => "BYTES",
    }
}

/// Reads an inference request; `header_length` is given when binary data follows the JSON.
pub(crate) fn parse(
    body: &[u8],
    header_length: Option<usize>,
    signature: &Signature,
) -> Result<Request, Refusal> {
    let (head, mut binary) = match header_length {
        Some(length) if length <= body.len() => body.split_at(length),
        Some(_) => {
            return Err(Refusal::bad_request(
                "the header Inference-Header-Content-Length is longer than the body",
            ));
        }
        None => (body, &[][..]),
    };
    let object = super::mlflow::json_object(head)?;
    let id = object.get("id").and_then(Value::as_str).map(str::to_owned);
    let inputs = object
        .get("inputs")
        .and_then(Value::as_array)
        .ok_or_else(|| Refusal::bad_request("the request needs a list `inputs`"))?;
    let tensors = inputs
        .iter()
        .map(|input| tensor(input, &mut binary))
        .collect::<Result<Vec<_>, _>>()?;
    let binary_output = object
        .get("outputs")
        .and_then(Value::as_array)
        .is_some_and(|outputs| {
            outputs
                .iter()
                .any(|output| output["parameters"]["binary_data"] == true)
        })
        || object
            .get("parameters")
            .is_some_and(|parameters| parameters["binary_data_output"] == true);
    let input = to_input(tensors, signature)?;
    if input.rows() > MAX_ROWS {
        return Err(Refusal::too_large(format!(
            "a request has at most {MAX_ROWS} rows; this one has {}",
            input.rows()
        )));
    }
    Ok(Request {
        id,
        input,
        binary_output,
    })
}

struct WireTensor {
    name: String,
    shape: Vec<usize>,
    data: Vec<Value>,
}

fn tensor(input: &Value, binary: &mut &[u8]) -> Result<WireTensor, Refusal> {
    let text = |key: &str| {
        input
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| Refusal::bad_request(format!("an input needs a text `{key}`")))
    };
    let (name, datatype) = (text("name")?, text("datatype")?);
    let wrong = |why: &str| Refusal::bad_request(format!("input `{name}`: {why}"));
    let shape = input
        .get("shape")
        .and_then(Value::as_array)
        .and_then(|shape| {
            shape
                .iter()
                .map(|size| size.as_u64().and_then(|size| usize::try_from(size).ok()))
                .collect()
        })
        .ok_or_else(|| wrong("`shape` must be a list of whole numbers"))?;
    let shape: Vec<usize> = shape;
    let count = shape
        .iter()
        .try_fold(1_usize, |product, size| product.checked_mul(*size));
    let count = count.ok_or_else(|| wrong("`shape` is too large"))?;
    let data = if let Some(size) = input["parameters"].get("binary_data_size") {
        let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
        let size = size
            .filter(|size| *size <= binary.len())
            .ok_or_else(|| wrong("binary_data_size does not fit the body"))?;
        let (mine, rest) = binary.split_at(size);
        *binary = rest;
        decode(&datatype, mine)
            .ok_or_else(|| wrong(&format!("the binary data is not of type {datatype}")))?
    } else {
        let mut flat = Vec::new();
        flatten(
            input.get("data").ok_or_else(|| wrong("it has no data"))?,
            &mut flat,
        );
        flat
    };
    if data.len() != count {
        return Err(wrong(&format!(
            "shape {shape:?} means {count} values, and {} are given",
            data.len()
        )));
    }
    Ok(WireTensor { name, shape, data })
}

fn flatten(value: &Value, flat: &mut Vec<Value>) {
    match value {
        Value::Array(entries) => entries.iter().for_each(|entry| flatten(entry, flat)),
        other => flat.push(other.clone()),
    }
}

fn decode(datatype: &str, bytes: &[u8]) -> Option<Vec<Value>> {
    macro_rules! numbers {
        ($kind:ty) => {{
            let chunks = bytes.chunks_exact(size_of::<$kind>());
            if !chunks.remainder().is_empty() {
                return None;
            }
            chunks
                .map(|chunk| Some(Value::from(<$kind>::from_le_bytes(chunk.try_into().ok()?))))
                .collect()
        }};
    }
    match datatype {
        "BOOL" => Some(bytes.iter().map(|byte| Value::from(*byte != 0)).collect()),
        "INT8" => numbers!(i8),
        "INT16" => numbers!(i16),
        "INT32" => numbers!(i32),
        "INT64" => numbers!(i64),
        "UINT8" => numbers!(u8),
        "UINT16" => numbers!(u16),
        "UINT32" => numbers!(u32),
        "UINT64" => numbers!(u64),
        "FP32" => numbers!(f32),
        "FP64" => numbers!(f64),
        "BYTES" => {
            let mut rest = bytes;
            let mut texts = Vec::new();
            while !rest.is_empty() {
                let (length, tail) = rest.split_first_chunk::<4>()?;
                let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
                let text = tail.get(..length)?;
                texts.push(Value::from(std::str::from_utf8(text).ok()?));
                rest = &tail[length..];
            }
            Some(texts)
        }
        _ => None,
    }
}

fn to_input(tensors: Vec<WireTensor>, signature: &Signature) -> Result<Input, Refusal> {
    let Inputs::Columns(columns) = &signature.inputs else {
        return Ok(raw(tensors, signature));
    };
    // One tensor [rows, columns] holds a whole numeric table in the order of the signature.
    if let [single] = tensors.as_slice()
        && columns.len() > 1
        && single.shape.len() == 2
        && single.shape.get(1) == Some(&columns.len())
        && !columns.iter().any(|column| column.name == single.name)
    {
        let data = single
            .data
            .chunks(columns.len())
            .map(<[Value]>::to_vec)
            .collect();
        let names = columns.iter().map(|column| column.name.clone()).collect();
        return Ok(Input::Columns(typed(
            &Rows::Split {
                columns: names,
                data,
            },
            columns,
        )?));
    }
    let columnar = tensors
        .into_iter()
        .map(|tensor| {
            let rows = tensor.shape.first().copied().unwrap_or(1);
            if tensor.data.len() == rows {
                Ok((tensor.name, Value::Array(tensor.data)))
            } else {
                Err(Refusal::bad_request(format!(
                    "input `{}` must have the shape [rows, 1]",
                    tensor.name
                )))
            }
        })
        .collect::<Result<_, _>>()?;
    let rows = Rows::Columnar(columnar);
    typed(&rows, columns).map(Input::Columns)
}

fn raw(tensors: Vec<WireTensor>, signature: &Signature) -> Input {
    let rows = tensors
        .first()
        .and_then(|tensor| tensor.shape.first().copied())
        .unwrap_or(1);
    let declared = match &signature.inputs {
        Inputs::Tensors(declared) => declared.as_slice(),
        Inputs::Columns(_) | Inputs::Unknown => &[],
    };
    let unnamed = declared.first().filter(|tensor| tensor.name.is_none());
    if let (Some(unnamed), [single]) = (unnamed, tensors.as_slice()) {
        let question =
            json!({ "data": nested(&single.data, &single.shape), "dtype": unnamed.dtype });
        return Input::Raw { question, rows };
    }
    let dtypes: serde_json::Map<String, Value> = declared
        .iter()
        .filter_map(|tensor| Some((tensor.name.clone()?, Value::from(tensor.dtype.as_str()))))
        .collect();
    let data: serde_json::Map<String, Value> = tensors
        .into_iter()
        .map(|tensor| (tensor.name, nested(&tensor.data, &tensor.shape)))
        .collect();
    Input::Raw {
        question: json!({ "data": data, "dtypes": dtypes }),
        rows,
    }
}

fn nested(data: &[Value], shape: &[usize]) -> Value {
    match shape {
        [] => data.first().cloned().unwrap_or(Value::Null),
        [_] => Value::Array(data.to_vec()),
        [_, inner @ ..] => {
            let size = inner.iter().product::<usize>().max(1);
            data.chunks(size)
                .map(|chunk| nested(chunk, inner))
                .collect()
        }
    }
}

/// The answer: its JSON, and the binary data behind it when that was asked for.
pub(crate) fn answer(
    name: &str,
    version: &str,
    id: &str,
    answer: &Answer,
    ids: &[String],
    binary: bool,
) -> (Value, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut outputs = Vec::new();
    for (name, values) in columns(answer) {
        let kind = kind_of(&values);
        let mut output = json!({ "name": name, "datatype": kind.v2(), "shape": [values.len()] });
        if binary {
            let before = bytes.len();
            encode(kind, &values, &mut bytes);
            output["parameters"] = json!({ "binary_data_size": bytes.len() - before });
        } else {
            output["data"] = Value::Array(values);
        }
        outputs.push(output);
    }
    let body = json!({
        "model_name": name,
        "model_version": version,
        "id": id,
        "parameters": { "prediction_ids": ids },
        "outputs": outputs,
    });
    (body, bytes)
}

/// One output for each column of the answer.
fn columns(answer: &Answer) -> Vec<(String, Vec<Value>)> {
    let mut columns: Vec<(String, Vec<Value>)> = match answer.predictions.first() {
        Some(Value::Object(first)) => first
            .keys()
            .map(|key| {
                (
                    key.clone(),
                    answer
                        .predictions
                        .iter()
                        .map(|row| row[key.as_str()].clone())
                        .collect(),
                )
            })
            .collect(),
        _ => vec![("predictions".to_owned(), answer.predictions.clone())],
    };
    if let Some(whole) = &answer.whole {
        columns = vec![(
            "predictions".to_owned(),
            vec![Value::from(whole.to_string())],
        )];
    }
    if let Some(scores) = &answer.scores {
        columns.push((
            "scores".to_owned(),
            scores.iter().map(|score| Value::from(*score)).collect(),
        ));
    }
    columns
}

fn kind_of(values: &[Value]) -> ColumnType {
    if values.iter().all(Value::is_boolean) {
        ColumnType::Boolean
    } else if values.iter().all(Value::is_i64) {
        ColumnType::Long
    } else if values
        .iter()
        .all(|value| value.is_number() || value.is_null())
    {
        ColumnType::Double
    } else {
        ColumnType::String
    }
}

fn encode(kind: ColumnType, values: &[Value], bytes: &mut Vec<u8>) {
    for value in values {
        match kind {
            ColumnType::Boolean => bytes.push(u8::from(value == &Value::Bool(true))),
            ColumnType::Long => bytes.extend(value.as_i64().unwrap_or_default().to_le_bytes()),
            ColumnType::Double => bytes.extend(value.as_f64().unwrap_or(f64::NAN).to_le_bytes()),
            _ => {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
                bytes.extend(text.as_bytes());
            }
        }
    }
}

/// An error's body.
pub(crate) fn error_body(refusal: &Refusal) -> Value {
    json!({ "error": refusal.message })
}
