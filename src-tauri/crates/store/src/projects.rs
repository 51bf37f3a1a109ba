//! Projects that were opened in this workspace.

use lapwing_core::{Tag, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::{Result, Store, feed};

pub(crate) const MIGRATIONS: &[&str] = &["CREATE TABLE projects (
    path TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    opened INTEGER NOT NULL,
    trusted INTEGER NOT NULL DEFAULT 0
) STRICT"];

/// A folder that was opened before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Absolute path: its identity.
    pub path: String,
    pub name: String,
    pub opened: Timestamp,
    pub trusted: bool,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Project> {
    Ok(Project {
        path: row.get("path")?,
        name: row.get("name")?,
        opened: Timestamp(row.get("opened")?),
        trusted: row.get("trusted")?,
    })
}

/// Remembers a project, or that it was opened again; trust, once given, stays.
///
/// # Errors
/// When the database cannot be written.
pub fn remember(store: &Store, project: Project) -> Result<()> {
    store.write(move |tx| {
        tx.execute(
            "INSERT INTO projects (path, name, opened, trusted) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (path) DO UPDATE SET name = ?2, opened = ?3, trusted = max(trusted, ?4)",
            params![
                project.path,
                project.name,
                project.opened.0,
                project.trusted
            ],
        )?;
        feed::push(tx, Tag::Projects, Some(&project.path))
    })
}

/// All projects, the one opened last first.
///
/// # Errors
/// When the database cannot be read.
pub fn list(store: &Store) -> Result<Vec<Project>> {
    store.read(|connection| {
        let mut statement =
            connection.prepare_cached("SELECT * FROM projects ORDER BY opened DESC")?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

/// The project at that path, if it was opened before.
///
/// # Errors
/// When the database cannot be read.
pub fn get(store: &Store, path: &str) -> Result<Option<Project>> {
    store.read(|connection| {
        Ok(connection
            .query_row("SELECT * FROM projects WHERE path = ?1", [path], read)
            .optional()?)
    })
}

/// Takes a project off the list.
///
/// # Errors
/// When the database cannot be written.
pub fn forget(store: &Store, path: &str) -> Result<()> {
    let path = path.to_owned();
    store.write(move |tx| {
        tx.execute("DELETE FROM projects WHERE path = ?1", [&path])?;
        feed::push(tx, Tag::Projects, Some(&path))
    })
}
