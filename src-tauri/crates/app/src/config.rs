//! `lapwing.toml`: what DVC's and MLflow's files cannot say about a project.
//!
//! Reading only, with errors that name the line. Secrets never belong in this file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lapwing_core::{Code, DeploymentName, Report};
use serde::Deserialize;

use crate::wire::Target;

/// The file's name, beside `dvc.yaml`.
pub const FILE: &str = "lapwing.toml";

/// Everything in `lapwing.toml`; every part has a default, so that an empty file is a good one.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub project: ProjectConfig,
    #[serde(default)]
    pub environment: EnvironmentConfig,
    #[serde(default)]
    pub docker: DockerConfig,
    #[serde(default, rename = "deployment")]
    pub deployments: Vec<DeploymentConfig>,
    #[serde(default, rename = "monitor")]
    pub monitors: Vec<MonitorConfig>,
    #[serde(default, rename = "automation")]
    pub automations: Vec<PolicyConfig>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectConfig {
    /// Name of the project and of its MLflow experiment; the folder's name without it.
    pub name: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentConfig {
    /// Relative to the project; `pyproject.toml` or `requirements.txt` is found without it.
    pub requirements: Option<String>,
    /// Python version for `uv`, `3.11` say.
    pub python: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DockerConfig {
    /// An image that has everything; without it one is built from `base` and the requirements.
    pub image: Option<String>,
    /// Base of the built image, `python:3.11-slim` without it.
    pub base: Option<String>,
    /// Limit for a stage's container, in GiB.
    pub memory_gib: Option<f64>,
    pub cpus: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentConfig {
    pub name: DeploymentName,
    /// What Deploy takes: `flight-delays@champion`.
    pub model: Option<String>,
    pub port: Option<u16>,
    /// `process` or `docker`.
    #[serde(rename = "in")]
    pub target: Option<Target>,
    /// Limits of its container.
    pub memory_gib: Option<f64>,
    pub cpus: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitorConfig {
    pub deployment: DeploymentName,
    /// The column of label files that holds the truth; `label` without it.
    pub label: Option<String>,
    /// The positive class of a two-class model; `1` without it.
    pub positive: Option<String>,
    #[serde(default)]
    pub drift: DriftConfig,
    pub performance: Option<PerformanceLine>,
    /// Share of failed requests that raises an alert, 0 to 1.
    pub error_rate: Option<f64>,
    /// 95th percentile of latency, in milliseconds, that raises an alert.
    pub latency_p95_ms: Option<f64>,
    /// How many of the newest predictions one check looks at.
    #[serde(default = "default_window_rows")]
    pub window_rows: u32,
    /// Alerts are posted here as JSON.
    pub webhook: Option<String>,
}

fn default_window_rows() -> u32 {
    20_000
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftConfig {
    /// `corrected` (the default) or `evidently`.
    pub mode: Option<String>,
    /// Share of drifted columns from which the data set counts as drifted, 0.5 without it.
    pub share: Option<f64>,
    /// Columns to look at; all of the signature without it.
    pub columns: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerformanceLine {
    /// `auc`, `accuracy`, `f1`, … or `mae`, `rmse`, `r2`.
    pub metric: String,
    pub below: Option<f64>,
    pub above: Option<f64>,
    /// Fewer labelled rows decide nothing.
    #[serde(default = "default_min_rows")]
    pub min_rows: u32,
}

pub(crate) fn default_min_rows() -> u32 {
    200
}

/// One automation: trigger → retrain → gate → release → watch.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    pub name: String,
    pub deployment: DeploymentName,
    /// The registered model whose new versions this makes.
    pub model: String,
    #[serde(default = "default_true")]
    pub enabled: bool,
    pub on: TriggerConfig,
    #[serde(default)]
    pub retrain: RetrainConfig,
    /// Needed by a policy that retrains; one that follows a remote alias may leave the judgement to whoever moves it.
    pub gate: Option<GateConfig>,
    #[serde(default)]
    pub watch: WatchConfig,
}

fn default_true() -> bool {
    true
}

/// What starts a policy; several parts mean any of them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerConfig {
    /// Five fields, in the user's time zone.
    pub cron: Option<String>,
    /// Tracked data paths whose content changed since the last run.
    pub data: Option<Vec<String>>,
    /// True: the data set drifted, by the monitor's rule.
    #[serde(default)]
    pub drift: bool,
    pub performance: Option<PerformanceLine>,
    /// `REMOTE:NAME@ALIAS`: when the alias names another version there, that version is fetched and released, and nothing is trained.
    pub remote_alias: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrainConfig {
    /// Stages to run; all without it.
    #[serde(default)]
    pub stages: Vec<String>,
    /// Parameters to set first, `key → value`.
    #[serde(default)]
    pub set: BTreeMap<String, serde_json::Value>,
    /// Data paths to add as a new version first, when their content changed.
    #[serde(default)]
    pub add: Vec<String>,
}

/// Champion against challenger on the same held-out rows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateConfig {
    pub metric: String,
    /// How much better the challenger must be.
    #[serde(default)]
    pub margin: f64,
    /// CSV or Parquet with the signature's columns and the label, made by the run and not trained on.
    pub data: PathBuf,
    /// Column with the truth; the monitor's label without it.
    pub label: Option<String>,
}

/// What makes a release come back.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchConfig {
    /// How long after the release, in minutes.
    pub minutes: u32,
    /// Roll back when the share of failed requests is above this.
    pub max_error_rate: f64,
    /// Fewer requests decide nothing.
    pub min_requests: u32,
    /// Roll back when the watched metric is worse than the champion's by more than this.
    pub max_loss: f64,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self {
            minutes: 60,
            max_error_rate: 0.05,
            min_requests: 20,
            max_loss: 0.05,
        }
    }
}

impl Config {
    /// Reads `lapwing.toml` of the project, or the defaults when there is none.
    ///
    /// # Errors
    /// When the file cannot be read, or names its line when it is not what is described here.
    pub fn read(project: &Path) -> Result<Self, Report> {
        let path = project.join(FILE);
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                return Err(Report::new(
                    Code::Failed,
                    "config.unreadable",
                    error.to_string(),
                ));
            }
        };
        let config: Self = toml_edit::de::from_str(&text).map_err(|error| {
            Report::new(
                Code::Invalid,
                "config.invalid",
                format!("{} is not valid: {}", path.display(), place(&text, &error)),
            )
            .hint("correct the line, or remove it to get the default")
        })?;
        config.check(&path)?;
        Ok(config)
    }

    /// What the shape of the file alone does not say.
    fn check(&self, path: &Path) -> Result<(), Report> {
        let ungated = self
            .automations
            .iter()
            .find(|policy| policy.gate.is_none() && policy.on.remote_alias.is_none());
        let Some(policy) = ungated else {
            return Ok(());
        };
        Err(Report::new(
            Code::Invalid,
            "config.invalid",
            format!(
                "{} is not valid: the automation `{}` has no gate",
                path.display(),
                policy.name
            ),
        )
        .hint("say what its challenger must beat: gate = { metric = \"auc\", data = \"heldout.parquet\" }"))
    }

    /// What is said of one deployment, if anything is.
    #[must_use]
    pub fn deployment(&self, name: &DeploymentName) -> Option<&DeploymentConfig> {
        self.deployments
            .iter()
            .find(|deployment| &deployment.name == name)
    }

    /// The settings of one deployment's monitor, or the defaults.
    #[must_use]
    pub fn monitor(&self, deployment: &DeploymentName) -> MonitorConfig {
        self.monitors
            .iter()
            .find(|monitor| &monitor.deployment == deployment)
            .cloned()
            .unwrap_or_else(|| MonitorConfig {
                deployment: deployment.clone(),
                label: None,
                positive: None,
                drift: DriftConfig::default(),
                performance: None,
                error_rate: None,
                latency_p95_ms: None,
                window_rows: default_window_rows(),
                webhook: None,
            })
    }
}

/// `line 4: unknown field …`, in one line.
fn place(text: &str, error: &toml_edit::de::Error) -> String {
    let message = error.message().replace('\n', " ");
    match error.span() {
        Some(span) => {
            let line = text
                .get(..span.start)
                .map_or(1, |before| before.matches('\n').count() + 1);
            format!("line {line}: {message}")
        }
        None => message,
    }
}
