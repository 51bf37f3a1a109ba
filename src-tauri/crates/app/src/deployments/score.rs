//! Scoring rows with a revision that has no traffic: the same gateway on a free port, with its log switched off.

use std::path::Path;
use std::time::Duration;

use lapwing_core::{DeploymentName, Report, RunId};
use lapwing_monitor::Frame;
use lapwing_serving::{GatewayConfig, LogConfig, RevisionConfig, client, gateway, model_folder};

use super::view::plain;
use crate::App;
use crate::error::Reported as _;

const START_LIMIT: Duration = Duration::from_secs(180);

/// What a revision says of each row.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScoredRows {
    pub predictions: Vec<String>,
    /// `None` where the model gives no score.
    pub scores: Vec<Option<f64>>,
}

/// A gateway for one scoring, ended and removed with it.
struct Scratch {
    folder: std::path::PathBuf,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = gateway::stop(&self.folder) {
            tracing::warn!(%error, "a scoring gateway could not be ended");
        }
        // Left behind it only takes room.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Scores `rows` with the revision whose folder is `source`.
///
/// # Errors
/// When the revision cannot be loaded, or refuses a row.
pub(crate) fn score_rows(
    app: &App,
    source: &Path,
    revision: &RevisionConfig,
    rows: &Frame,
) -> Result<ScoredRows, Report> {
    let scratch = Scratch {
        folder: app
            .workspace()
            .root()
            .join("scoring")
            .join(RunId::random().as_str()),
    };
    let target = scratch
        .folder
        .join("revisions")
        .join(revision.number.to_string());
    let made = || -> std::io::Result<()> {
        fs_err::create_dir_all(scratch.folder.join("revisions"))?;
        link(source, &target)
    };
    made().map_err(|error| crate::file::unwritable(&target, &error))?;
    let name: DeploymentName = "scoring"
        .parse()
        .map_err(|error: lapwing_core::InvalidName| {
            Report::new(
                lapwing_core::Code::Internal,
                "scoring.name",
                error.to_string(),
            )
        })?;
    let mut config = GatewayConfig::new(name, 0, revision.clone());
    config.log = LogConfig { sample: 0.0 };
    lapwing_serving::write_config(&scratch.folder, &config).reported()?;
    gateway::spawn(app.program(), &scratch.folder).reported()?;
    let running = gateway::wait_until_serving(&scratch.folder, START_LIMIT).reported()?;
    let model = model_folder::read(&source.join("model")).reported()?;
    let columns: Vec<String> = model
        .signature
        .inputs
        .columns()
        .iter()
        .map(|column| column.name.clone())
        .filter(|name| rows.has(name))
        .collect();
    let rows = if columns.is_empty() {
        rows.clone()
    } else {
        rows.select(&columns).reported()?
    };
    let scored = app
        .block_on(client::predict(&running.url, None, rows.batch()))?
        .reported()?;
    Ok(ScoredRows {
        scores: (0..scored.predictions.len())
            .map(|row| scored.scores.get(row).and_then(serde_json::Value::as_f64))
            .collect(),
        predictions: scored.predictions.iter().map(plain).collect(),
    })
}

/// The model is read, never written: a link is enough.
#[cfg(unix)]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    fs_err::os::unix::fs::symlink(from, to)
}

#[cfg(windows)]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_dir(from, to)
}
