//! What is in each column of a frame.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::sample::{Sample, Storage};
use crate::{Frame, Result, binning, frame};

const HISTOGRAM_BINS: usize = 20;
const TOP_VALUES: usize = 10;
const ALMOST_CONSTANT: f64 = 0.95;
const MANY_NULLS: f64 = 0.5;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Profile {
    pub rows: u32,
    pub columns: Vec<ColumnProfile>,
}

/// One column. Numbers of texts and times are `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct ColumnProfile {
    pub name: String,
    /// `int64`, `double`, `string`, `bool`, `timestamp`, `date`.
    pub kind: String,
    pub nulls: u32,
    pub distinct: u32,
    pub min: Option<f64>,
    pub q25: Option<f64>,
    pub median: Option<f64>,
    pub q75: Option<f64>,
    pub max: Option<f64>,
    /// The least and the greatest whole number or time, as text and so to the last digit.
    pub first: Option<String>,
    pub last: Option<String>,
    pub mean: Option<f64>,
    pub std: Option<f64>,
    /// Edges, one more than counts; empty for texts.
    pub edges: Vec<f64>,
    pub counts: Vec<u32>,
    /// The most frequent values and how often they occur.
    pub top: Vec<TopValue>,
    /// `constant`, `almost constant`, `mostly missing`, `every value differs`, `infinite values`.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct TopValue {
    pub value: String,
    pub count: u32,
}

fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Profiles every column.
///
/// # Errors
/// When a column cannot be read.
pub fn profile(frame: &Frame) -> Result<Profile> {
    let columns = frame
        .names()
        .iter()
        .map(|name| column(frame, name))
        .collect::<Result<_>>()?;
    Ok(Profile {
        rows: count(frame.rows()),
        columns,
    })
}

fn column(frame: &Frame, name: &str) -> Result<ColumnProfile> {
    let sample = Sample::of(frame, name)?;
    let counts = match frame::whole(frame.column(name)?)? {
        whole if whole.is_empty() => sample.counts(),
        whole => counted(&whole),
    };
    let mut top: Vec<TopValue> = counts
        .iter()
        .map(|(value, times)| TopValue {
            value: value.clone(),
            count: count(*times),
        })
        .collect();
    top.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    let most = top.first().map_or(0, |value| value.count);
    top.truncate(TOP_VALUES);
    let mut sorted = sample.numbers.clone();
    sorted.sort_by(f64::total_cmp);
    let (edges, bins) = histogram(&sorted);
    let mean = if sorted.is_empty() {
        None
    } else {
        Some(sorted.iter().sum::<f64>() / sorted.len() as f64)
    };
    let spread = mean.filter(|_| sorted.len() > 1).map(|mean| {
        (sorted
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / (sorted.len() - 1) as f64)
            .sqrt()
    });
    let (first, last) = frame.ends(name)?.unzip();
    Ok(ColumnProfile {
        name: name.to_owned(),
        kind: frame.kind(name).to_owned(),
        nulls: count(sample.nulls),
        distinct: count(counts.len()),
        min: sorted.first().copied(),
        q25: quantile(&sorted, 0.25),
        median: quantile(&sorted, 0.5),
        q75: quantile(&sorted, 0.75),
        max: sorted.last().copied(),
        first,
        last,
        mean,
        std: spread,
        edges,
        counts: bins,
        warnings: warnings(&sample, counts.len(), most),
        top,
    })
}

fn counted(whole: &[i64]) -> HashMap<String, usize> {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    for value in whole {
        *counts.entry(*value).or_insert(0) += 1;
    }
    let worded = counts.into_iter();
    worded
        .map(|(value, count)| (value.to_string(), count))
        .collect()
}

/// Linear interpolation between order statistics, as numpy's default.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (
        *sorted.get(place.floor() as usize)?,
        *sorted.get(place.ceil() as usize)?,
    );
    Some(low + (high - low) * place.fract())
}

fn histogram(sorted: &[f64]) -> (Vec<f64>, Vec<u32>) {
    let (Some(least), Some(greatest)) = (sorted.first(), sorted.last()) else {
        return (Vec::new(), Vec::new());
    };
    let width = (greatest - least).max(f64::MIN_POSITIVE) / HISTOGRAM_BINS as f64;
    let mut edges: Vec<f64> = (0..=HISTOGRAM_BINS)
        .map(|index| least + width * index as f64)
        .collect();
    if let Some(last) = edges.last_mut() {
        *last = *greatest;
    }
    let shares = binning::histogram(sorted, &edges);
    let counts = shares
        .iter()
        .map(|share| (share * sorted.len() as f64).round() as u32)
        .collect();
    (edges, counts)
}

fn warnings(sample: &Sample, distinct: usize, most: u32) -> Vec<String> {
    let mut warnings = Vec::new();
    let rows = sample.rows.max(1) as f64;
    if sample.len() > 0 && distinct == 1 {
        warnings.push("constant".to_owned());
    } else if f64::from(most) / rows > ALMOST_CONSTANT {
        warnings.push("almost constant".to_owned());
    }
    if sample.nulls as f64 / rows > MANY_NULLS {
        warnings.push("mostly missing".to_owned());
    }
    if distinct > 1 && distinct == sample.rows && sample.storage != Storage::Float {
        warnings.push("every value differs".to_owned());
    }
    if sample.infinite > 0 {
        warnings.push(format!("{} infinite values", sample.infinite));
    }
    warnings
}
