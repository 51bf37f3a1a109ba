//! What is known of each job besides its folder: whose it is, and how it went.

use lapwing_core::{JobId, Tag, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::{Result, Store, feed};

pub(crate) const MIGRATIONS: &[&str] = &[
    "CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    target TEXT NOT NULL,
    project TEXT,
    run_id TEXT,
    stage TEXT,
    created INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER,
    status TEXT NOT NULL,
    outcome TEXT
) STRICT;
CREATE INDEX jobs_created ON jobs (created DESC);
CREATE INDEX jobs_run ON jobs (run_id);",
    "CREATE INDEX jobs_stage ON jobs (project, stage, created DESC)",
];

/// One job. `status` and `target` are words of the layer above; the store only keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub title: String,
    pub target: String,
    pub project: Option<String>,
    pub run_id: Option<String>,
    pub stage: Option<String>,
    pub created: Timestamp,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub status: String,
    /// `exit code 1`, `out of memory`, …
    pub outcome: Option<String>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Job> {
    let id: String = row.get("id")?;
    let id = id.parse().map_err(|error: lapwing_core::InvalidName| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(Job {
        id,
        title: row.get("title")?,
        target: row.get("target")?,
        project: row.get("project")?,
        run_id: row.get("run_id")?,
        stage: row.get("stage")?,
        created: Timestamp(row.get("created")?),
        started: row.get::<_, Option<i64>>("started")?.map(Timestamp),
        ended: row.get::<_, Option<i64>>("ended")?.map(Timestamp),
        status: row.get("status")?,
        outcome: row.get("outcome")?,
    })
}

/// Inserts a job, or replaces what is known of it.
///
/// # Errors
/// When the database cannot be written.
pub fn put(store: &Store, job: Job) -> Result<()> {
    store.write(move |tx| {
        tx.execute(
            "INSERT OR REPLACE INTO jobs (id, title, target, project, run_id, stage, created, started, ended, status, outcome)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                job.id.as_str(),
                job.title,
                job.target,
                job.project,
                job.run_id,
                job.stage,
                job.created.0,
                job.started.map(|at| at.0),
                job.ended.map(|at| at.0),
                job.status,
                job.outcome
            ],
        )?;
        feed::push(tx, Tag::Jobs, Some(job.id.as_str()))
    })
}

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub project: Option<String>,
    pub run_id: Option<String>,
    /// Only those that have no end yet.
    pub unfinished: bool,
}

/// Newest first, at most `max`.
///
/// # Errors
/// When the database cannot be read.
pub fn list(store: &Store, filter: &Filter, max: u32) -> Result<Vec<Job>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT * FROM jobs WHERE (?1 IS NULL OR project = ?1) AND (?2 IS NULL OR run_id = ?2)
             AND (NOT ?3 OR ended IS NULL) ORDER BY created DESC, id LIMIT ?4",
        )?;
        let rows = statement.query_map(
            params![filter.project, filter.run_id, filter.unfinished, max],
            read,
        )?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

/// The newest job of each stage of a project, without those of runs that work in another folder for it: trials of a sweep say nothing
/// of what lies in the project.
///
/// # Errors
/// When the database cannot be read.
pub fn newest_of_stages(store: &Store, project: &str) -> Result<Vec<Job>> {
    store.read(|connection| {
        // With max, the other columns are those of the row that has it: https://www.sqlite.org/lang_select.html#bareagg
        let mut statement = connection.prepare_cached(
            "SELECT jobs.*, max(jobs.created) FROM jobs LEFT JOIN pipeline_runs USING (run_id)
             WHERE jobs.project = ?1 AND jobs.stage IS NOT NULL AND jobs.run_id IS NOT NULL
             AND coalesce(pipeline_runs.project, ?1) = ?1 GROUP BY jobs.stage",
        )?;
        let rows = statement.query_map([project], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

/// The job with that id.
///
/// # Errors
/// When the database cannot be read.
pub fn get(store: &Store, id: &JobId) -> Result<Option<Job>> {
    store.read(|connection| {
        Ok(connection
            .query_row("SELECT * FROM jobs WHERE id = ?1", [id.as_str()], read)
            .optional()?)
    })
}

/// Ids that begin with `prefix`, at most two: one is a match, two are ambiguous.
///
/// # Errors
/// When the database cannot be read.
pub fn starting_with(store: &Store, prefix: &str) -> Result<Vec<Job>> {
    store.read(|connection| {
        let mut statement = connection
            .prepare_cached("SELECT * FROM jobs WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2")?;
        let rows = statement.query_map([prefix], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}
