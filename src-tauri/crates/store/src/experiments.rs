//! Experiments: names over runs.

use lapwing_core::{Tag, Timestamp};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::{Result, Store, feed};

pub(crate) const MIGRATIONS: &[&str] = &["CREATE TABLE experiments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    lifecycle TEXT NOT NULL DEFAULT 'active',
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;
CREATE TABLE experiment_tags (
    experiment_id INTEGER NOT NULL REFERENCES experiments (id),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (experiment_id, key)
) STRICT;
-- MLflow clients expect this one from the start.
INSERT INTO experiments (id, name, created, updated) VALUES (0, 'Default', 0, 0);"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    pub id: i64,
    pub name: String,
    /// `active` or `deleted`.
    pub lifecycle: String,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub tags: Vec<(String, String)>,
    /// Runs that are not deleted.
    pub runs: u32,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Experiment> {
    Ok(Experiment {
        id: row.get("id")?,
        name: row.get("name")?,
        lifecycle: row.get("lifecycle")?,
        created: Timestamp(row.get("created")?),
        updated: Timestamp(row.get("updated")?),
        tags: Vec::new(),
        runs: row.get("runs")?,
    })
}

const SELECT: &str = "SELECT e.*, (SELECT count(*) FROM runs r WHERE r.experiment_id = e.id AND r.lifecycle = 'active') AS runs
    FROM experiments e";

/// Creates an experiment. `None` when the name is taken.
///
/// # Errors
/// When the database cannot be written.
pub fn create(
    store: &Store,
    name: &str,
    tags: Vec<(String, String)>,
    at: Timestamp,
) -> Result<Option<i64>> {
    let name = name.to_owned();
    store.write(move |tx| insert(tx, &name, &tags, at))
}

fn insert(
    tx: &Transaction<'_>,
    name: &str,
    tags: &[(String, String)],
    at: Timestamp,
) -> Result<Option<i64>> {
    let inserted = tx.execute(
        "INSERT OR IGNORE INTO experiments (name, created, updated) VALUES (?1, ?2, ?2)",
        params![name, at.0],
    )?;
    if inserted == 0 {
        return Ok(None);
    }
    let id = tx.last_insert_rowid();
    for (key, value) in tags {
        tx.execute(
            "INSERT OR REPLACE INTO experiment_tags VALUES (?1, ?2, ?3)",
            params![id, key, value],
        )?;
    }
    feed::push(tx, Tag::Runs, None)?;
    Ok(Some(id))
}

/// The id of the experiment with that name, creating it when it is new.
///
/// # Errors
/// When the database cannot be written.
pub fn ensure(store: &Store, name: &str, at: Timestamp) -> Result<i64> {
    let name = name.to_owned();
    store.write(move |tx| {
        let known = tx
            .query_row(
                "SELECT id FROM experiments WHERE name = ?1",
                [&name],
                |row| row.get(0),
            )
            .optional()?;
        if let Some(id) = known {
            tx.execute(
                "UPDATE experiments SET lifecycle = 'active' WHERE id = ?1",
                [id],
            )?;
            return Ok(id);
        }
        Ok(insert(tx, &name, &[], at)?.unwrap_or_default())
    })
}

/// All experiments, the one changed last first.
///
/// # Errors
/// When the database cannot be read.
pub fn list(store: &Store) -> Result<Vec<Experiment>> {
    store.read(|connection| {
        let mut statement =
            connection.prepare_cached(&format!("{SELECT} ORDER BY updated DESC, id DESC"))?;
        let mut all: Vec<Experiment> = statement
            .query_map([], read)?
            .collect::<rusqlite::Result<_>>()?;
        let mut statement = connection
            .prepare_cached("SELECT key, value FROM experiment_tags WHERE experiment_id = ?1")?;
        for experiment in &mut all {
            let tags =
                statement.query_map([experiment.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            experiment.tags = tags.collect::<rusqlite::Result<_>>()?;
        }
        Ok(all)
    })
}

/// Renames, deletes or restores an experiment. False when there is none with that id.
///
/// # Errors
/// When the name is taken, or the database cannot be written.
pub fn update(
    store: &Store,
    id: i64,
    name: Option<String>,
    lifecycle: Option<String>,
    at: Timestamp,
) -> Result<bool> {
    store.write(move |tx| {
        let changed = tx.execute(
            "UPDATE experiments SET name = coalesce(?2, name), lifecycle = coalesce(?3, lifecycle), updated = ?4 WHERE id = ?1",
            params![id, name, lifecycle, at.0],
        )?;
        feed::push(tx, Tag::Runs, None)?;
        Ok(changed == 1)
    })
}

/// Sets a tag, or removes it without a value.
///
/// # Errors
/// When the database cannot be written.
pub fn set_tag(store: &Store, id: i64, key: &str, value: Option<String>) -> Result<()> {
    let key = key.to_owned();
    store.write(move |tx| {
        match value {
            Some(value) => tx.execute(
                "INSERT OR REPLACE INTO experiment_tags VALUES (?1, ?2, ?3)",
                params![id, key, value],
            )?,
            None => tx.execute(
                "DELETE FROM experiment_tags WHERE experiment_id = ?1 AND key = ?2",
                params![id, key],
            )?,
        };
        feed::push(tx, Tag::Runs, None)
    })
}
