//! Named connections of the user: what and where, never the credential.

use std::collections::BTreeMap;

use lapwing_core::{RemoteKind, Tag, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::{Result, Store, feed};

pub(crate) const MIGRATIONS: &[&str] = &["CREATE TABLE remotes (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    address TEXT NOT NULL,
    options TEXT NOT NULL,
    added INTEGER NOT NULL
) STRICT"];

/// One connection. `options` are the kind's own: a namespace, a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    pub name: String,
    pub kind: RemoteKind,
    pub address: String,
    pub options: BTreeMap<String, String>,
    pub added: Timestamp,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Option<Remote>> {
    let kind: String = row.get("kind")?;
    let options: String = row.get("options")?;
    // A kind that a newer Lapwing knows is not shown here, and stays.
    let Ok(kind) = kind.parse() else {
        return Ok(None);
    };
    Ok(Some(Remote {
        name: row.get("name")?,
        kind,
        address: row.get("address")?,
        options: serde_json::from_str(&options).unwrap_or_default(),
        added: Timestamp(row.get("added")?),
    }))
}

/// Keeps a connection, instead of one of that name.
///
/// # Errors
/// When the database cannot be written.
pub fn put(store: &Store, remote: Remote) -> Result<()> {
    store.write(move |tx| {
        let options = serde_json::json!(remote.options).to_string();
        tx.execute(
            "INSERT OR REPLACE INTO remotes (name, kind, address, options, added) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![remote.name, remote.kind.as_str(), remote.address, options, remote.added.0],
        )?;
        feed::push(tx, Tag::Remotes, Some(&remote.name))
    })
}

/// All connections by name.
///
/// # Errors
/// When the database cannot be read.
pub fn list(store: &Store) -> Result<Vec<Remote>> {
    store.read(|connection| {
        let mut statement = connection.prepare_cached("SELECT * FROM remotes ORDER BY name")?;
        let rows = statement
            .query_map([], read)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(rows.into_iter().flatten().collect())
    })
}

/// The connection of that name.
///
/// # Errors
/// When the database cannot be read.
pub fn get(store: &Store, name: &str) -> Result<Option<Remote>> {
    store.read(|connection| {
        let found = connection
            .query_row("SELECT * FROM remotes WHERE name = ?1", [name], read)
            .optional()?;
        Ok(found.flatten())
    })
}

/// Forgets a connection. False when there was none.
///
/// # Errors
/// When the database cannot be written.
pub fn remove(store: &Store, name: &str) -> Result<bool> {
    let name = name.to_owned();
    store.write(move |tx| {
        let found = tx.execute("DELETE FROM remotes WHERE name = ?1", [&name])?;
        feed::push(tx, Tag::Remotes, Some(&name))?;
        Ok(found == 1)
    })
}
