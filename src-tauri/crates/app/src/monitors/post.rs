//! New alerts go to the project's webhook, and are kept until somebody took them.

use lapwing_core::{DeploymentName, Report, Timestamp};
use lapwing_store::alerts as table;

use super::settings;
use crate::App;
use crate::error::Reported as _;

/// So many in one go; the rest comes with the next look.
const MAX_POSTED: u32 = 20;
const FIRST_WAIT_MILLIS: i64 = 5_000;
const LONGEST_WAIT_MILLIS: i64 = 60 * 60_000;
/// Nobody is helped by older news; the alert itself stays.
const GIVE_UP_MILLIS: i64 = 7 * 24 * 60 * 60_000;

/// Doubles with every try: 5 seconds, 10, 20, … up to an hour.
fn wait(tries: u32) -> i64 {
    let doubled = FIRST_WAIT_MILLIS.saturating_mul(1 << tries.saturating_sub(1).min(20));
    doubled.min(LONGEST_WAIT_MILLIS)
}

/// Posts what is due. What cannot be posted is tried again later, by whichever process looks then.
pub(crate) fn due(app: &App) -> Result<(), Report> {
    let now = Timestamp::now();
    for alert in table::take_due(app.store(), now, MAX_POSTED, wait).reported()? {
        let url = webhook(app, &alert);
        let Ok(url) = url else {
            continue; // A file with a mistake in it is mended; until then it is tried again.
        };
        let old = now.millis_since(alert.at) > GIVE_UP_MILLIS;
        if let Some(url) = url.filter(|_| !old)
            && let Err(error) = app.block_on(lapwing_remote::webhook(&url, &body(&alert)))?
        {
            tracing::warn!(%error, alert = alert.id, tries = alert.tries, "an alert could not be posted");
            continue;
        }
        table::posted(app.store(), alert.id).reported()?;
    }
    Ok(())
}

/// Where alerts of its deployment go now; nowhere when the deployment or the setting is gone.
fn webhook(app: &App, alert: &table::Alert) -> Result<Option<String>, Report> {
    let Ok(name) = alert.deployment.parse::<DeploymentName>() else {
        return Ok(None);
    };
    if lapwing_store::deployments::get(app.store(), &name)
        .reported()?
        .is_none()
    {
        return Ok(None);
    }
    Ok(settings(app, &name)?.webhook)
}

/// What is posted, as the README says. An alert has the same `id` in every try.
fn body(alert: &table::Alert) -> serde_json::Value {
    serde_json::json!({
        "id": alert.id,
        "deployment": alert.deployment,
        "kind": alert.kind,
        "message": alert.message,
        "at": alert.at.to_rfc3339(),
        "text": format!("{}: {}", alert.deployment, alert.message),
    })
}
