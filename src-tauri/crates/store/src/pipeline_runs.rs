//! Runs of a project's pipeline: what was asked for, and whether it still goes on.

use lapwing_core::{RunId, Tag, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::{Result, Store, feed};

pub(crate) const MIGRATIONS: &[&str] = &["CREATE TABLE pipeline_runs (
    run_id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    created INTEGER NOT NULL,
    ended INTEGER,
    request TEXT NOT NULL,
    stages TEXT NOT NULL,
    failure TEXT
) STRICT;
-- One at a time in a project: two would write the same outputs.
CREATE UNIQUE INDEX pipeline_runs_active ON pipeline_runs (project) WHERE ended IS NULL;
CREATE INDEX pipeline_runs_project ON pipeline_runs (project, created DESC);"];

/// One run of a pipeline. `request` and `stages` are JSON of the layer above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineRun {
    pub run_id: RunId,
    pub project: String,
    pub created: Timestamp,
    pub ended: Option<Timestamp>,
    pub request: String,
    pub stages: String,
    /// Why it failed, in a sentence.
    pub failure: Option<String>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<PipelineRun> {
    let id: String = row.get("run_id")?;
    let run_id = id.parse().map_err(|error: lapwing_core::InvalidName| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(PipelineRun {
        run_id,
        project: row.get("project")?,
        created: Timestamp(row.get("created")?),
        ended: row.get::<_, Option<i64>>("ended")?.map(Timestamp),
        request: row.get("request")?,
        stages: row.get("stages")?,
        failure: row.get("failure")?,
    })
}

/// Inserts a run that goes on from now. False when another one of the same project goes on: then nothing is inserted.
///
/// # Errors
/// When the database cannot be written.
pub fn begin(store: &Store, run: PipelineRun) -> Result<bool> {
    store.write(move |tx| {
        let inserted = tx.execute(
            "INSERT INTO pipeline_runs (run_id, project, created, request, stages)
             SELECT ?1, ?2, ?3, ?4, ?5
             WHERE NOT EXISTS (SELECT 1 FROM pipeline_runs WHERE project = ?2 AND ended IS NULL)",
            params![
                run.run_id.as_str(),
                run.project,
                run.created.0,
                run.request,
                run.stages
            ],
        )?;
        feed::push(tx, Tag::Pipeline, Some(&run.project))?;
        Ok(inserted == 1)
    })
}

/// Ends a run; ending it twice changes nothing.
///
/// # Errors
/// When the database cannot be written.
pub fn end(store: &Store, run_id: &RunId, at: Timestamp, failure: Option<String>) -> Result<()> {
    let run_id = run_id.clone();
    store.write(move |tx| {
        tx.execute(
            "UPDATE pipeline_runs SET ended = ?2, failure = ?3 WHERE run_id = ?1 AND ended IS NULL",
            params![run_id.as_str(), at.0, failure],
        )?;
        feed::push(tx, Tag::Pipeline, None)
    })
}

/// One pipeline run.
///
/// # Errors
/// When the database cannot be read.
pub fn get(store: &Store, run_id: &RunId) -> Result<Option<PipelineRun>> {
    store.read(|connection| {
        Ok(connection
            .query_row(
                "SELECT * FROM pipeline_runs WHERE run_id = ?1",
                [run_id.as_str()],
                read,
            )
            .optional()?)
    })
}

/// Those that have no end yet, of one project or of all.
///
/// # Errors
/// When the database cannot be read.
pub fn active(store: &Store, project: Option<&str>) -> Result<Vec<PipelineRun>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT * FROM pipeline_runs WHERE ended IS NULL AND (?1 IS NULL OR project = ?1)",
        )?;
        let rows = statement.query_map([project], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

/// The newest runs of a project.
///
/// # Errors
/// When the database cannot be read.
pub fn of_project(store: &Store, project: &str, max: u32) -> Result<Vec<PipelineRun>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT * FROM pipeline_runs WHERE project = ?1 ORDER BY created DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![project, max], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}
