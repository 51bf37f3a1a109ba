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
            let fresh = table::raise(app.store(), name, kind, &message, now).reported()?;
            if fresh && let Some(url) = &config.webhook {
                let body = serde_json::json!({
                    "deployment": name, "kind": kind, "message": message, "at": now.to_rfc3339(),
                });
                if let Err(error) = app.block_on(lapwing_remote::webhook(url, &body))? {
                    tracing::warn!(%error, "an alert could not be posted");
                }
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
