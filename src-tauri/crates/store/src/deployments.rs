//! Deployments and their revisions.

use lapwing_core::{DeploymentName, Tag, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::{Result, Store, feed};

pub(crate) const MIGRATIONS: &[&str] = &["CREATE TABLE deployments (
    name TEXT PRIMARY KEY,
    project TEXT,
    target TEXT NOT NULL,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    live_revision INTEGER,
    wanted TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;
CREATE TABLE revisions (
    deployment TEXT NOT NULL REFERENCES deployments (name) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    created INTEGER NOT NULL,
    model TEXT NOT NULL,
    version INTEGER,
    run_id TEXT,
    source TEXT NOT NULL,
    runtime TEXT NOT NULL,
    runtime_note TEXT NOT NULL,
    python TEXT,
    reference TEXT,
    released_by TEXT NOT NULL,
    PRIMARY KEY (deployment, number)
) STRICT;"];

/// An endpoint, as it is wanted. Whether it answers is the gateway's to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    pub name: DeploymentName,
    pub project: Option<String>,
    /// `process` or `docker`.
    pub target: String,
    pub host: String,
    pub port: u16,
    pub live_revision: Option<u32>,
    /// `running` or `stopped`.
    pub wanted: String,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// One release of a deployment; never changed after it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    pub deployment: DeploymentName,
    pub number: u32,
    pub created: Timestamp,
    /// Name of the registered model, or the URI that was deployed.
    pub model: String,
    pub version: Option<u32>,
    pub run_id: Option<String>,
    pub source: String,
    /// `onnx` or `python`.
    pub runtime: String,
    /// Why this runtime.
    pub runtime_note: String,
    /// Interpreter of the worker.
    pub python: Option<String>,
    /// Where the monitor's reference rows come from, in words.
    pub reference: Option<String>,
    pub released_by: String,
}

fn name_of(row: &Row<'_>, column: &str) -> rusqlite::Result<DeploymentName> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error: lapwing_core::InvalidName| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Deployment> {
    Ok(Deployment {
        name: name_of(row, "name")?,
        project: row.get("project")?,
        target: row.get("target")?,
        host: row.get("host")?,
        port: row.get("port")?,
        live_revision: row.get("live_revision")?,
        wanted: row.get("wanted")?,
        created: Timestamp(row.get("created")?),
        updated: Timestamp(row.get("updated")?),
    })
}

fn read_revision(row: &Row<'_>) -> rusqlite::Result<Revision> {
    Ok(Revision {
        deployment: name_of(row, "deployment")?,
        number: row.get("number")?,
        created: Timestamp(row.get("created")?),
        model: row.get("model")?,
        version: row.get("version")?,
        run_id: row.get("run_id")?,
        source: row.get("source")?,
        runtime: row.get("runtime")?,
        runtime_note: row.get("runtime_note")?,
        python: row.get("python")?,
        reference: row.get("reference")?,
        released_by: row.get("released_by")?,
    })
}

/// Inserts a deployment or changes what is wanted of it; its revisions stay.
///
/// # Errors
/// When the database cannot be written.
pub fn put(store: &Store, deployment: Deployment) -> Result<()> {
    store.write(move |tx| {
        tx.execute(
            "INSERT INTO deployments (name, project, target, host, port, live_revision, wanted, created, updated)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (name) DO UPDATE SET project = ?2, target = ?3, host = ?4, port = ?5, live_revision = ?6,
             wanted = ?7, updated = ?9",
            params![
                deployment.name.as_str(),
                deployment.project,
                deployment.target,
                deployment.host,
                deployment.port,
                deployment.live_revision,
                deployment.wanted,
                deployment.created.0,
                deployment.updated.0
            ],
        )?;
        feed::push(tx, Tag::Deployments, Some(deployment.name.as_str()))
    })
}

/// Adds a revision; its number must be new.
///
/// # Errors
/// When the number is taken, or the database cannot be written.
pub fn add_revision(store: &Store, revision: Revision) -> Result<()> {
    store.write(move |tx| {
        tx.execute(
            "INSERT INTO revisions (deployment, number, created, model, version, run_id, source, runtime,
             runtime_note, python, reference, released_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                revision.deployment.as_str(),
                revision.number,
                revision.created.0,
                revision.model,
                revision.version,
                revision.run_id,
                revision.source,
                revision.runtime,
                revision.runtime_note,
                revision.python,
                revision.reference,
                revision.released_by
            ],
        )?;
        feed::push(tx, Tag::Deployments, Some(revision.deployment.as_str()))
    })
}

/// Forgets a deployment and its revisions.
///
/// # Errors
/// When the database cannot be written.
pub fn remove(store: &Store, name: &DeploymentName) -> Result<()> {
    let name = name.clone();
    store.write(move |tx| {
        tx.execute("DELETE FROM deployments WHERE name = ?1", [name.as_str()])?;
        feed::push(tx, Tag::Deployments, Some(name.as_str()))
    })
}

/// All deployments by name.
///
/// # Errors
/// When the database cannot be read.
pub fn list(store: &Store) -> Result<Vec<Deployment>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached("SELECT * FROM deployments ORDER BY name")?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

/// One deployment.
///
/// # Errors
/// When the database cannot be read.
pub fn get(store: &Store, name: &DeploymentName) -> Result<Option<Deployment>> {
    store.read(|connection| {
        Ok(connection
            .query_row(
                "SELECT * FROM deployments WHERE name = ?1",
                [name.as_str()],
                read,
            )
            .optional()?)
    })
}

/// A deployment's revisions, newest first.
///
/// # Errors
/// When the database cannot be read.
pub fn revisions(store: &Store, name: &DeploymentName) -> Result<Vec<Revision>> {
    store.read(|connection| {
        let mut statement = connection
            .prepare_cached("SELECT * FROM revisions WHERE deployment = ?1 ORDER BY number DESC")?;
        let rows = statement.query_map([name.as_str()], read_revision)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}
