//! What the automation loop remembers of each policy, so that another process, or this one after a reboot, goes on from there.

use lapwing_core::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use crate::{Result, Store};

pub(crate) const MIGRATIONS: &[&str] = &["CREATE TABLE policies (
    project TEXT NOT NULL,
    policy TEXT NOT NULL,
    cron TEXT,
    since INTEGER,
    data TEXT,
    started INTEGER,
    PRIMARY KEY (project, policy)
) STRICT"];

/// What is remembered of one policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// The schedule that `since` belongs to.
    pub cron: Option<String>,
    /// Up to here the schedule's times have been dealt with.
    pub since: Option<Timestamp>,
    /// The content that the last lap began with, in the upper layer's words.
    pub data: Option<String>,
    /// When the loop last started a lap.
    pub started: Option<Timestamp>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Memory> {
    Ok(Memory {
        cron: row.get("cron")?,
        since: row.get::<_, Option<i64>>("since")?.map(Timestamp),
        data: row.get("data")?,
        started: row.get::<_, Option<i64>>("started")?.map(Timestamp),
    })
}

/// What is remembered of a policy; nothing yet is an empty memory.
///
/// # Errors
/// When the database cannot be read.
pub fn get(store: &Store, project: &str, policy: &str) -> Result<Memory> {
    store.read(|connection| {
        let found = connection
            .query_row(
                "SELECT * FROM policies WHERE project = ?1 AND policy = ?2",
                [project, policy],
                read,
            )
            .optional()?;
        Ok(found.unwrap_or_default())
    })
}

/// The schedule counts from `since` on; without a schedule nothing counts.
///
/// # Errors
/// When the database cannot be written.
pub fn scheduled(
    store: &Store,
    project: &str,
    policy: &str,
    cron: Option<&str>,
    since: Timestamp,
) -> Result<()> {
    let (project, policy) = (project.to_owned(), policy.to_owned());
    let cron = cron.map(str::to_owned);
    store.write(move |tx| {
        tx.execute(
            "INSERT INTO policies (project, policy, cron, since) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (project, policy) DO UPDATE SET cron = ?3, since = ?4",
            params![project, policy, cron, since.0],
        )?;
        Ok(())
    })
}

/// The content that the policy has dealt with.
///
/// # Errors
/// When the database cannot be written.
pub fn dealt_with(store: &Store, project: &str, policy: &str, data: &str) -> Result<()> {
    let (project, policy) = (project.to_owned(), policy.to_owned());
    let data = data.to_owned();
    store.write(move |tx| {
        tx.execute(
            "INSERT INTO policies (project, policy, data) VALUES (?1, ?2, ?3)
             ON CONFLICT (project, policy) DO UPDATE SET data = ?3",
            params![project, policy, data],
        )?;
        Ok(())
    })
}

/// A lap was started at that time.
///
/// # Errors
/// When the database cannot be written.
pub fn started(store: &Store, project: &str, policy: &str, at: Timestamp) -> Result<()> {
    let (project, policy) = (project.to_owned(), policy.to_owned());
    store.write(move |tx| {
        tx.execute(
            "INSERT INTO policies (project, policy, started) VALUES (?1, ?2, ?3)
             ON CONFLICT (project, policy) DO UPDATE SET started = ?3",
            params![project, policy, at.0],
        )?;
        Ok(())
    })
}
