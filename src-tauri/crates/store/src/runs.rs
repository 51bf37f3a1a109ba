//! Runs with their parameters, tags, metrics and inputs.
//!
//! SQLite keeps no NaN: a metric's NULL is one. A run's latest value of a metric is that of the greatest step, then time,
//! then value, as MLflow defines it.

use std::collections::BTreeMap;

use lapwing_core::{RunId, Tag, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::{Error, Result, Store, feed};

pub(crate) const MIGRATIONS: &[&str] = &["CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    experiment_id INTEGER NOT NULL REFERENCES experiments (id),
    name TEXT NOT NULL,
    user TEXT NOT NULL,
    status TEXT NOT NULL,
    start INTEGER NOT NULL,
    \"end\" INTEGER,
    lifecycle TEXT NOT NULL DEFAULT 'active'
) STRICT;
CREATE INDEX runs_experiment ON runs (experiment_id, start DESC);
CREATE INDEX runs_start ON runs (start DESC);
CREATE TABLE params (
    run_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE tags (
    run_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_key ON tags (key, value);
CREATE TABLE metrics (
    run_id TEXT NOT NULL, key TEXT NOT NULL, step INTEGER NOT NULL, timestamp INTEGER NOT NULL, value REAL
) STRICT;
CREATE INDEX metrics_run ON metrics (run_id, key, step, timestamp);
CREATE TABLE latest_metrics (
    run_id TEXT NOT NULL, key TEXT NOT NULL, step INTEGER NOT NULL, timestamp INTEGER NOT NULL, value REAL,
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX latest_metrics_value ON latest_metrics (key, value);
CREATE TABLE inputs (
    run_id TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, source_type TEXT NOT NULL, source TEXT NOT NULL,
    schema TEXT, profile TEXT, tags TEXT NOT NULL, PRIMARY KEY (run_id, name, digest)
) STRICT;
CREATE INDEX inputs_digest ON inputs (digest);"];

/// One run without its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub id: RunId,
    pub experiment_id: i64,
    pub experiment: String,
    pub name: String,
    pub user: String,
    /// `RUNNING`, `SCHEDULED`, `FINISHED`, `FAILED`, `KILLED`.
    pub status: String,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    /// `active` or `deleted`.
    pub lifecycle: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub step: i64,
    pub timestamp: Timestamp,
    pub value: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    pub key: String,
    pub point: Point,
}

/// A data set that a run read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    pub name: String,
    pub digest: String,
    pub source_type: String,
    pub source: String,
    pub schema: Option<String>,
    pub profile: Option<String>,
    /// JSON list of `{key, value}`.
    pub tags: String,
}

/// What belongs to a run besides its row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunData {
    pub params: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub metrics: BTreeMap<String, Point>,
    pub inputs: Vec<Input>,
}

pub(crate) const SELECT: &str =
    "SELECT r.*, e.name AS experiment FROM runs r JOIN experiments e ON e.id = r.experiment_id";

pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Run> {
    let id: String = row.get("id")?;
    let id = id.parse().map_err(|error: lapwing_core::InvalidName| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(Run {
        id,
        experiment_id: row.get("experiment_id")?,
        experiment: row.get("experiment")?,
        name: row.get("name")?,
        user: row.get("user")?,
        status: row.get("status")?,
        start: Timestamp(row.get("start")?),
        end: row.get::<_, Option<i64>>("end")?.map(Timestamp),
        lifecycle: row.get("lifecycle")?,
    })
}

fn stale(tx: &Transaction<'_>, id: &RunId) -> Result<()> {
    feed::push(tx, Tag::Runs, Some(id.as_str()))
}

/// Inserts a run with its first tags.
///
/// # Errors
/// When the experiment does not exist, or the database cannot be written.
pub fn insert(store: &Store, run: Run, tags: Vec<(String, String)>) -> Result<()> {
    store.write(move |tx| {
        tx.execute(
            "INSERT INTO runs (id, experiment_id, name, user, status, start, \"end\") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![run.id.as_str(), run.experiment_id, run.name, run.user, run.status, run.start.0, run.end.map(|at| at.0)],
        )?;
        for (key, value) in &tags {
            put_tag(tx, &run.id, key, value)?;
        }
        tx.execute("UPDATE experiments SET updated = ?2 WHERE id = ?1", params![run.experiment_id, run.start.0])?;
        stale(tx, &run.id)
    })
}

fn put_tag(tx: &Transaction<'_>, id: &RunId, key: &str, value: &str) -> Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO tags (run_id, key, value) VALUES (?1, ?2, ?3)")?
        .execute(params![id.as_str(), key, value])?;
    Ok(())
}

/// One run.
///
/// # Errors
/// When the database cannot be read.
pub fn get(store: &Store, id: &RunId) -> Result<Option<Run>> {
    store.read(|connection| {
        Ok(connection
            .query_row(&format!("{SELECT} WHERE r.id = ?1"), [id.as_str()], read)
            .optional()?)
    })
}

/// Ids that begin with `prefix`, at most two.
///
/// # Errors
/// When the database cannot be read.
pub fn starting_with(store: &Store, prefix: &str) -> Result<Vec<RunId>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(&format!(
            "{SELECT} WHERE substr(r.id, 1, length(?1)) = ?1 LIMIT 2"
        ))?;
        let rows = statement.query_map([prefix], read)?;
        Ok(rows
            .map(|row| row.map(|run| run.id))
            .collect::<rusqlite::Result<_>>()?)
    })
}

