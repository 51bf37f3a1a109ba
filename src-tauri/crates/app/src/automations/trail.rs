//! The audit trail: every decision with its numbers, only ever appended to.

use std::collections::BTreeMap;

use lapwing_core::{Report, Timestamp};
use lapwing_store::decisions as table;

use crate::App;
use crate::error::Reported as _;
use crate::wire::{DecisionKind, DecisionRow, InProject};

const MAX_SHOWN: u32 = 500;
const KINDS: [(DecisionKind, &str); 7] = [
    (DecisionKind::Triggered, "triggered"),
    (DecisionKind::Retrained, "retrained"),
    (DecisionKind::Promoted, "promoted"),
    (DecisionKind::Kept, "kept"),
    (DecisionKind::Released, "released"),
    (DecisionKind::RolledBack, "rolled_back"),
    (DecisionKind::Failed, "failed"),
];

/// One entry before it is written.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub lap: String,
    pub project: String,
    pub policy: String,
    pub kind: DecisionKind,
    pub message: String,
    pub numbers: BTreeMap<String, f64>,
    pub run_id: Option<String>,
    pub model: Option<String>,
    pub deployment: Option<String>,
}

pub(super) fn append(app: &App, entry: Entry) -> Result<DecisionRow, Report> {
    let word = KINDS
        .iter()
        .find(|(kind, _)| *kind == entry.kind)
        .map_or("failed", |(_, word)| *word);
    let numbers = serde_json::to_string(&entry.numbers).unwrap_or_else(|_| "{}".to_owned());
    let mut row = table::Decision {
        id: 0,
        lap: entry.lap,
        project: entry.project,
        policy: entry.policy,
        kind: word.to_owned(),
        at: Timestamp::now(),
        message: entry.message,
        numbers,
        run_id: entry.run_id,
        model: entry.model,
        deployment: entry.deployment,
    };
    row.id = table::append(app.store(), row.clone()).reported()?;
    Ok(shown(row))
}

fn shown(row: table::Decision) -> DecisionRow {
    DecisionRow {
        id: row.id,
        lap: row.lap,
        project: row.project,
        policy: row.policy,
        kind: KINDS
            .iter()
            .find(|(_, word)| *word == row.kind)
            .map_or(DecisionKind::Failed, |(kind, _)| *kind),
        at: row.at,
        message: row.message,
        numbers: serde_json::from_str(&row.numbers).unwrap_or_default(),
        // Only valid ids and names are ever written.
        run_id: row.run_id.and_then(|id| id.parse().ok()),
        model: row.model,
        deployment: row.deployment.and_then(|name| name.parse().ok()),
    }
}

/// The newest entries of a project's trail.
///
/// # Errors
/// When the store cannot be read.
pub fn log(app: &App, input: InProject) -> Result<Vec<DecisionRow>, Report> {
    let rows = table::list(app.store(), &input.project, MAX_SHOWN).reported()?;
    Ok(rows.into_iter().map(shown).collect())
}
