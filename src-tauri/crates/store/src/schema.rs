//! Migrations: each table file lists its own, and they are only ever appended to.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use crate::{
    Error, Result, alerts, decisions, deployments, experiments, feed, jobs, measurements,
    pipeline_runs, policies, projects, registry, remotes, runs, sweeps,
};

/// Every table file with its name, which must never change: it is the key of its migration count.
const TABLES: &[(&str, &[&str])] = &[
    ("changes", feed::MIGRATIONS),
    ("projects", projects::MIGRATIONS),
    ("jobs", jobs::MIGRATIONS),
    ("pipeline_runs", pipeline_runs::MIGRATIONS),
    ("deployments", deployments::MIGRATIONS),
    ("alerts", alerts::MIGRATIONS),
    ("decisions", decisions::MIGRATIONS),
    ("experiments", experiments::MIGRATIONS),
    ("runs", runs::MIGRATIONS),
    ("registry", registry::MIGRATIONS),
    ("remotes", remotes::MIGRATIONS),
    ("policies", policies::MIGRATIONS),
    ("measurements", measurements::MIGRATIONS),
    ("sweeps", sweeps::MIGRATIONS),
];

/// Brings the schema up to date; several processes may do so at once.
pub(crate) fn migrate(connection: &mut Connection) -> Result<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, done INTEGER NOT NULL) STRICT")?;
    for (name, steps) in TABLES {
        let done: Option<u32> = tx
            .query_row(
                "SELECT done FROM migrations WHERE name = ?1",
                [name],
                |row| row.get(0),
            )
            .optional()?;
        let done = done.unwrap_or(0);
        let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        if done > known {
            return Err(Error::Newer { found: done, known });
        }
        for step in steps.iter().skip(done as usize) {
            tx.execute_batch(step)?;
        }
        tx.execute(
            "INSERT OR REPLACE INTO migrations (name, done) VALUES (?1, ?2)",
            (name, known),
        )?;
    }
    tx.commit()?;
    Ok(())
}
