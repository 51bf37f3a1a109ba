//! One look at a deployment: what is found raises and resolves alerts.

use lapwing_core::{DeploymentName, Report, Timestamp};
use lapwing_monitor::alert::{Finding, Line, judge};
use lapwing_serving::predictions as log_of;
use lapwing_serving::predictions::Window;

use super::alerts::settle;
use super::drift::{DRIFT_SHARE, live_drift};
use super::history::{Number, keep};
use super::performance::{line_of, live_performance};
use super::settings;
use crate::App;
use crate::config::MonitorConfig;
use crate::error::Reported as _;

/// How far back error rate and latency look.
const HEALTH_MILLIS: i64 = 15 * 60_000;

/// Looks at a deployment once, raises and resolves its alerts. New ones go to the webhook.
///
/// # Errors
/// When there is no such deployment, or its files cannot be read.
pub fn check(app: &App, name: &DeploymentName) -> Result<(), Report> {
    let config = settings(app, name)?;
    let limit = config.drift.share.unwrap_or(DRIFT_SHARE);
    let live = live_drift(app, name)?;
    if let Some(live) = &live {
        let number = Number {
            metric: "drift",
            value: Some(live.share),
            line: Some(limit),
            rows: live.rows,
        };
        keep(app, name, &number)?;
    }
    let drift = match live {
        Some(live) if live.share >= limit => Finding::Raise(format!(
            "{} of {} columns drifted, the limit is {:.0}%",
            live.drifted,
            live.columns,
            limit * 100.0
        )),
        Some(_) => Finding::Resolve,
        None => Finding::Unknown,
    };
    settle(app, name, &config, "drift", drift)?;
    if let Some(line) = &config.performance
        && let Some(limit) = line_of(line)
    {
        let (value, rows) = live_performance(app, name, line)?;
        let number = Number {
            metric: &line.metric,
            value,
            line: Some(limit.value()),
            rows,
        };
        keep(app, name, &number)?;
        let found = judge(
            &line.metric.to_uppercase(),
            value,
            limit,
            rows,
            line.min_rows as usize,
        );
        settle(app, name, &config, "performance", found)?;
    }
    health(app, name, &config)
}

fn health(app: &App, name: &DeploymentName, config: &MonitorConfig) -> Result<(), Report> {
    let now = Timestamp::now();
    let window = Window {
        since: Timestamp(now.0 - HEALTH_MILLIS),
        until: Timestamp(now.0 + 1),
        bucket_millis: HEALTH_MILLIS,
    };
    let totals = log_of::summary(&app.workspace().deployment(name), window)
        .reported()?
        .totals;
    let requests = usize::try_from(totals.requests).unwrap_or(usize::MAX);
    const MIN_REQUESTS: usize = 20;
    let rate = totals.errors as f64 / totals.requests.max(1) as f64;
    let numbers = [
        ("error_rate", Some(rate), config.error_rate),
        ("latency_p95_ms", totals.p95, config.latency_p95_ms),
    ];
    for (metric, value, line) in numbers {
        let number = Number {
            metric,
            value: value.filter(|_| requests > 0),
            line,
            rows: requests,
        };
        keep(app, name, &number)?;
    }
    if let Some(limit) = config.error_rate {
        let found = judge(
            "the share of failed requests",
            Some(rate),
            Line::Above(limit),
            requests,
            MIN_REQUESTS,
        );
        settle(app, name, config, "errors", found)?;
    }
    if let Some(limit) = config.latency_p95_ms {
        let found = judge(
            "the 95th percentile of latency in ms",
            totals.p95,
            Line::Above(limit),
            requests,
            MIN_REQUESTS,
        );
        settle(app, name, config, "latency", found)?;
    }
    Ok(())
}
