//! What starts a policy: a schedule, new data, drift, or performance past its line.

use std::path::Path;

use jiff::Zoned;
use lapwing_core::{Code, Report, Timestamp};
use lapwing_data::State;
use lapwing_store::deployments as table;
use lapwing_store::policies::Memory;

use super::schedule::{self, Schedule};
use crate::config::PolicyConfig;
use crate::deployments::live_revision;
use crate::error::Reported as _;
use crate::{App, models, monitors, projects};

/// The trigger in words.
pub(super) fn words(policy: &PolicyConfig) -> String {
    let mut parts = Vec::new();
    if let Some(cron) = &policy.on.cron {
        parts.push(format!("on the schedule {cron}"));
    }
    if let Some(paths) = &policy.on.data {
        parts.push(format!("when {} changes", paths.join(" or ")));
    }
    if policy.on.drift {
        parts.push("when the data drifted".to_owned());
    }
    if let Some(line) = &policy.on.performance {
        let side = match (line.below, line.above) {
            (Some(below), _) => format!("below {below}"),
            (None, Some(above)) => format!("above {above}"),
            (None, None) => "without a line".to_owned(),
        };
        parts.push(format!(
            "when {} is {side} on {} labelled rows",
            line.metric, line.min_rows
        ));
    }
    if let Some(alias) = &policy.on.remote_alias {
        parts.push(format!("when {alias} names another version"));
    }
    if parts.is_empty() {
        "only by hand".to_owned()
    } else {
        parts.join(", or ")
    }
}

/// When the schedule fires next.
pub(super) fn next(policy: &PolicyConfig) -> Result<Option<Timestamp>, Report> {
    let Some(cron) = policy.on.cron.as_ref().filter(|_| policy.enabled) else {
        return Ok(None);
    };
    Ok(schedule_of(cron, &policy.name)?
        .after(&Zoned::now())
        .map(|at| Timestamp(at.timestamp().as_millisecond())))
}

fn schedule_of(cron: &str, policy: &str) -> Result<Schedule, Report> {
    schedule::parse(cron).ok_or_else(|| {
        Report::new(
            Code::Invalid,
            "automation.cron",
            format!("automation `{policy}`: `{cron}` is no cron line"),
        )
        .hint("write five fields: minute hour day month weekday, `0 3 * * 1` say")
    })
}

/// Why the schedule starts the policy now: a time of it came since it was last dealt with.
pub(super) fn by_schedule(
    policy: &PolicyConfig,
    memory: &Memory,
    now: &Zoned,
) -> Result<Option<String>, Report> {
    let Some(cron) = &policy.on.cron else {
        return Ok(None);
    };
    let schedule = schedule_of(cron, &policy.name)?;
    let since = memory
        .since
        .filter(|_| memory.cron.as_ref() == Some(cron))
        .and_then(|since| jiff::Timestamp::from_millisecond(since.0).ok()) // A clock before the calendar.
        .map(|since| since.to_zoned(now.time_zone().clone()));
    Ok(since
        .filter(|since| schedule.came(since, now))
        .map(|_| format!("the schedule {cron} was due")))
}

/// The content of the policy's data paths and what its remote alias names now, one line for each; `None` when it waits for neither.
pub(super) fn content(
    app: &App,
    project: &str,
    policy: &PolicyConfig,
) -> Result<Option<String>, Report> {
    if policy.on.data.is_none() && policy.on.remote_alias.is_none() {
        return Ok(None);
    }
    let paths = policy.on.data.as_deref().unwrap_or_default();
    let mut lines = Vec::new();
    if let Some(alias) = &policy.on.remote_alias {
        let behind = models::behind(app, Some(project), alias)?;
        lines.push(format!("{alias} {}", behind.version));
    }
    let project = projects::project(project)?;
    for path in paths {
        let place = project.beneath(Path::new(path)).reported()?;
        if place.exists() {
            let content = lapwing_data::content_of(&project, &place, false).reported()?;
            lines.push(format!("{path} {}", content.id));
        }
    }
    Ok(Some(lines.join("\n")))
}

/// Why new data starts the policy: a path has another content than the last lap began with. A path that is gone is no news.
pub(super) fn by_data(
    app: &App,
    project: &str,
    policy: &PolicyConfig,
    memory: &Memory,
    content: &str,
) -> Result<Option<String>, Report> {
    let Some(known) = &memory.data else {
        let paths = policy.on.data.as_deref().unwrap_or_default();
        let changed = modified(project, paths)?.map(|path| format!("{path} changed"));
        return match changed {
            Some(reason) => Ok(Some(reason)),
            None => not_served(app, project, policy),
        };
    };
    let news = content
        .lines()
        .find(|line| !known.lines().any(|old| old == *line));
    Ok(news
        .and_then(|line| line.rsplit_once(' '))
        .map(|(path, content)| {
            if policy.on.remote_alias.as_deref() == Some(path) {
                format!("{path} names version {content} now")
            } else {
                format!("{path} changed")
            }
        }))
}

/// Why a policy that was never looked at follows its alias at once: the endpoint answers with another version.
fn not_served(app: &App, project: &str, policy: &PolicyConfig) -> Result<Option<String>, Report> {
    let Some(alias) = &policy.on.remote_alias else {
        return Ok(None);
    };
    let behind = models::behind(app, Some(project), alias)?;
    let live = match table::get(app.store(), &policy.deployment).reported()? {
        Some(deployment) => live_revision(app, &deployment)?,
        None => None,
    };
    let served = live.and_then(|live| Some((live.model, live.version?)));
    let origin = served.and_then(|(model, version)| {
        let version = app.tracking().version(&model, version).ok()?; // Deleted since: of no known origin.
        version.tags.get(models::ORIGIN).cloned()
    });
    Ok((origin.as_deref() != Some(&behind.origin)).then(|| {
        format!(
            "{alias} names version {}, which is not served",
            behind.version
        )
    }))
}

/// The first of the paths whose content is not the tracked version.
fn modified(project: &str, paths: &[String]) -> Result<Option<String>, Report> {
    let project = projects::project(project)?;
    let rows = lapwing_data::status(&project).reported()?;
    Ok(rows
        .into_iter()
        .find(|row| {
            row.state == State::Modified
                && paths
                    .iter()
                    .any(|path| path.trim_end_matches('/') == row.path)
        })
        .map(|row| row.path))
}

/// Why what the monitor sees starts the policy.
pub(super) fn by_monitor(app: &App, policy: &PolicyConfig) -> Result<Option<String>, Report> {
    if table::get(app.store(), &policy.deployment)
        .reported()?
        .is_none()
    {
        return Ok(None);
    }
    if policy.on.drift
        && let Some(live) = monitors::live_drift(app, &policy.deployment)?
        && live.share
            >= monitors::settings(app, &policy.deployment)?
                .drift
                .share
                .unwrap_or(0.5)
    {
        return Ok(Some(format!(
            "{} of {} columns drifted",
            live.drifted, live.columns
        )));
    }
    if let Some(line) = &policy.on.performance {
        let (value, rows) = monitors::live_performance(app, &policy.deployment, line)?;
        if let Some(value) = value.filter(|_| rows >= line.min_rows as usize) {
            let crossed = line.below.is_some_and(|below| value < below)
                || line.above.is_some_and(|above| value > above);
            if crossed {
                return Ok(Some(format!(
                    "{} is {value:.3} on {rows} labelled rows",
                    line.metric
                )));
            }
        }
    }
    Ok(None)
}
