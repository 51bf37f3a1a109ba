//! Champion against challenger on the same rows.

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::performance::{Direction, direction};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    Promote,
    Keep,
}

/// A decision with its numbers and its sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Verdict {
    pub choice: Choice,
    pub metric: String,
    pub champion: Option<f64>,
    pub challenger: f64,
    pub margin: f64,
    pub rows: u32,
    pub sentence: String,
}

/// Promotes the challenger when it beats the champion's metric by the margin; without a champion, always.
#[must_use]
pub fn verdict(
    metric: &str,
    champion: Option<f64>,
    challenger: f64,
    margin: f64,
    rows: usize,
) -> Verdict {
    let gain = champion.map(|champion| match direction(metric) {
        Direction::HigherIsBetter => challenger - champion,
        Direction::LowerIsBetter => champion - challenger,
    });
    let choice = match gain {
        None => Choice::Promote,
        Some(gain) if gain.is_finite() && gain >= margin => Choice::Promote,
        Some(_) => Choice::Keep,
    };
    let sentence = match (champion, gain, choice) {
        (Some(champion), Some(gain), Choice::Promote) => format!(
            "challenger {metric} {challenger:.3} beats champion {champion:.3} by {gain:.3}, needed {margin} ({rows} held-out rows)"
        ),
        (Some(champion), Some(gain), Choice::Keep) => format!(
            "challenger {metric} {challenger:.3} against champion {champion:.3}: {gain:+.3} is less than the {margin} needed ({rows} held-out rows)"
        ),
        _ => format!(
            "no champion yet: challenger {metric} {challenger:.3} is the first ({rows} held-out rows)"
        ),
    };
    Verdict {
        choice,
        metric: metric.to_owned(),
        champion,
        challenger,
        margin,
        rows: u32::try_from(rows).unwrap_or(u32::MAX),
        sentence,
    }
}
