//! One value of a parameter, metric or pipeline file, with the meaning that Python gives it: DVC compares, prints and hashes these
//! as Python objects, so equality and text here are Python's.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};

use crate::{Result, params::syntax, python, yaml};

/// A scalar, list or mapping. Mappings keep the order of the file; keys are strings in practice, but YAML allows any scalar.
#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(String),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// A string value.
    pub fn str(text: impl Into<String>) -> Self {
        Self::Str(text.into())
    }

    /// Reads a YAML text as DVC does: version 1.2, so `yes` is a string and `010` is ten.
    pub fn from_yaml(text: &str) -> Result<Self> {
        yaml::parse(text)
            .map(|node| node.to_value())
            .map_err(|error| syntax("the text", "YAML", error.line, error.message))
    }

    /// Block YAML with the layout of ruamel, which writes DVC's files.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        yaml::emit(self, 0)
    }

    /// The text of Python's `json.dumps(value, sort_keys=True)`.
    #[must_use]
    pub fn to_python_json(&self) -> String {
        python::json_dumps(self)
    }

    /// The value under a string key of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Map(entries) => entries
                .iter()
                .find(|(name, _)| matches!(name, Self::Str(text) if text == key))
                .map(|(_, value)| value),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Str(_)
            | Self::List(_) => None,
        }
    }

    /// Puts a value under a string key: in place where the key exists, else at the end. Does nothing to what is no mapping.
    pub fn set(&mut self, key: &str, value: Value) {
        if let Self::Map(entries) = self {
            match entries
                .iter_mut()
                .find(|(name, _)| matches!(name, Self::Str(text) if text == key))
            {
                Some((_, old)) => *old = value,
                None => entries.push((Self::str(key), value)),
            }
        }
    }

    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(text) = self {
            Some(text)
        } else {
            None
        }
    }

    #[must_use]
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Self::List(items) = self {
            Some(items)
        } else {
            None
        }
    }

    #[must_use]
    pub fn as_map(&self) -> Option<&[(Value, Value)]> {
        if let Self::Map(entries) = self {
            Some(entries)
        } else {
            None
        }
    }

    /// The number for a chart or a comparison; true and false are no numbers.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a metric is shown and compared as a double"
            )]
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Null | Self::Bool(_) | Self::Str(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// What kind of value this is, in the words of error messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Str(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    /// The value at a dotted path as DVC's parameters name it: keys of mappings, indexes of lists.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Value> {
        path.split('.')
            .try_fold(self, |value, segment| match value {
                Self::Map(entries) => entries
                    .iter()
                    .find(|(key, _)| key.python_str() == segment)
                    .map(|(_, value)| value),
                Self::List(items) => segment.parse::<usize>().ok().and_then(|i| items.get(i)),
                Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Str(_) => None,
            })
    }

    /// Python's `str(value)`.
    #[must_use]
    pub fn python_str(&self) -> String {
        match self {
            Self::Str(text) => text.clone(),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::List(_)
            | Self::Map(_) => self.python_repr(),
        }
    }

    /// Python's `repr(value)`.
    #[must_use]
    pub fn python_repr(&self) -> String {
        match self {
            Self::Null => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => python::float_repr(*number),
            Self::Str(text) => python::str_repr(text),
            Self::List(items) => {
                let inner: Vec<_> = items.iter().map(Self::python_repr).collect();
                format!("[{}]", inner.join(", "))
            }
            Self::Map(entries) => {
                let mut text = String::from("{");
                for (index, (key, value)) in entries.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    let (key, value) = (key.python_repr(), value.python_repr());
                    let _ = write!(text, "{comma}{key}: {value}");
                }
                text + "}"
            }
        }
    }

    /// For messages: strings as they are, everything else as JSON.
    #[must_use]
    pub fn display(&self) -> String {
        match self {
            Self::Str(text) => text.clone(),
            Self::Null => "null".to_owned(),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::List(_) | Self::Map(_) => {
                python::json_dumps(self)
            }
        }
    }
}

/// Python's `==`: `1 == 1.0 == True`, mappings without order, lists with order, and a string is never a number.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(key, value)| {
                        b.iter().any(|(other_key, other_value)| {
                            key == other_key && value == other_value
                        })
                    })
            }
            _ => match (Number::of(self), Number::of(other)) {
                (Some(a), Some(b)) => a.equals(b),
                _ => false,
            },
        }
    }
}

#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(Self::Int(i128::from(*flag))),
            Value::Int(number) => Some(Self::Int(*number)),
            Value::Float(number) => Some(Self::Float(*number)),
            Value::Null | Value::Str(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    #[expect(
        clippy::float_cmp,
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "Python compares the exact values of an int and a float"
    )]
    fn equals(self, other: Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Int(int), Self::Float(float)) | (Self::Float(float), Self::Int(int)) => {
                float == int as f64 && float as i128 == int
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Int(number) => match i64::try_from(*number) {
                Ok(small) => serializer.serialize_i64(small),
                Err(_) => serializer.serialize_str(&number.to_string()),
            },
            Self::Float(number) if number.is_finite() => serializer.serialize_f64(*number),
            Self::Float(number) => serializer.serialize_str(&python::float_repr(*number)),
            Self::Str(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key.python_str(), value)))
            }
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(flag) => Self::Bool(flag),
            serde_json::Value::Number(number) => match number.as_i128() {
                Some(int) => Self::Int(int),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Self::Str(text),
            serde_json::Value::Array(items) => {
                Self::List(items.into_iter().map(Self::from).collect())
            }
            serde_json::Value::Object(entries) => Self::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (Self::Str(key), Self::from(value)))
                    .collect(),
            ),
        }
    }
}
