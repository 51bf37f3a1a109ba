//! One column: its kind, its values as numbers or texts, and columns from values.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};

use crate::Result;

/// `int64`, `double`, `string`, `bool`, `timestamp`, `date`, or `other`.
#[must_use]
pub fn kind_word(kind: &DataType) -> &'static str {
    match kind {
        DataType::Boolean => "bool",
        kind if kind.is_integer() => "int64",
        kind if kind.is_floating()
            || matches!(kind, DataType::Decimal128(..) | DataType::Decimal256(..)) =>
        {
            "double"
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string",
        DataType::Dictionary(_, value) => kind_word(value),
        DataType::Timestamp(..) => "timestamp",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Null => "null",
        _ => "other",
    }
}

/// The values of a column of whole numbers, to the last digit; empty for another kind.
pub(crate) fn whole(array: &ArrayRef) -> Result<Vec<i64>> {
    if !array.data_type().is_integer() {
        return Ok(Vec::new());
    }
    let array = cast(array, &DataType::Int64)?;
    let values = array.as_primitive::<arrow::datatypes::Int64Type>();
    Ok(values.iter().flatten().collect())
}

pub(crate) fn numbers(array: &ArrayRef) -> Option<Vec<Option<f64>>> {
    if !matches!(
        kind_word(array.data_type()),
        "bool" | "int64" | "double" | "null"
    ) {
        return None;
    }
    let array = cast(array, &DataType::Float64).ok()?; // What cannot be cast holds no numbers.
    Some(array.as_primitive::<Float64Type>().iter().collect())
}

/// A time in a named zone, in UTC: its moments are the same, and naming zones would take the table of all of them.
pub(super) fn in_utc(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            cast(array, &DataType::Timestamp(*unit, Some("+00:00".into())))?
        }
        _ => Arc::clone(array),
    })
}

pub(crate) fn texts(array: &ArrayRef) -> Result<Vec<Option<String>>> {
    let array = cast(&in_utc(array)?, &DataType::Utf8)?;
    Ok(array
        .as_string::<i32>()
        .iter()
        .map(|text| text.map(str::to_owned))
        .collect())
}

/// A column of numbers.
#[must_use]
pub fn float_column(values: Vec<Option<f64>>) -> ArrayRef {
    Arc::new(arrow::array::Float64Array::from(values))
}

/// A column of texts.
#[must_use]
pub fn text_column(values: Vec<Option<String>>) -> ArrayRef {
    Arc::new(arrow::array::StringArray::from(values))
}

/// What was written as text, as numbers where all of it is numbers: the predictions of a regression, say. Whole numbers stay
/// whole: a few of them are classes.
#[must_use]
pub fn parsed_column(values: Vec<Option<String>>) -> ArrayRef {
    if let Some(whole) = parsed::<i64>(&values) {
        return Arc::new(arrow::array::Int64Array::from(whole));
    }
    match parsed(&values) {
        Some(numbers) => float_column(numbers),
        None => text_column(values),
    }
}

fn parsed<T: std::str::FromStr>(values: &[Option<String>]) -> Option<Vec<Option<T>>> {
    if values.iter().all(Option::is_none) {
        return None;
    }
    values
        .iter()
        .map(|value| match value {
            Some(text) => text.parse().ok().map(Some), // One word makes words of all.
            None => Some(None),
        })
        .collect()
}
