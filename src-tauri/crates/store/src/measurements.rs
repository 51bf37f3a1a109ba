//! What monitors measured, over time: one row for each evaluation that found something else than the one before.

use lapwing_core::{DeploymentName, Tag, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::{Result, Store, feed};

pub(crate) const MIGRATIONS: &[&str] = &["CREATE TABLE measurements (
    id INTEGER PRIMARY KEY,
    deployment TEXT NOT NULL,
    metric TEXT NOT NULL,
    at INTEGER NOT NULL,
    value REAL NOT NULL,
    line REAL,
    rows INTEGER NOT NULL
) STRICT;
CREATE INDEX measurements_metric ON measurements (deployment, metric, id);"];

/// Of one metric of one deployment, so many are kept.
const MAX_KEPT: u32 = 10_000;

/// One number that a monitor saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    pub metric: String,
    pub at: Timestamp,
    pub value: f64,
    /// What it was held against, if anything.
    pub line: Option<f64>,
    /// Predictions, labelled rows or requests of the window.
    pub rows: u32,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Measurement> {
    Ok(Measurement {
        metric: row.get("metric")?,
        at: Timestamp(row.get("at")?),
        value: row.get("value")?,
        line: row.get("line")?,
        rows: row.get("rows")?,
    })
}

/// Keeps a measurement, unless the newest of its metric says the same. The oldest beyond the limit go.
///
/// # Errors
/// When the database cannot be written.
pub fn append(store: &Store, deployment: &DeploymentName, new: Measurement) -> Result<()> {
    let newest = store.read(|connection| {
        Ok(connection
            .query_row(
                "SELECT * FROM measurements WHERE deployment = ?1 AND metric = ?2 ORDER BY id DESC LIMIT 1",
                params![deployment.as_str(), new.metric],
                read,
            )
            .optional()?)
    })?;
    if newest.is_some_and(|old| {
        old == Measurement {
            at: old.at,
            ..new.clone()
        }
    }) {
        return Ok(());
    }
    let deployment = deployment.clone();
    store.write(move |tx| {
        tx.execute(
            "INSERT INTO measurements (deployment, metric, at, value, line, rows) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![deployment.as_str(), new.metric, new.at.0, new.value, new.line, new.rows],
        )?;
        tx.execute(
            "DELETE FROM measurements WHERE deployment = ?1 AND metric = ?2 AND id <= (
                 SELECT id FROM measurements WHERE deployment = ?1 AND metric = ?2
                 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
            params![deployment.as_str(), new.metric, MAX_KEPT],
        )?;
        feed::push(tx, Tag::Monitors, Some(deployment.as_str()))
    })
}

/// The newest measurements of a deployment, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub fn list(store: &Store, deployment: &DeploymentName, max: u32) -> Result<Vec<Measurement>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT * FROM measurements WHERE deployment = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![deployment.as_str(), max], read)?;
        let mut all: Vec<Measurement> = rows.collect::<rusqlite::Result<_>>()?;
        all.reverse();
        Ok(all)
    })
}

/// A deployment that is gone takes its history with it.
///
/// # Errors
/// When the database cannot be written.
pub fn remove(store: &Store, deployment: &DeploymentName) -> Result<()> {
    let deployment = deployment.clone();
    store.write(move |tx| {
        tx.execute(
            "DELETE FROM measurements WHERE deployment = ?1",
            [deployment.as_str()],
        )?;
        Ok(())
    })
}
