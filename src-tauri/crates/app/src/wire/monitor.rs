//! Wire types of monitors and automations.

use std::collections::BTreeMap;

use lapwing_core::{DeploymentName, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use specta::Type;

use super::count::Count;

/// Which predictions a monitor looks at.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ReadMonitor {
    pub name: DeploymentName,
    /// Start of the window; `None` chooses the window of the monitor's settings.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct MonitorRow {
    pub deployment: DeploymentName,
    pub state: MonitorState,
    pub rows: Count,
    pub labelled: Count,
    pub drifted: u32,
    pub columns: u32,
    /// `AUC 0.653`, the newest.
    pub performance: Option<String>,
    pub open_alerts: u32,
    pub checked: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum MonitorState {
    NoData,
    Good,
    Drifted,
    Degraded,
}

/// The same bins or categories for both sides; shares sum to 1.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Type)]
pub struct DistributionPair {
    /// Bin labels (`12–18`) or categories, in order.
    pub labels: Vec<String>,
    pub reference: Vec<f64>,
    pub current: Vec<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ColumnDriftRow {
    pub column: String,
    /// `numerical`, `categorical`, `text`, `datetime`.
    pub kind: String,
    /// `Jensen–Shannon distance`, `Kolmogorov–Smirnov p-value`, …
    pub test: String,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    pub drifted: bool,
    pub note: Option<String>,
    pub distribution: DistributionPair,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct QualityRow {
    pub column: String,
    /// Shares of rows, 0 to 1.
    pub missing: f64,
    pub missing_reference: f64,
    pub new_categories: Vec<String>,
    /// Share of rows outside the reference's least and greatest value.
    pub out_of_range: f64,
    pub note: Option<String>,
}

/// Accuracy over one slice of time, computed from logged predictions with labels.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct PerformancePoint {
    pub from: Timestamp,
    pub to: Timestamp,
    pub rows: Count,
    pub labelled: Count,
    /// metric → value: `auc`, `accuracy`, `f1`, `log_loss`, … or `mae`, `rmse`, `r2`.
    pub metrics: BTreeMap<String, f64>,
    /// Share of drifted columns in the slice.
    pub drifted_share: Option<f64>,
    pub model_versions: Vec<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct MonitorView {
    pub row: MonitorRow,
    pub since: Timestamp,
    pub until: Timestamp,
    /// Where the reference comes from: run, path and rows.
    pub reference: String,
    pub reference_rows: Count,
    /// `corrected` or `evidently`.
    pub mode: String,
    /// Most drifted first; the prediction itself is the first row when it is known.
    pub columns: Vec<ColumnDriftRow>,
    pub quality: Vec<QualityRow>,
    pub performance: Vec<PerformancePoint>,
    /// The metric that the policy watches, and its line.
    pub watched_metric: Option<String>,
    pub watched_line: Option<f64>,
    pub alerts: Vec<AlertRow>,
}

/// One number that a check of a monitor found.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Measured {
    /// `drift` (share of drifted columns), `auc` and the like, `error_rate`, `latency_p95_ms`.
    pub metric: String,
    pub at: Timestamp,
    pub value: f64,
    /// What raises an alert, where something does.
    pub line: Option<f64>,
    /// Predictions, labelled rows or requests that it was computed from.
    pub rows: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct AlertRow {
    pub id: u32,
    pub deployment: DeploymentName,
    /// `drift`, `performance`, `errors`, `latency`, `quality`.
    pub kind: String,
    pub message: String,
    pub at: Timestamp,
    pub resolved: Option<Timestamp>,
    pub acknowledged: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Type)]
pub struct ListAlerts {
    pub deployment: Option<DeploymentName>,
    /// Also the resolved and acknowledged ones.
    pub all: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct AlertRef {
    pub id: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct AddLabels {
    pub name: DeploymentName,
    /// CSV or Parquet with `prediction_id` and `label`.
    pub file: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct LabelsAdded {
    pub labels: Count,
    pub joined: Count,
    /// Ids that no logged prediction has.
    pub unmatched: Count,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct PolicyRow {
    pub name: String,
    pub deployment: Option<DeploymentName>,
    /// What starts it, in words: `when AUC is below 0.70 on 500 labelled rows`.
    pub trigger: String,
    /// `challenger must beat champion's AUC by 0.01 on the newest month`.
    pub gate: String,
    pub enabled: bool,
    /// A retrain of this policy is going on.
    pub running: bool,
    pub last: Option<DecisionRow>,
    /// When the schedule fires next, for a policy with a cron line.
    pub next: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    Triggered,
    Retrained,
    Promoted,
    Kept,
    Released,
    RolledBack,
    Failed,
}

/// One line of the audit trail.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct DecisionRow {
    pub id: u32,
    /// Entries of the same lap share this id.
    pub lap: String,
    pub project: String,
    pub policy: String,
    pub kind: DecisionKind,
    pub at: Timestamp,
    /// The sentence with its numbers.
    pub message: String,
    pub numbers: BTreeMap<String, f64>,
    pub run_id: Option<RunId>,
    pub model: Option<String>,
    pub deployment: Option<DeploymentName>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct PolicyRef {
    pub project: String,
    pub name: String,
}