/// What to change of a run; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct Update {
    pub status: Option<String>,
    pub end: Option<Timestamp>,
    pub name: Option<String>,
    pub lifecycle: Option<String>,
}

/// Changes a run. False when there is none.
///
/// # Errors
/// When the database cannot be written.
pub fn update(store: &Store, id: &RunId, update: Update) -> Result<bool> {
    let id = id.clone();
    store.write(move |tx| {
        let reopened = update.status.as_deref() == Some("RUNNING");
        let changed = tx.execute(
            "UPDATE runs SET status = coalesce(?2, status), \"end\" = CASE WHEN ?6 THEN NULL ELSE coalesce(?3, \"end\") END,
             name = coalesce(?4, name), lifecycle = coalesce(?5, lifecycle) WHERE id = ?1",
            params![id.as_str(), update.status, update.end.map(|at| at.0), update.name, update.lifecycle, reopened],
        )?;
        if let Some(name) = &update.name {
            put_tag(tx, &id, "mlflow.runName", name)?;
        }
        stale(tx, &id)?;
        Ok(changed == 1)
    })
}

/// A parameter that was given two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamConflict {
    pub key: String,
    pub old: String,
    pub new: String,
}

/// Appends metrics, parameters and tags in one go. A parameter with another value than before refuses the whole batch.
///
/// # Errors
/// When the database cannot be written.
pub fn log(
    store: &Store,
    id: &RunId,
    metrics: Vec<Metric>,
    params: Vec<(String, String)>,
    tags: Vec<(String, String)>,
) -> Result<Result<(), ParamConflict>> {
    let id = id.clone();
    store.write(move |tx| {
        // All are looked at before anything is written: a refusal is an answer, and an answer is committed.
        let mut fresh: BTreeMap<&str, &str> = BTreeMap::new();
        for (key, value) in &params {
            let stored: Option<String> = tx
                .prepare_cached("SELECT value FROM params WHERE run_id = ?1 AND key = ?2")?
                .query_row(params![id.as_str(), key], |row| row.get(0))
                .optional()?;
            match stored
                .as_deref()
                .or_else(|| fresh.get(key.as_str()).copied())
            {
                Some(old) if old != value => {
                    return Ok(Err(ParamConflict {
                        key: key.clone(),
                        old: old.to_owned(),
                        new: value.clone(),
                    }));
                }
                Some(_) => {}
                None => {
                    fresh.insert(key, value);
                }
            }
        }
        for (key, value) in fresh {
            tx.prepare_cached("INSERT INTO params (run_id, key, value) VALUES (?1, ?2, ?3)")?
                .execute(params![id.as_str(), key, value])?;
        }
        for (key, value) in &tags {
            put_tag(tx, &id, key, value)?;
            if key == "mlflow.runName" {
                tx.execute(
                    "UPDATE runs SET name = ?2 WHERE id = ?1",
                    params![id.as_str(), value],
                )?;
            }
        }
        log_metrics(tx, &id, &metrics)?;
        stale(tx, &id)?;
        Ok(Ok(()))
    })
}

