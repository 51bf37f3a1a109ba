//! The prediction log: written by the gateway ([`log`]), read by everyone else.
//!
//! `predictions/` has one row for each answered row, with its features; `requests/` one row for each request, the refused ones too.
//! Both are Arrow IPC streams while they grow (`.arrows`) and Parquet once they are sealed (`.parquet`), so pandas,
//! DuckDB and Polars read them as they are. A feature whose name one of the log's own columns has is called `feature.<name>`.

pub(crate) mod log;
mod read;
pub(crate) mod segment;
mod summary;

use lapwing_core::{PredictionId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use specta::Type;

pub use read::{Predictions, find, read};
pub use summary::{Bucket, Summary, Totals, Window, summary};

/// The metadata key on a feature's column: its name in the model's signature.
pub(crate) const FEATURE: &str = "lapwing.feature";

pub(crate) const ID: &str = "prediction_id";
pub(crate) const REQUEST: &str = "request_id";
pub(crate) const AT: &str = "at";
pub(crate) const REVISION: &str = "revision";
pub(crate) const VERSION: &str = "model_version";
pub(crate) const LATENCY: &str = "latency_ms";
pub(crate) const PREDICTION: &str = "prediction";
pub(crate) const NUMBER: &str = "prediction_number";
pub(crate) const SCORE: &str = "score";
pub(crate) const STATUS: &str = "status";
pub(crate) const ROWS: &str = "rows";
pub(crate) const ERROR: &str = "error";

/// A segment may begin so many milliseconds after the first request in it: the one that waited longest in the queue.
const CLOCK_SLACK: i64 = 60_000;

/// Which predictions to read. The default is all of them.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Answered at or after this time.
    pub since: Option<Timestamp>,
    /// Answered before this time.
    pub until: Option<Timestamp>,
    pub revision: Option<u32>,
    /// The newest so many.
    pub limit: Option<usize>,
    /// Only these features; `None` means all.
    pub columns: Option<Vec<String>>,
}

/// One prediction as it was logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Logged {
    pub prediction_id: PredictionId,
    pub request_id: String,
    pub at: Timestamp,
    pub revision: u32,
    pub model_version: Option<u32>,
    pub latency_ms: f64,
    pub prediction: String,
    pub score: Option<f64>,
    #[specta(skip)]
    pub features: Map<String, Value>,
}
