//! All durable facts of the workspace: schema, migrations, one file per table, one group-committing writer.
//!
//! SQL is written here and nowhere else. The crate deliberately does not know what its rows mean to people: words such as a
//! job's status are the upper layers'. Start with [`Store`], [`Feed`] and [`lock`].
//!
//! To add a table: write `src/<noun>.rs` with `MIGRATIONS` (only ever append to it), the row, its reads and writes; every write
//! pushes its tag with `feed::push` in the same transaction; name the file here and in `schema::TABLES`.

pub mod alerts;
pub mod decisions;
pub mod deployments;
mod error;
pub mod experiments;
mod feed;
pub mod jobs;
pub mod lock;
pub mod measurements;
pub mod pipeline_runs;
pub mod policies;
pub mod projects;
pub mod registry;
pub mod remotes;
pub mod runs;
mod schema;
pub mod search;
pub mod sweeps;
mod writer;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lapwing_core::Workspace;
use rusqlite::{Connection, Transaction};

pub use error::{Error, Result};
pub use feed::{Feed, announce};

/// Another process may hold the write lock for as long as one group of commits takes; this is far more.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Read connections that are kept open between reads.
const MAX_IDLE_READERS: usize = 8;

/// An open workspace database. Clones share its writer.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    workspace: Workspace,
    readers: Mutex<Vec<Connection>>,
    writer: writer::Writer,
}

impl Store {
    /// Opens the database of the workspace, creating folder and schema on first use.
    ///
    /// # Errors
    /// When the folder cannot be written, or a newer Lapwing wrote it.
    pub fn open(workspace: &Workspace) -> Result<Self> {
        private_folder(workspace)?;
        // Turning a new file's journal to WAL asks for a lock without waiting for it: who opens first must be alone.
        let alone = lock::wait(workspace, "schema")?;
        let mut connection = connect(workspace)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        schema::migrate(&mut connection)?;
        drop(alone);
        let writer = writer::Writer::start(connection);
        let inner = Inner {
            workspace: workspace.clone(),
            readers: Mutex::new(Vec::new()),
            writer,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Runs `work` on a connection that only reads.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self
            .inner
            .readers
            .lock()
            .map_or(None, |mut readers| readers.pop());
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.inner.workspace)?,
        };
        let answer = work(&connection);
        if let Ok(mut readers) = self.inner.readers.lock()
            && readers.len() < MAX_IDLE_READERS
        {
            readers.push(connection);
        }
        answer
    }

    /// Hands `work` to the writer and returns after its commit is on disk. Several callers share one commit.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inner.writer.write(work)
    }
}

fn private_folder(workspace: &Workspace) -> Result<()> {
    let root = workspace.root();
    fs_err::create_dir_all(root)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::set_permissions(root, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn connect(workspace: &Workspace) -> Result<Connection> {
    let connection = Connection::open(workspace.database())?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // MLflow's LIKE tells case apart, its ILIKE does not.
    connection.pragma_update(None, "case_sensitive_like", true)?;
    Ok(connection)
}