fn log_metrics(tx: &Transaction<'_>, id: &RunId, metrics: &[Metric]) -> Result<()> {
    // Clients send a point again (a retry, lightgbm's first step): as in MLflow, the same point is one point.
    // Of equals the last one counts, as if they had come one by one.
    let mut latest: BTreeMap<&str, Point> = BTreeMap::new();
    let mut insert = tx.prepare_cached(
        "INSERT INTO metrics (run_id, key, step, timestamp, value) SELECT ?1, ?2, ?3, ?4, ?5
         WHERE NOT EXISTS (SELECT 1 FROM metrics
         WHERE run_id = ?1 AND key = ?2 AND step = ?3 AND timestamp = ?4 AND value IS ?5)",
    )?;
    for Metric { key, point } in metrics {
        insert.execute(params![
            id.as_str(),
            key,
            point.step,
            point.timestamp.0,
            stored(*point)
        ])?;
        let known = latest.entry(key).or_insert(*point);
        if !comes_before(point, known) {
            *known = *point;
        }
    }
    let mut keep = tx.prepare_cached(
        "INSERT INTO latest_metrics (run_id, key, step, timestamp, value) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (run_id, key) DO UPDATE SET step = ?3, timestamp = ?4, value = ?5
         WHERE (?3, ?4, coalesce(?5, -9e999)) >= (step, timestamp, coalesce(value, -9e999))",
    )?;
    for (key, point) in latest {
        keep.execute(params![
            id.as_str(),
            key,
            point.step,
            point.timestamp.0,
            stored(point)
        ])?;
    }
    Ok(())
}

fn stored(point: Point) -> Option<f64> {
    (!point.value.is_nan()).then_some(point.value)
}

/// By step, then time, then value; what is no number is the least.
fn comes_before(one: &Point, other: &Point) -> bool {
    let rank = |point: &Point| {
        let value = stored(*point).unwrap_or(f64::NEG_INFINITY);
        (point.step, point.timestamp.0, value)
    };
    rank(one) < rank(other)
}

/// Removes a tag.
///
/// # Errors
/// When the database cannot be written.
pub fn delete_tag(store: &Store, id: &RunId, key: &str) -> Result<bool> {
    let (id, key) = (id.clone(), key.to_owned());
    store.write(move |tx| {
        let gone = tx.execute(
            "DELETE FROM tags WHERE run_id = ?1 AND key = ?2",
            params![id.as_str(), key],
        )?;
        stale(tx, &id)?;
        Ok(gone == 1)
    })
}

/// Notes data sets that a run read.
///
/// # Errors
/// When the database cannot be written.
pub fn add_inputs(store: &Store, id: &RunId, inputs: Vec<Input>) -> Result<()> {
    let id = id.clone();
    store.write(move |tx| {
        for input in &inputs {
            tx.execute(
                "INSERT OR REPLACE INTO inputs (run_id, name, digest, source_type, source, schema, profile, tags)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    id.as_str(), input.name, input.digest, input.source_type, input.source, input.schema, input.profile,
                    input.tags
                ],
            )?;
        }
        stale(tx, &id)
    })
}

/// What belongs to a run.
///
/// # Errors
/// When the database cannot be read.
pub fn data(store: &Store, id: &RunId) -> Result<RunData> {
    store.read(|connection| data_of(connection, id))
}

