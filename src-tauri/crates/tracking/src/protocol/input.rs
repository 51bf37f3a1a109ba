//! Reading what clients send: query parameters or JSON, where 64-bit integers may be strings and NaN may be a word.

use lapwing_core::{RunId, Timestamp};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// Query parameters as an object; a repeated key becomes a list.
pub(super) fn from_query(query: &str) -> Value {
    let mut object = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decode(key), Value::String(decode(value)));
        match object.get_mut(&key) {
            None => {
                object.insert(key, value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(known) => *known = Value::Array(vec![known.take(), value]),
        }
    }
    Value::Object(object)
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let code = std::str::from_utf8(&digits)
                    .ok()
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok()); // Not a code: dropped.
                bytes.extend(code);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A JSON body. Python writes `NaN` and `Infinity` as bare words, which JSON does not know: they are read as text.
pub(super) fn from_body(body: &[u8]) -> Result<Value> {
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(_) => {
            let text = std::str::from_utf8(body).map_err(|_| bad("it is no UTF-8"))?;
            serde_json::from_str(&quote_words(text)).map_err(|error| bad(&error.to_string()))?
        }
    };
    if value.is_object() {
        Ok(value)
    } else {
        Err(bad("an object is expected"))
    }
}

fn bad(why: &str) -> Error {
    Error::Invalid(format!("Malformed request body: {why}"))
}

/// `NaN`, `Infinity` and `-Infinity` outside of strings, put in quotes.
fn quote_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let (mut inside, mut escaped) = (false, false);
    while let Some(letter) = rest.chars().next() {
        if !inside
            && let Some(word) = ["NaN", "-Infinity", "Infinity"]
                .into_iter()
                .find(|word| rest.starts_with(word))
        {
            out.push_str(&format!("\"{word}\""));
            rest = rest.get(word.len()..).unwrap_or_default();
            continue;
        }
        if letter == '"' && !escaped {
            inside = !inside;
        }
        escaped = letter == '\\' && !escaped;
        out.push(letter);
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
    }
    out
}

/// A text that must be there.
pub(super) fn text<'a>(input: &'a Value, key: &str) -> Result<&'a str> {
    optional(input, key)
        .ok_or_else(|| Error::Invalid(format!("Missing value for required parameter '{key}'.")))
}

pub(super) fn optional<'a>(input: &'a Value, key: &str) -> Option<&'a str> {
    input
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// An integer, as a number or as its digits.
pub(super) fn integer(input: &Value, key: &str) -> Result<Option<i64>> {
    let wrong = || {
        Error::Invalid(format!(
            "Invalid value for parameter '{key}': an integer is expected"
        ))
    };
    match input.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => number
            .as_i64()
            .or_else(|| {
                number
                    .as_f64()
                    .filter(|value| value.fract() == 0.0)
                    .map(|value| value as i64)
            })
            .map(Some)
            .ok_or_else(wrong),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

pub(super) fn count(input: &Value, key: &str) -> Result<Option<u32>> {
    let wrong = || {
        Error::Invalid(format!(
            "Invalid value for parameter '{key}': it is out of range"
        ))
    };
    integer(input, key)?
        .map(|number| u32::try_from(number).map_err(|_| wrong()))
        .transpose()
}

pub(super) fn time(input: &Value, key: &str) -> Result<Option<Timestamp>> {
    Ok(integer(input, key)?.map(Timestamp))
}

/// A metric's value: a number, or one of the words for what JSON has no number for.
pub(super) fn float(input: &Value, key: &str) -> Result<f64> {
    let wrong = || {
        Error::Invalid(format!(
            "Invalid value for parameter '{key}': a number is expected"
        ))
    };
    match input.get(key) {
        Some(Value::Number(number)) => number.as_f64().ok_or_else(wrong),
        Some(Value::String(text)) => match text.as_str() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            other => other.parse().map_err(|_| wrong()),
        },
        _ => Err(wrong()),
    }
}

/// A list; a single value of a query counts as a list of one.
pub(super) fn list(input: &Value, key: &str) -> Vec<Value> {
    match input.get(key) {
        Some(Value::Array(list)) => list.clone(),
        None | Some(Value::Null) => Vec::new(),
        Some(one) => vec![one.clone()],
    }
}

pub(super) fn texts(input: &Value, key: &str) -> Vec<String> {
    list(input, key)
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// `[{key, value}, …]`.
pub(super) fn pairs(input: &Value, key: &str) -> Result<Vec<(String, String)>> {
    list(input, key)
        .iter()
        .map(|pair| {
            let value = pair
                .get("value")
                .and_then(Value::as_str)
                .unwrap_or_default();
            Ok((text(pair, "key")?.to_owned(), value.to_owned()))
        })
        .collect()
}

pub(super) fn run_id(input: &Value) -> Result<RunId> {
    let id = optional(input, "run_id").or_else(|| optional(input, "run_uuid"));
    let id = id.ok_or_else(|| {
        Error::Invalid("Missing value for required parameter 'run_id'.".to_owned())
    })?;
    id.parse()
        .map_err(|_| Error::NotFound(format!("Run with id={id} not found")))
}

pub(super) fn experiment_id(input: &Value) -> Result<i64> {
    let id = integer(input, "experiment_id")?;
    id.ok_or_else(|| {
        Error::Invalid("Missing value for required parameter 'experiment_id'.".to_owned())
    })
}
