//! Monitors: what an endpoint predicted against what its model was trained on, and against the truth once it comes.

mod alerts;
mod check;
mod drift;
mod history;
mod labels;
mod logged;
mod performance;
mod post;
mod view;

use std::path::Path;

use lapwing_core::{DeploymentName, Report};

use crate::App;
use crate::config::{Config, MonitorConfig};
use crate::deployments::known;

pub use alerts::{Told, acknowledge, alerts};
pub use check::check;
pub use drift::{FileDrift, MIN_DRIFT_ROWS, drift};
pub use history::history;
pub use labels::{join, labels};
pub use view::{get, list};

pub(crate) use alerts::forgive;
pub(crate) use drift::live_drift;
pub(crate) use logged::evaluate;
pub(crate) use performance::live_performance;
pub(crate) use post::due as post_due;

/// The settings of a deployment's monitor: its project's, or the defaults.
pub(crate) fn settings(app: &App, name: &DeploymentName) -> Result<MonitorConfig, Report> {
    let deployment = known(app, name)?;
    let config = match &deployment.project {
        Some(project) if Path::new(project).is_dir() => Config::read(Path::new(project))?,
        _ => Config::default(),
    };
    Ok(config.monitor(name))
}