pub(crate) fn data_of(connection: &Connection, id: &RunId) -> Result<RunData> {
    let pairs = |sql: &str| -> Result<BTreeMap<String, String>> {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    };
    let mut statement = connection.prepare_cached(
        "SELECT key, step, timestamp, value FROM latest_metrics WHERE run_id = ?1",
    )?;
    let metrics = statement
        .query_map([id.as_str()], |row| Ok((row.get(0)?, point(row)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut statement = connection.prepare_cached("SELECT * FROM inputs WHERE run_id = ?1")?;
    let inputs = statement
        .query_map([id.as_str()], read_input)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(RunData {
        params: pairs("SELECT key, value FROM params WHERE run_id = ?1")?,
        tags: pairs("SELECT key, value FROM tags WHERE run_id = ?1")?,
        metrics,
        inputs,
    })
}

fn point(row: &Row<'_>) -> rusqlite::Result<Point> {
    Ok(Point {
        step: row.get("step")?,
        timestamp: Timestamp(row.get("timestamp")?),
        value: row.get::<_, Option<f64>>("value")?.unwrap_or(f64::NAN),
    })
}

fn read_input(row: &Row<'_>) -> rusqlite::Result<Input> {
    Ok(Input {
        name: row.get("name")?,
        digest: row.get("digest")?,
        source_type: row.get("source_type")?,
        source: row.get("source")?,
        schema: row.get("schema")?,
        profile: row.get("profile")?,
        tags: row.get("tags")?,
    })
}

/// All values of a metric, by step and time.
///
/// # Errors
/// When the database cannot be read.
pub fn history(store: &Store, id: &RunId, key: &str) -> Result<Vec<Point>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT step, timestamp, value FROM metrics WHERE run_id = ?1 AND key = ?2 ORDER BY step, timestamp, rowid",
        )?;
        let rows = statement.query_map(params![id.as_str(), key], point)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

/// Ids of runs that have this tag value: forward lineage from a data set or a commit.
///
/// # Errors
/// When the database cannot be read.
pub fn with_tag(store: &Store, key: &str, value: &str) -> Result<Vec<RunId>> {
    ids(
        store,
        "SELECT run_id FROM tags WHERE key = ?1 AND value = ?2",
        params![key, value],
    )
}

/// How many runs have each of these values of a tag; none that are deleted.
///
/// # Errors
/// When the database cannot be read.
pub fn count_with_tag(store: &Store, key: &str, values: &[RunId]) -> Result<BTreeMap<String, u32>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT COUNT(*) FROM tags t JOIN runs r ON r.id = t.run_id
             WHERE t.key = ?1 AND t.value = ?2 AND r.lifecycle = 'active'",
        )?;
        let mut counts = BTreeMap::new();
        for value in values {
            let count: u32 = statement.query_row([key, value.as_str()], |row| row.get(0))?;
            if count > 0 {
                counts.insert(value.to_string(), count);
            }
        }
        Ok(counts)
    })
}

/// Ids of runs that read a data set with this digest.
///
/// # Errors
/// When the database cannot be read.
pub fn with_input(store: &Store, digest: &str) -> Result<Vec<RunId>> {
    ids(
        store,
        "SELECT DISTINCT run_id FROM inputs WHERE digest = ?1",
        params![digest],
    )
}

/// The digests of data sets that begin like this; two of them are enough to know that a beginning is not enough.
///
/// # Errors
/// When the database cannot be read.
pub fn digests_beginning(store: &Store, beginning: &str) -> Result<Vec<String>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT DISTINCT digest FROM inputs WHERE substr(digest, 1, length(?1)) = ?1 LIMIT 2",
        )?;
        let rows = statement.query_map([beginning], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

fn ids(store: &Store, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<RunId>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(values, |row| row.get::<_, String>(0))?;
        let texts: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
        texts
            .iter()
            .map(|text| {
                text.parse()
                    .map_err(|_| Error::Broken(format!("run id `{text}`")))
            })
            .collect()
    })
}
