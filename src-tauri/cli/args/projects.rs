//! Projects and their data.

use std::path::PathBuf;

use clap::{Subcommand, ValueHint};

#[derive(Debug, Subcommand)]
pub enum Projects {
    /// Projects opened before.
    List,
    /// Remember a folder as a project and trust its commands.
    Open {
        /// The folder; the current one without it.
        path: Option<PathBuf>,
    },
    /// Clone a project from a git URL.
    Clone {
        /// What `git clone` takes.
        url: String,
        /// A folder that is not there yet.
        path: PathBuf,
    },
    /// Bring the commits of the git remote here; files stay as they are.
    Fetch {
        /// Its name in git; that of the branch, or `origin`, without it.
        #[arg(short, long)]
        remote: Option<String>,
    },
    /// Fetch, and go forward to what the git remote has; merges nothing.
    Pull {
        /// Its name in git; that of the branch, or `origin`, without it.
        #[arg(short, long)]
        remote: Option<String>,
    },
    /// Send the branch's commits to the git remote.
    Push {
        /// Its name in git; that of the branch, or `origin`, without it.
        #[arg(short, long)]
        remote: Option<String>,
    },
    /// Create the bundled sample `flight-delays`.
    Sample {
        /// Where it is made; in the home folder without it.
        path: Option<PathBuf>,
    },
    /// Take a project off the list; its folder stays.
    Forget {
        /// The project's folder.
        path: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum Data {
    /// Track files or folders as a new version.
    Add {
        /// They stay where they are.
        #[arg(required = true, value_hint = ValueHint::AnyPath)]
        paths: Vec<PathBuf>,
        /// Commit the version with this message.
        #[arg(short, long)]
        message: Option<String>,
    },
    /// What differs from the tracked version; exit code 1 when something does.
    Status,
    /// Bring the tracked versions back into the folder.
    Checkout {
        /// Only these; all without them.
        paths: Vec<PathBuf>,
        /// Overwrite files whose content is nowhere else.
        #[arg(short, long)]
        force: bool,
    },
    /// Versions of a dataset, newest first.
    Log {
        /// The dataset's file or folder.
        path: PathBuf,
    },
    /// What changed between two commits, or between one and the folder.
    Diff {
        /// A commit, branch or tag.
        from: String,
        /// Another one; the folder without it.
        to: Option<String>,
    },
    /// First rows of a CSV or Parquet file.
    Preview {
        /// CSV or Parquet.
        file: PathBuf,
        /// So many rows.
        #[arg(long, default_value_t = 10)]
        rows: u32,
        /// Pass over so many rows first.
        #[arg(long, default_value_t = 0)]
        offset: u64,
    },
    /// Types, nulls, distinct values, quantiles and histograms of a file's columns.
    Profile {
        /// CSV or Parquet.
        file: PathBuf,
    },
    /// Send tracked content to a remote.
    Push {
        /// Only these; everything tracked without them.
        paths: Vec<PathBuf>,
        /// The storage; the project's default one without it.
        #[arg(short, long)]
        remote: Option<String>,
    },
    /// Fetch tracked content from a remote and check it out.
    Pull {
        /// Only these; everything tracked without them.
        paths: Vec<PathBuf>,
        /// The storage; the project's default one without it.
        #[arg(short, long)]
        remote: Option<String>,
    },
}
