//! The audit trail of automations: every decision with its numbers. Only appended to.

use lapwing_core::{Tag, Timestamp};
use rusqlite::{Row, params};

use crate::{Result, Store, feed};

pub(crate) const MIGRATIONS: &[&str] = &["CREATE TABLE decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    lap TEXT NOT NULL,
    project TEXT NOT NULL,
    policy TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    message TEXT NOT NULL,
    numbers TEXT NOT NULL,
    run_id TEXT,
    model TEXT,
    deployment TEXT
) STRICT;
CREATE INDEX decisions_project ON decisions (project, id DESC);"];

/// One line of the trail. `numbers` is a JSON object of name → number.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Given by the store; what an insert carries here is ignored.
    pub id: u32,
    /// Entries of one lap share it.
    pub lap: String,
    pub project: String,
    pub policy: String,
    pub kind: String,
    pub at: Timestamp,
    pub message: String,
    pub numbers: String,
    pub run_id: Option<String>,
    pub model: Option<String>,
    pub deployment: Option<String>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Decision> {
    Ok(Decision {
        id: row.get("id")?,
        lap: row.get("lap")?,
        project: row.get("project")?,
        policy: row.get("policy")?,
        kind: row.get("kind")?,
        at: Timestamp(row.get("at")?),
        message: row.get("message")?,
        numbers: row.get("numbers")?,
        run_id: row.get("run_id")?,
        model: row.get("model")?,
        deployment: row.get("deployment")?,
    })
}

/// Appends one line and answers its id.
///
/// # Errors
/// When the database cannot be written.
pub fn append(store: &Store, decision: Decision) -> Result<u32> {
    store.write(move |tx| {
        tx.execute(
            "INSERT INTO decisions (lap, project, policy, kind, at, message, numbers, run_id, model, deployment)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                decision.lap,
                decision.project,
                decision.policy,
                decision.kind,
                decision.at.0,
                decision.message,
                decision.numbers,
                decision.run_id,
                decision.model,
                decision.deployment
            ],
        )?;
        let id = u32::try_from(tx.last_insert_rowid()).unwrap_or(u32::MAX);
        feed::push(tx, Tag::Automations, Some(&decision.policy))?;
        Ok(id)
    })
}

/// The newest lines of a project's trail.
///
/// # Errors
/// When the database cannot be read.
pub fn list(store: &Store, project: &str, max: u32) -> Result<Vec<Decision>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT * FROM decisions WHERE project = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![project, max], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}
