//! How good predictions are, once the truth is known. Definitions as scikit-learn's and Evidently's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use specta::Type;

/// Probabilities are kept this far from 0 and 1 in the log loss, as scikit-learn does for float64.
const EPSILON: f64 = f64::EPSILON;

/// What a two-class model said of one row, and what was true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Probability of the positive class.
    pub score: f64,
    pub positive: bool,
}

/// Metrics by name.
pub type Metrics = BTreeMap<String, f64>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    HigherIsBetter,
    LowerIsBetter,
}

/// Which way a metric is better.
#[must_use]
pub fn direction(metric: &str) -> Direction {
    match metric {
        "log_loss" | "mae" | "rmse" | "mape" | "max_error" => Direction::LowerIsBetter,
        _ => Direction::HigherIsBetter,
    }
}

/// Area under the ROC curve: the chance that a positive row scores above a negative one, ties count half. `None` when one
/// class is missing.
#[must_use]
pub fn auc(rows: &[Scored]) -> Option<f64> {
    let mut sorted: Vec<&Scored> = rows.iter().collect();
    sorted.sort_by(|a, b| a.score.total_cmp(&b.score));
    let positives = rows.iter().filter(|row| row.positive).count();
    let negatives = rows.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let (mut rank_sum, mut at) = (0.0, 0);
    while let Some(first) = sorted.get(at) {
        let ties = sorted
            .iter()
            .skip(at)
            .take_while(|row| row.score == first.score)
            .count();
        // Ranks begin at 1; tied rows share the middle one.
        let rank = at as f64 + f64::midpoint(1.0, ties as f64);
        let hits = sorted
            .iter()
            .skip(at)
            .take(ties)
            .filter(|row| row.positive)
            .count();
        rank_sum += rank * hits as f64;
        at += ties;
    }
    let positives = positives as f64;
    Some((rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives as f64))
}

/// Metrics of a two-class model with scores, at the threshold 0.5.
#[must_use]
pub fn two_class(rows: &[Scored]) -> Metrics {
    let mut metrics = Metrics::new();
    if rows.is_empty() {
        return metrics;
    }
    if let Some(auc) = auc(rows) {
        metrics.insert("auc".to_owned(), auc);
    }
    let count =
        |wanted: &dyn Fn(&Scored) -> bool| rows.iter().filter(|row| wanted(row)).count() as f64;
    let hit = count(&|row| row.score >= 0.5 && row.positive);
    let miss = count(&|row| row.score < 0.5 && row.positive);
    let alarm = count(&|row| row.score >= 0.5 && !row.positive);
    let n = rows.len() as f64;
    metrics.insert("accuracy".to_owned(), (n - miss - alarm) / n);
    let ratio = |a: f64, b: f64| if b == 0.0 { 0.0 } else { a / b };
    let (precision, recall) = (ratio(hit, hit + alarm), ratio(hit, hit + miss));
    metrics.insert("precision".to_owned(), precision);
    metrics.insert("recall".to_owned(), recall);
    metrics.insert(
        "f1".to_owned(),
        ratio(2.0 * precision * recall, precision + recall),
    );
    let loss: f64 = rows
        .iter()
        .map(|row| {
            let p = row.score.clamp(EPSILON, 1.0 - EPSILON);
            -if row.positive { p.ln() } else { (1.0 - p).ln() }
        })
        .sum();
    metrics.insert("log_loss".to_owned(), loss / n);
    metrics
}

/// Metrics of predicted labels; precision, recall and F1 are the mean over the true classes.
#[must_use]
pub fn labels(rows: &[(String, String)]) -> Metrics {
    let mut metrics = Metrics::new();
    if rows.is_empty() {
        return metrics;
    }
    let n = rows.len() as f64;
    metrics.insert(
        "accuracy".to_owned(),
        rows.iter().filter(|(said, truth)| said == truth).count() as f64 / n,
    );
    let mut classes: Vec<&String> = rows
        .iter()
        .flat_map(|(said, truth)| [said, truth])
        .collect();
    classes.sort();
    classes.dedup();
    let (mut precision, mut recall, mut f1) = (0.0, 0.0, 0.0);
    let ratio = |a: usize, b: usize| if b == 0 { 0.0 } else { a as f64 / b as f64 };
    for class in &classes {
        let hit = rows
            .iter()
            .filter(|(said, truth)| said == *class && truth == *class)
            .count();
        let said = rows.iter().filter(|(said, _)| said == *class).count();
        let truth = rows.iter().filter(|(_, truth)| truth == *class).count();
        let (p, r) = (ratio(hit, said), ratio(hit, truth));
        precision += p;
        recall += r;
        f1 += if p + r == 0.0 {
            0.0
        } else {
            2.0 * p * r / (p + r)
        };
    }
    let k = classes.len() as f64;
    for (name, sum) in [("precision", precision), ("recall", recall), ("f1", f1)] {
        metrics.insert(name.to_owned(), sum / k);
    }
    metrics
}

/// Metrics of predicted numbers: `(predicted, true)`.
#[must_use]
pub fn regression(rows: &[(f64, f64)]) -> Metrics {
    let mut metrics = Metrics::new();
    if rows.is_empty() {
        return metrics;
    }
    let n = rows.len() as f64;
    let errors: Vec<f64> = rows.iter().map(|(said, truth)| truth - said).collect();
    let squares: f64 = errors.iter().map(|error| error * error).sum();
    let mean = rows.iter().map(|(_, truth)| truth).sum::<f64>() / n;
    let total: f64 = rows.iter().map(|(_, truth)| (truth - mean).powi(2)).sum();
    metrics.insert("mean_error".to_owned(), errors.iter().sum::<f64>() / n);
    metrics.insert(
        "mae".to_owned(),
        errors.iter().map(|error| error.abs()).sum::<f64>() / n,
    );
    metrics.insert("rmse".to_owned(), (squares / n).sqrt());
    metrics.insert(
        "max_error".to_owned(),
        errors.iter().fold(0.0, |most, error| error.abs().max(most)),
    );
    if total > 0.0 {
        metrics.insert("r2".to_owned(), 1.0 - squares / total);
    }
    metrics
}
