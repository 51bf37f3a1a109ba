//! What watches, and what acts on it.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum Monitors {
    /// Endpoints that are watched, and how they do.
    List,
    /// Drift, quality, performance and alerts of one endpoint.
    Show {
        /// The endpoint.
        name: String,
        /// What the checks found over time instead.
        #[arg(long)]
        history: bool,
    },
    /// Join the truth to logged predictions: a file with `prediction_id` and `label`.
    Labels {
        /// The endpoint.
        name: String,
        /// CSV or Parquet.
        file: PathBuf,
    },
    /// Compare two files, column by column.
    Drift {
        /// What is taken for normal: CSV or Parquet.
        #[arg(long)]
        reference: PathBuf,
        /// What is compared with it.
        #[arg(long)]
        current: PathBuf,
        /// How a column is judged.
        #[arg(long, value_enum, default_value = "corrected")]
        mode: Mode,
        /// Only these columns.
        #[arg(long, value_delimiter = ',')]
        columns: Vec<String>,
    },
    /// Alerts that are open, or all of them.
    Alerts {
        /// Also those that are over.
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Mode {
    /// Tests that fit the columns, held to one error rate for all of them together.
    Corrected,
    /// Evidently's own tests and limits.
    Evidently,
}

#[derive(Debug, Subcommand)]
pub enum Automations {
    /// Policies of the project's lapwing.toml.
    List,
    /// One policy and its last decisions.
    Show {
        /// The policy.
        name: String,
    },
    /// Retrain, gate and release now, whatever the trigger says.
    Run {
        /// The policy.
        name: String,
    },
    /// The audit trail.
    Log,
}
