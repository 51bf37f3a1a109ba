//! Sweeps: one pipeline run after another with other parameters. What was asked for, and which run each trial became.

use lapwing_core::{RunId, Tag, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::{Result, Store, feed};

pub(crate) const MIGRATIONS: &[&str] = &["CREATE TABLE sweeps (
    run_id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    created INTEGER NOT NULL,
    ended INTEGER,
    request TEXT NOT NULL,
    failure TEXT
) STRICT;
CREATE INDEX sweeps_project ON sweeps (project, created DESC);
CREATE TABLE sweep_trials (
    sweep TEXT NOT NULL REFERENCES sweeps (run_id),
    number INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (sweep, number)
) STRICT"];

/// One sweep; its id is that of the run that its trials are children of. `request` is JSON of the layer above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    pub run_id: RunId,
    pub project: String,
    pub created: Timestamp,
    pub ended: Option<Timestamp>,
    pub request: String,
    /// Why it failed, in a sentence.
    pub failure: Option<String>,
}

/// The run that a trial became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// From 1.
    pub number: u32,
    pub run_id: RunId,
}

fn run_id(row: &Row<'_>) -> rusqlite::Result<RunId> {
    let id: String = row.get("run_id")?;
    id.parse().map_err(|error: lapwing_core::InvalidName| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Sweep> {
    Ok(Sweep {
        run_id: run_id(row)?,
        project: row.get("project")?,
        created: Timestamp(row.get("created")?),
        ended: row.get::<_, Option<i64>>("ended")?.map(Timestamp),
        request: row.get("request")?,
        failure: row.get("failure")?,
    })
}

/// Inserts a sweep that goes on from now.
///
/// # Errors
/// When the database cannot be written.
pub fn begin(store: &Store, sweep: Sweep) -> Result<()> {
    store.write(move |tx| {
        tx.execute(
            "INSERT INTO sweeps (run_id, project, created, request) VALUES (?1, ?2, ?3, ?4)",
            params![
                sweep.run_id.as_str(),
                sweep.project,
                sweep.created.0,
                sweep.request
            ],
        )?;
        feed::push(tx, Tag::Pipeline, Some(&sweep.project))
    })
}

/// Ends a sweep; ending it twice changes nothing.
///
/// # Errors
/// When the database cannot be written.
pub fn end(store: &Store, sweep: &RunId, at: Timestamp, failure: Option<String>) -> Result<()> {
    let sweep = sweep.clone();
    store.write(move |tx| {
        tx.execute(
            "UPDATE sweeps SET ended = ?2, failure = ?3 WHERE run_id = ?1 AND ended IS NULL",
            params![sweep.as_str(), at.0, failure],
        )?;
        feed::push(tx, Tag::Pipeline, None)
    })
}

/// Remembers the run of a trial.
///
/// # Errors
/// When the database cannot be written.
pub fn put_trial(store: &Store, sweep: &RunId, trial: Trial) -> Result<()> {
    let sweep = sweep.clone();
    store.write(move |tx| {
        tx.execute(
            "INSERT OR REPLACE INTO sweep_trials (sweep, number, run_id) VALUES (?1, ?2, ?3)",
            params![sweep.as_str(), trial.number, trial.run_id.as_str()],
        )?;
        feed::push(tx, Tag::Runs, Some(sweep.as_str()))
    })
}

/// The trials of a sweep that have begun, in their order.
///
/// # Errors
/// When the database cannot be read.
pub fn trials(store: &Store, sweep: &RunId) -> Result<Vec<Trial>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT number, run_id FROM sweep_trials WHERE sweep = ?1 ORDER BY number",
        )?;
        let trial = |row: &Row<'_>| {
            Ok(Trial {
                number: row.get("number")?,
                run_id: run_id(row)?,
            })
        };
        let rows = statement.query_map([sweep.as_str()], trial)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

/// One sweep.
///
/// # Errors
/// When the database cannot be read.
pub fn get(store: &Store, sweep: &RunId) -> Result<Option<Sweep>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached("SELECT * FROM sweeps WHERE run_id = ?1")?;
        Ok(statement.query_row([sweep.as_str()], read).optional()?)
    })
}

/// Those that have no end yet, of one project or of all, the newest first.
///
/// # Errors
/// When the database cannot be read.
pub fn active(store: &Store, project: Option<&str>) -> Result<Vec<Sweep>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT * FROM sweeps WHERE ended IS NULL AND (?1 IS NULL OR project = ?1)
             ORDER BY created DESC",
        )?;
        let rows = statement.query_map([project], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}
