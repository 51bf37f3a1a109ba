//! Alerts: raised, resolved, told, seen.

use lapwing_core::{Code, DeploymentName, Report, Timestamp};
use lapwing_monitor::alert::Finding;
use lapwing_store::alerts as table;

use crate::App;
use crate::config::MonitorConfig;
use crate::error::Reported as _;
use crate::wire::{AlertRef, AlertRow, ListAlerts, Nothing};

pub(super) const MAX_ALERTS: u32 = 500;

pub(super) fn settle(
    app: &App,
    name: &DeploymentName,
    config: &MonitorConfig,
    kind: &str,
    finding: Finding,
) -> Result<(), Report> {
    let now = Timestamp::now();
    match finding {
        Finding::Raise(message) => {
            let post = match &config.webhook {
                Some(_) => table::Post::Wanted,
                None => table::Post::Unwanted,
            };
            if table::raise(app.store(), name, kind, &message, now, post).reported()? {
                super::post::due(app)?;
            }
        }
        Finding::Resolve => {
            table::resolve(app.store(), name, kind, now).reported()?;
        }
        Finding::Unknown => {}
    }
    Ok(())
}

/// A new revision starts with a clean slate: what was said of the old one is over.
pub(crate) fn forgive(app: &App, name: &DeploymentName) -> Result<(), Report> {
    for kind in ["drift", "performance", "errors", "latency"] {
        table::resolve(app.store(), name, kind, Timestamp::now()).reported()?;
    }
    Ok(())
}

pub(super) fn alert_row(alert: table::Alert) -> Option<AlertRow> {
    Some(AlertRow {
        id: alert.id,
        // Only valid names are ever written.
        deployment: alert.deployment.parse().ok()?,
        kind: alert.kind,
        message: alert.message,
        at: alert.at,
        resolved: alert.resolved,
        acknowledged: alert.acknowledged,
    })
}

/// Alerts, newest first: the open ones, or all.
///
/// # Errors
/// When the store cannot be read.
pub fn alerts(app: &App, input: ListAlerts) -> Result<Vec<AlertRow>, Report> {
    let rows = table::list(
        app.store(),
        input.deployment.as_ref(),
        input.all,
        MAX_ALERTS,
    )
    .reported()?;
    Ok(rows.into_iter().filter_map(alert_row).collect())
}

/// Marks an alert as seen.
///
/// # Errors
/// When there is none with that id.
pub fn acknowledge(app: &App, input: AlertRef) -> Result<Nothing, Report> {
    if table::acknowledge(app.store(), input.id).reported()? {
        return Ok(Nothing {});
    }
    Err(Report::new(
        Code::NotFound,
        "alert.unknown",
        format!("there is no alert {}", input.id),
    ))
}

/// Which alerts the desktop was told of: each one once, and none that was open before.
#[derive(Debug, Default)]
pub struct Told {
    newest: u32,
}

impl Told {
    /// Starts with these as known.
    #[must_use]
    pub fn with(open: &[AlertRow]) -> Self {
        let newest = open.iter().map(|alert| alert.id).max().unwrap_or(0);
        Self { newest }
    }

    /// Those of the open alerts to tell of now, oldest first.
    pub fn fresh(&mut self, open: Vec<AlertRow>) -> Vec<AlertRow> {
        let before = self.newest;
        self.newest = before.max(Self::with(&open).newest);
        let mut fresh: Vec<AlertRow> = open
            .into_iter()
            .filter(|alert| alert.id > before && !alert.acknowledged && alert.resolved.is_none())
            .collect();
        fresh.sort_by_key(|alert| alert.id);
        fresh
    }
}
