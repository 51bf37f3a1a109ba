//! The change feed: what is stale, written in the transaction that makes it so, read by every process.

use lapwing_core::{Change, Tag, Timestamp};
use rusqlite::{Transaction, params};

use crate::{Result, Store};

pub(crate) const MIGRATIONS: &[&str] = &["CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    tag TEXT NOT NULL,
    id TEXT,
    at INTEGER NOT NULL
) STRICT"];

/// Older entries are of no use: whoever slept that long reads everything anew.
const KEPT: i64 = 10_000;
/// Entries are pruned once in so many.
const PRUNE_EVERY: i64 = 1_000;
const MAX_READ: u32 = 1_000;

/// Notes that a noun's shown state is stale.
pub(crate) fn push(tx: &Transaction<'_>, tag: Tag, id: Option<&str>) -> Result<()> {
    tx.prepare_cached("INSERT INTO changes (tag, id, at) VALUES (?1, ?2, ?3)")?
        .execute(params![tag.as_str(), id, Timestamp::now().0])?;
    let seq = tx.last_insert_rowid();
    if seq % PRUNE_EVERY == 0 {
        tx.execute("DELETE FROM changes WHERE seq <= ?1", [seq - KEPT])?;
    }
    Ok(())
}

/// Announces changes of things that do not lie in the database: files, folders.
///
/// # Errors
/// When the database cannot be written.
pub fn announce(store: &Store, changes: Vec<Change>) -> Result<()> {
    store.write(move |tx| {
        for change in &changes {
            push(tx, change.tag, change.id.as_deref())?;
        }
        Ok(())
    })
}

/// A reader's place in the feed.
pub struct Feed {
    store: Store,
    seen: i64,
}

impl Feed {
    /// Everything from now on.
    #[must_use]
    pub fn from_now(store: &Store) -> Self {
        let seen = store
            .read(|connection| {
                Ok(connection.query_row(
                    "SELECT coalesce(max(seq), 0) FROM changes",
                    [],
                    |row| row.get(0),
                )?)
            })
            .unwrap_or(0);
        Self {
            store: store.clone(),
            seen,
        }
    }

    /// What changed since the last call, each tag and id once.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn poll(&mut self) -> Result<Vec<Change>> {
        let seen = self.seen;
        let rows: Vec<(i64, String, Option<String>)> = self.store.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, tag, id FROM changes WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?;
            let rows = statement.query_map(params![seen, MAX_READ], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })?;
        let mut changes: Vec<Change> = Vec::new();
        for (seq, tag, id) in rows {
            self.seen = seq;
            // A tag of a newer Lapwing is of no use to this one.
            let Some(tag) = Tag::parse(&tag) else {
                continue;
            };
            let change = Change { tag, id };
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
        Ok(changes)
    }
}
