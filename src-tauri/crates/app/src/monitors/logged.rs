//! The logged predictions of a window with everything that is known of them, and the metrics that follow.

use std::collections::HashMap;

use lapwing_core::{DeploymentName, Report, Timestamp};
use lapwing_monitor::Frame;
use lapwing_monitor::performance::{
    Metrics, Scored, labels as label_metrics, regression, two_class,
};
use lapwing_serving::predictions::Query;
use lapwing_serving::{labels as truth, predictions as log_of};

use crate::App;
use crate::error::Reported as _;

/// The logged predictions of a window with everything that is known of them.
pub(super) struct Logged {
    pub at: Vec<Timestamp>,
    pub prediction: Vec<String>,
    pub score: Vec<Option<f64>>,
    pub version: Vec<Option<u32>>,
    pub truth: Vec<Option<String>>,
    pub features: Frame,
}

impl Logged {
    pub fn read(app: &App, name: &DeploymentName, query: &Query) -> Result<Self, Report> {
        let folder = app.workspace().deployment(name);
        let read = log_of::read(&folder, query).reported()?;
        if read.is_empty() {
            return Ok(Self::nothing());
        }
        let labels: HashMap<String, String> = truth::read(&folder).reported()?;
        let about = Frame::from_batches(&read.about.schema(), std::slice::from_ref(&read.about))
            .reported()?;
        let features = Frame::from_batches(
            &read.features.schema(),
            std::slice::from_ref(&read.features),
        )
        .reported()?;
        let ids = about.texts("prediction_id").reported()?;
        let whole = |value: Option<f64>| value.map_or(0, |value| value as i64);
        let mut order: Vec<usize> = (0..about.rows()).collect();
        let at: Vec<Timestamp> = about
            .millis("at")
            .reported()?
            .into_iter()
            .map(|at| Timestamp(whole(at)))
            .collect();
        order.sort_by_key(|row| at.get(*row).copied());
        let about = about.take(&order).reported()?;
        let pick = |values: Vec<Option<String>>| -> Vec<Option<String>> {
            order
                .iter()
                .map(|row| values.get(*row).cloned().flatten())
                .collect()
        };
        Ok(Self {
            at: order
                .iter()
                .filter_map(|row| at.get(*row).copied())
                .collect(),
            prediction: about
                .texts("prediction")
                .reported()?
                .into_iter()
                .map(Option::unwrap_or_default)
                .collect(),
            score: about.numbers("score").reported()?,
            version: about
                .numbers("model_version")
                .reported()?
                .into_iter()
                .map(|value| value.map(|value| value as u32))
                .collect(),
            truth: pick(
                ids.into_iter()
                    .map(|id| id.and_then(|id| labels.get(&id).cloned()))
                    .collect(),
            ),
            features: features.take(&order).reported()?,
        })
    }

    fn nothing() -> Self {
        Self {
            at: Vec::new(),
            prediction: Vec::new(),
            score: Vec::new(),
            version: Vec::new(),
            truth: Vec::new(),
            features: Frame::default(),
        }
    }

    pub fn rows(&self) -> usize {
        self.at.len()
    }

    pub fn labelled(&self) -> usize {
        self.truth.iter().flatten().count()
    }

    /// Metrics over the rows of a slice that have labels.
    pub fn performance(&self, rows: &[usize], positive: &str) -> Metrics {
        let labelled: Vec<usize> = rows
            .iter()
            .copied()
            .filter(|row| matches!(self.truth.get(*row), Some(Some(_))))
            .collect();
        let truth = |row: &usize| self.truth.get(*row).cloned().flatten().unwrap_or_default();
        let said = |row: &usize| self.prediction.get(*row).cloned().unwrap_or_default();
        evaluate(
            &labelled.iter().map(said).collect::<Vec<_>>(),
            &labelled
                .iter()
                .map(|row| self.score.get(*row).copied().flatten())
                .collect::<Vec<_>>(),
            &labelled.iter().map(truth).collect::<Vec<_>>(),
            positive,
        )
    }
}

/// The same word for a class however it was written: `1`, `1.0`, `true`.
fn class(text: &str) -> String {
    match text.trim().to_lowercase().as_str() {
        "true" => "1".to_owned(),
        "false" => "0".to_owned(),
        other => match other.parse::<f64>() {
            Ok(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
            _ => other.to_owned(),
        },
    }
}

/// Metrics for predictions with scores, for classes, or for numbers: whichever the values are.
pub(crate) fn evaluate(
    said: &[String],
    scores: &[Option<f64>],
    truth: &[String],
    positive: &str,
) -> Metrics {
    let positive = class(positive);
    let classes: Vec<String> = truth.iter().map(|text| class(text)).collect();
    let mut distinct = classes.clone();
    distinct.sort();
    distinct.dedup();
    let scored = scores.iter().filter(|score| score.is_some()).count();
    if scored == truth.len() && scored > 0 && distinct.len() <= 2 {
        let rows: Vec<Scored> = scores
            .iter()
            .flatten()
            .zip(&classes)
            .map(|(score, truth)| Scored {
                score: *score,
                positive: *truth == positive,
            })
            .collect();
        return two_class(&rows);
    }
    let numbers: Option<Vec<(f64, f64)>> = said
        .iter()
        .zip(truth)
        .map(|(said, truth)| Some((said.parse().ok()?, truth.parse().ok()?)))
        .collect(); // A word: classes.
    match numbers {
        Some(rows)
            if rows
                .iter()
                .any(|(said, truth)| said.fract() != 0.0 || truth.fract() != 0.0) =>
        {
            regression(&rows)
        }
        _ => label_metrics(
            &said
                .iter()
                .map(|said| class(said))
                .zip(classes)
                .collect::<Vec<_>>(),
        ),
    }
}
