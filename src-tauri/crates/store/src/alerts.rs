//! Alerts: what a monitor found, until it is well again.

use lapwing_core::{DeploymentName, Tag, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::{Result, Store, feed};

pub(crate) const MIGRATIONS: &[&str] = &[
    "CREATE TABLE alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment TEXT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    at INTEGER NOT NULL,
    resolved INTEGER,
    acknowledged INTEGER NOT NULL DEFAULT 0
) STRICT;
-- One open alert of a kind: a monitor that looks twice does not cry twice.
CREATE UNIQUE INDEX alerts_open ON alerts (deployment, kind) WHERE resolved IS NULL;",
    // When it is to be posted next; NULL when it was, or nobody wants it.
    "ALTER TABLE alerts ADD COLUMN due INTEGER;
ALTER TABLE alerts ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
CREATE INDEX alerts_due ON alerts (due) WHERE due IS NOT NULL;",
];

/// Whether somebody waits for a new alert elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Post {
    Wanted,
    Unwanted,
}

/// One alert. `kind` is `drift`, `performance`, `errors`, `latency` or `quality`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    pub id: u32,
    pub deployment: String,
    pub kind: String,
    pub message: String,
    pub at: Timestamp,
    pub resolved: Option<Timestamp>,
    pub acknowledged: bool,
    /// How often it was posted, or tried to be.
    pub tries: u32,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Alert> {
    Ok(Alert {
        id: row.get("id")?,
        deployment: row.get("deployment")?,
        kind: row.get("kind")?,
        message: row.get("message")?,
        at: Timestamp(row.get("at")?),
        resolved: row.get::<_, Option<i64>>("resolved")?.map(Timestamp),
        acknowledged: row.get("acknowledged")?,
        tries: row.get("tries")?,
    })
}

/// Opens an alert, or renews the message of the open one of that kind. True when it is new.
///
/// # Errors
/// When the database cannot be written.
pub fn raise(
    store: &Store,
    name: &DeploymentName,
    kind: &str,
    message: &str,
    at: Timestamp,
    post: Post,
) -> Result<bool> {
    let due = (post == Post::Wanted).then_some(at.0);
    let (name, kind, message) = (name.clone(), kind.to_owned(), message.to_owned());
    store.write(move |tx| {
        let renewed = tx.execute(
            "UPDATE alerts SET message = ?3 WHERE deployment = ?1 AND kind = ?2 AND resolved IS NULL",
            params![name.as_str(), kind, message],
        )?;
        if renewed == 0 {
            tx.execute(
                "INSERT INTO alerts (deployment, kind, message, at, due) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![name.as_str(), kind, message, at.0, due],
            )?;
        }
        feed::push(tx, Tag::Monitors, Some(name.as_str()))?;
        Ok(renewed == 0)
    })
}

/// Takes at most `max` alerts that are to be posted now. Until `again` (of how often it was tried) has passed, nobody else
/// gets the same one; whoever posted it says so with [`posted`].
///
/// # Errors
/// When the database cannot be read or written.
pub fn take_due(
    store: &Store,
    now: Timestamp,
    max: u32,
    again: fn(u32) -> i64,
) -> Result<Vec<Alert>> {
    if store
        .read(|connection| due(connection, now, max))?
        .is_empty()
    {
        return Ok(Vec::new());
    }
    store.write(move |tx| {
        let mut taken = due(tx, now, max)?;
        for alert in &mut taken {
            alert.tries += 1;
            tx.execute(
                "UPDATE alerts SET tries = ?2, due = ?3 WHERE id = ?1",
                params![alert.id, alert.tries, now.0 + again(alert.tries)],
            )?;
        }
        Ok(taken)
    })
}

fn due(connection: &Connection, now: Timestamp, max: u32) -> Result<Vec<Alert>> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM alerts WHERE due <= ?1 ORDER BY id LIMIT ?2")?;
    let rows = statement.query_map(params![now.0, max], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// An alert need not be posted any more.
///
/// # Errors
/// When the database cannot be written.
pub fn posted(store: &Store, id: u32) -> Result<()> {
    store.write(move |tx| {
        tx.execute("UPDATE alerts SET due = NULL WHERE id = ?1", [id])?;
        Ok(())
    })
}

/// Closes the open alert of that kind, if there is one. True when there was.
///
/// # Errors
/// When the database cannot be written.
pub fn resolve(store: &Store, name: &DeploymentName, kind: &str, at: Timestamp) -> Result<bool> {
    let (name, kind) = (name.clone(), kind.to_owned());
    store.write(move |tx| {
        let closed = tx.execute(
            "UPDATE alerts SET resolved = ?3 WHERE deployment = ?1 AND kind = ?2 AND resolved IS NULL",
            params![name.as_str(), kind, at.0],
        )?;
        if closed > 0 {
            feed::push(tx, Tag::Monitors, Some(name.as_str()))?;
        }
        Ok(closed > 0)
    })
}

/// Marks an alert as seen. False when there is none with that id.
///
/// # Errors
/// When the database cannot be written.
pub fn acknowledge(store: &Store, id: u32) -> Result<bool> {
    store.write(move |tx| {
        let found = tx.execute("UPDATE alerts SET acknowledged = 1 WHERE id = ?1", [id])?;
        feed::push(tx, Tag::Monitors, None)?;
        Ok(found == 1)
    })
}

/// Alerts, newest first, at most `max`; only open ones that nobody has seen, or all.
///
/// # Errors
/// When the database cannot be read.
pub fn list(
    store: &Store,
    deployment: Option<&DeploymentName>,
    all: bool,
    max: u32,
) -> Result<Vec<Alert>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT * FROM alerts WHERE (?1 IS NULL OR deployment = ?1)
             AND (?2 OR (resolved IS NULL AND NOT acknowledged)) ORDER BY id DESC LIMIT ?3",
        )?;
        let rows = statement.query_map(
            params![deployment.map(DeploymentName::as_str), all, max],
            read,
        )?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}
