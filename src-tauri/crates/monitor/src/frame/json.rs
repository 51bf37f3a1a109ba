//! Values as JSON scalars: what the window's table shows.

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde_json::Value;

use super::Frame;
use super::columns::{numbers, texts};
use crate::Result;

impl Frame {
    /// The rows as JSON scalars: what the window's table shows.
    ///
    /// # Errors
    /// When a column's type has no text form.
    pub fn json_rows(&self) -> Result<Vec<Vec<Value>>> {
        let columns = self
            .batch
            .columns()
            .iter()
            .map(json_column)
            .collect::<Result<Vec<_>>>()?;
        Ok((0..self.rows())
            .map(|row| {
                columns
                    .iter()
                    .map(|column| column.get(row).cloned().unwrap_or(Value::Null))
                    .collect()
            })
            .collect())
    }
}

fn json_column(array: &ArrayRef) -> Result<Vec<Value>> {
    if array.data_type() == &DataType::Boolean {
        return Ok(array
            .as_boolean()
            .iter()
            .map(|value| value.map_or(Value::Null, Value::Bool))
            .collect());
    }
    if array.data_type().is_integer() {
        let array = cast(array, &DataType::Int64)?;
        let values = array.as_primitive::<arrow::datatypes::Int64Type>();
        return Ok(values
            .iter()
            .map(|value| value.map_or(Value::Null, Value::from))
            .collect());
    }
    if let Some(values) = numbers(array) {
        return Ok(values
            .into_iter()
            .map(|value| value.map_or(Value::Null, float))
            .collect());
    }
    Ok(texts(array)?
        .into_iter()
        .map(|value| value.map_or(Value::Null, Value::String))
        .collect())
}

/// JSON has no NaN and no infinity: they travel as their words.
fn float(value: f64) -> Value {
    serde_json::Number::from_f64(value)
        .map_or_else(|| Value::String(value.to_string()), Value::Number)
}
