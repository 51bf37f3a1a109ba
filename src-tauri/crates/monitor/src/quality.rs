//! Data quality against a reference: missing values, new categories, values out of range.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::sample::Sample;
use crate::{Frame, Result};

const SHOWN_NEW: usize = 20;
/// A text column with more distinct values in the reference has no fixed set of categories.
const MAX_CATEGORIES: usize = 1000;

/// One column's quality; shares are of the current rows, 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct ColumnQuality {
    pub column: String,
    pub missing: f64,
    pub missing_reference: f64,
    /// Categories that the reference never had, the first few.
    pub new_categories: Vec<String>,
    /// Below the reference's least or above its greatest value.
    pub out_of_range: f64,
    /// What is worth saying, in a sentence.
    pub note: Option<String>,
}

/// Quality of the columns that both frames have.
///
/// # Errors
/// When a column cannot be read.
pub fn quality(reference: &Frame, current: &Frame) -> Result<Vec<ColumnQuality>> {
    reference
        .names()
        .iter()
        .filter(|name| current.has(name))
        .map(|name| {
            Ok(column(
                name,
                &Sample::of(reference, name)?,
                &Sample::of(current, name)?,
            ))
        })
        .collect()
}

fn column(name: &str, reference: &Sample, current: &Sample) -> ColumnQuality {
    let share = |part: usize, sample: &Sample| part as f64 / sample.rows.max(1) as f64;
    let least = reference
        .numbers
        .iter()
        .copied()
        .fold(f64::INFINITY, f64::min);
    let greatest = reference
        .numbers
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    let outside = current
        .numbers
        .iter()
        .filter(|value| !reference.numbers.is_empty() && (**value < least || **value > greatest))
        .count();
    let known: HashSet<&String> = reference.texts.iter().collect();
    let mut fresh: Vec<String> = if known.is_empty() || known.len() > MAX_CATEGORIES {
        Vec::new()
    } else {
        let new: HashSet<&String> = current
            .texts
            .iter()
            .filter(|text| !known.contains(text))
            .collect();
        new.into_iter().cloned().collect()
    };
    fresh.sort();
    let mut found = ColumnQuality {
        column: name.to_owned(),
        missing: share(current.nulls, current),
        missing_reference: share(reference.nulls, reference),
        out_of_range: share(outside, current),
        new_categories: fresh,
        note: None,
    };
    found.note = note(&found);
    found.new_categories.truncate(SHOWN_NEW);
    found
}

fn note(found: &ColumnQuality) -> Option<String> {
    const WORTH_SAYING: f64 = 0.01;
    let mut notes = Vec::new();
    if found.missing > found.missing_reference + WORTH_SAYING {
        notes.push(format!(
            "{:.1}% missing, {:.1}% in the reference",
            found.missing * 100.0,
            found.missing_reference * 100.0
        ));
    }
    match found.new_categories.as_slice() {
        [] => {}
        [one] => notes.push(format!("new category {one}")),
        many => notes.push(format!(
            "{} new categories: {}",
            many.len(),
            many.iter().take(5).cloned().collect::<Vec<_>>().join(", ")
        )),
    }
    if found.out_of_range > WORTH_SAYING {
        notes.push(format!(
            "{:.1}% outside of the reference's range",
            found.out_of_range * 100.0
        ));
    }
    if notes.is_empty() {
        None
    } else {
        Some(notes.join("; "))
    }
}
