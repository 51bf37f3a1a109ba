//! Bins and categories that two samples share.

use std::collections::BTreeSet;

use crate::sample::{Sample, Storage};

/// Evidently bins numbers only above so many distinct reference values.
const DISTINCT_FOR_BINS: usize = 20;

/// Shares of reference and current over the same bins or categories.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shares {
    pub labels: Vec<String>,
    pub reference: Vec<f64>,
    pub current: Vec<f64>,
}

/// numpy's `sturges` edges over both samples for numbers, the union of the values otherwise.
pub(crate) fn shares(reference: &Sample, current: &Sample, numerical: bool) -> Shares {
    if numerical && reference.distinct() > DISTINCT_FOR_BINS {
        let whole = reference.storage == Storage::Integer && current.storage == Storage::Integer;
        let edges = sturges(&reference.numbers, &current.numbers, whole);
        return Shares {
            labels: edges.windows(2).map(label).collect(),
            reference: histogram(&reference.numbers, &edges),
            current: histogram(&current.numbers, &edges),
        };
    }
    categories(reference, current)
}

pub(crate) fn categories(reference: &Sample, current: &Sample) -> Shares {
    let (r, c) = (reference.counts(), current.counts());
    let keys: BTreeSet<&String> = r.keys().chain(c.keys()).collect();
    let mut labels: Vec<String> = keys.into_iter().cloned().collect();
    if !reference.numbers.is_empty() {
        let number = |label: &String| label.parse::<f64>().unwrap_or(f64::NAN);
        labels.sort_by(|a, b| number(a).total_cmp(&number(b)));
    }
    let share = |counts: &std::collections::HashMap<String, usize>, total: usize| -> Vec<f64> {
        labels
            .iter()
            .map(|label| counts.get(label).copied().unwrap_or(0) as f64 / total.max(1) as f64)
            .collect()
    };
    Shares {
        reference: share(&r, reference.len()),
        current: share(&c, current.len()),
        labels,
    }
}

fn label(pair: &[f64]) -> String {
    let short = |value: f64| {
        let text = if value.abs() >= 100.0 {
            format!("{value:.0}")
        } else {
            format!("{value:.2}")
        };
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    };
    match pair {
        [from, to] => format!("{}–{}", short(*from), short(*to)),
        _ => String::new(),
    }
}

/// `numpy.histogram_bin_edges(…, bins="sturges")`: width = range / (log2 n + 1), at least 1 for whole numbers.
fn sturges(one: &[f64], two: &[f64], whole: bool) -> Vec<f64> {
    let all = || one.iter().chain(two).copied();
    let (mut least, mut greatest) = (
        all().fold(f64::INFINITY, f64::min),
        all().fold(f64::NEG_INFINITY, f64::max),
    );
    let range = greatest - least;
    if range == 0.0 {
        least -= 0.5;
        greatest += 0.5;
    }
    let mut width = range / (((one.len() + two.len()) as f64).log2() + 1.0);
    if whole && width > 0.0 && width < 1.0 {
        width = 1.0;
    }
    let bins = if width > 0.0 {
        ((greatest - least) / width).ceil().max(1.0) as usize
    } else {
        1
    };
    let step = (greatest - least) / bins as f64;
    let mut edges: Vec<f64> = (0..=bins)
        .map(|index| least + index as f64 * step)
        .collect();
    if let Some(last) = edges.last_mut() {
        *last = greatest;
    }
    edges
}

/// Shares of the values in each bin; the last bin is closed.
pub(crate) fn histogram(values: &[f64], edges: &[f64]) -> Vec<f64> {
    let bins = edges.len().saturating_sub(1);
    let mut counts = vec![0_usize; bins];
    for value in values {
        let after = edges.partition_point(|edge| edge <= value);
        let inside = edges.first().is_some_and(|first| value >= first)
            && edges.last().is_some_and(|last| value <= last);
        if let Some(count) = counts
            .get_mut(after.saturating_sub(1).min(bins.saturating_sub(1)))
            .filter(|_| inside)
        {
            *count += 1;
        }
    }
    counts
        .into_iter()
        .map(|count| count as f64 / values.len().max(1) as f64)
        .collect()
}
