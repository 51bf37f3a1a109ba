//! What starts a policy: a schedule, new data, drift, or performance past its line. And what is watched after a release.

use std::path::Path;

use jiff::Zoned;
use lapwing_core::{Code, Report, Timestamp};
use lapwing_data::State;
use lapwing_store::{deployments as table, projects as known_projects};

use super::lap;
use super::trail;
use crate::config::{Config, PolicyConfig};
use crate::error::Reported as _;
use crate::wire::{InProject, PolicyRef};
use crate::{App, monitors, projects};

/// A policy that just ran does not start again at once, whatever its trigger says.
const REST_MILLIS: i64 = 10 * 60_000;

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
    if parts.is_empty() {
        "only by hand".to_owned()
    } else {
        parts.join(", or ")
    }
}

/// When the schedule fires next.
pub(super) fn next(policy: &PolicyConfig) -> Result<Option<Timestamp>, Report> {
    let Some(cron) = &policy.on.cron else {
        return Ok(None);
    };
    if !policy.enabled {
        return Ok(None);
    }
    let schedule = parse_cron(cron, &policy.name)?;
    let now = Zoned::now();
    Ok(schedule
        .after(&now)
        .map(|at| Timestamp(at.timestamp().as_millisecond())))
}

/// Whether a text is a schedule as automations understand it.
pub(crate) fn is_cron(text: &str) -> bool {
    parse_cron(text, "").is_ok()
}

/// Five fields of cron in the user's time zone.
struct Schedule {
    minutes: Vec<i8>,
    hours: Vec<i8>,
    days: Vec<i8>,
    months: Vec<i8>,
    weekdays: Vec<i8>,
    /// Cron's rule: with both days given, either of them is enough.
    either_day: bool,
}

fn parse_cron(text: &str, policy: &str) -> Result<Schedule, Report> {
    let bad = || {
        Report::new(
            Code::Invalid,
            "automation.cron",
            format!("automation `{policy}`: `{text}` is no cron line"),
        )
        .hint("write five fields: minute hour day month weekday, `0 3 * * 1` say")
    };
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err(bad());
    };
    let field = |text: &str, from: i8, to: i8| field(text, from, to).ok_or_else(bad);
    let weekdays: Vec<i8> = field(weekday, 0, 7)?
        .into_iter()
        .map(|day| day % 7)
        .collect();
    Ok(Schedule {
        minutes: field(minute, 0, 59)?,
        hours: field(hour, 0, 23)?,
        days: field(day, 1, 31)?,
        months: field(month, 1, 12)?,
        weekdays,
        either_day: *day != "*" && *weekday != "*",
    })
}

/// `*`, `5`, `1-5`, `*/15`, `1-30/2`, and lists of these.
fn field(text: &str, from: i8, to: i8) -> Option<Vec<i8>> {
    let mut values = Vec::new();
    for part in text.split(',') {
        let (range, step) = part
            .split_once('/')
            .map_or((part, Some(1)), |(range, step)| (range, step.parse().ok()));
        let step = step.filter(|step: &i8| *step > 0)?;
        let (low, high) = match range.split_once('-') {
            _ if range == "*" => (from, to),
            Some((low, high)) => (low.parse().ok()?, high.parse().ok()?),
            None => {
                let one: i8 = range.parse().ok()?;
                (one, if part.contains('/') { to } else { one })
            }
        };
        if low < from || high > to || low > high {
            return None;
        }
        values.extend((low..=high).step_by(usize::try_from(step).ok()?));
    }
    Some(values)
}

impl Schedule {
    /// The first fitting minute after `now`, within four years.
    fn after(&self, now: &Zoned) -> Option<Zoned> {
        const MAX_DAYS: u32 = 4 * 366;
        let mut day = now.date();
        for _ in 0..MAX_DAYS {
            let in_month = self.days.contains(&day.day());
            let in_week = self
                .weekdays
                .contains(&day.weekday().to_sunday_zero_offset());
            let fits = if self.either_day {
                in_month || in_week
            } else {
                in_month && in_week
            };
            if fits && self.months.contains(&day.month()) {
                for hour in &self.hours {
                    for minute in &self.minutes {
                        let at = day
                            .at(*hour, *minute, 0, 0)
                            .to_zoned(now.time_zone().clone())
                            .ok()?; // Outside of the calendar.
                        if at > *now {
                            return Some(at);
                        }
                    }
                }
            }
            day = day.tomorrow().ok()?; // The end of the calendar.
        }
        None
    }
}

/// Looks at every project's policies once, and starts those that are due. `since` is when it last looked.
pub(crate) fn tick(app: &App, since: Timestamp) {
    let Ok(all) = known_projects::list(app.store()) else {
        return;
    };
    for project in all
        .into_iter()
        .filter(|project| project.trusted && Path::new(&project.path).is_dir())
    {
        if let Err(report) = tick_project(app, &project.path, since) {
            tracing::debug!(
                message = report.message,
                project = project.path,
                "its automations were not looked at"
            );
        }
    }
}

fn tick_project(app: &App, project: &str, since: Timestamp) -> Result<(), Report> {
    let config = Config::read(Path::new(project))?;
    for policy in config.automations.iter().filter(|policy| policy.enabled) {
        lap::watch(app, project, policy)?;
        if rests(app, project, policy)? || lap::is_running(app, Path::new(project), &policy.name)? {
            continue;
        }
        if let Some(reason) = due(app, project, policy, since)? {
            tracing::info!(policy = policy.name, reason, "an automation is due");
            super::start(
                app,
                PolicyRef {
                    project: project.to_owned(),
                    name: policy.name.clone(),
                },
            )?;
        }
    }
    Ok(())
}

fn rests(app: &App, project: &str, policy: &PolicyConfig) -> Result<bool, Report> {
    let trail = trail::log(
        app,
        InProject {
            project: project.to_owned(),
        },
    )?;
    let last = trail.iter().find(|row| row.policy == policy.name);
    Ok(last.is_some_and(|row| Timestamp::now().millis_since(row.at) < REST_MILLIS))
}

/// Why a policy should start now; `None` when it should not.
pub(super) fn due(
    app: &App,
    project: &str,
    policy: &PolicyConfig,
    since: Timestamp,
) -> Result<Option<String>, Report> {
    if let Some(cron) = &policy.on.cron {
        let schedule = parse_cron(cron, &policy.name)?;
        let from = jiff::Timestamp::from_millisecond(since.0)
            .map(|at| at.to_zoned(jiff::tz::TimeZone::system()));
        let fired = from
            .ok()
            .and_then(|from| schedule.after(&from))
            .is_some_and(|at| at <= Zoned::now()); // A clock before 1970.
        if fired {
            return Ok(Some(format!("the schedule {cron} was due")));
        }
    }
    if let Some(paths) = &policy.on.data
        && let Some(path) = changed(project, paths)?
    {
        return Ok(Some(format!("{path} changed")));
    }
    if table::get(app.store(), &policy.deployment)
        .reported()?
        .is_none()
    {
        return Ok(None);
    }
    if policy.on.drift
        && let Some((share, drifted, columns)) = monitors::live_drift(app, &policy.deployment)?
        && share
            >= monitors::settings(app, &policy.deployment)?
                .drift
                .share
                .unwrap_or(0.5)
    {
        return Ok(Some(format!("{drifted} of {columns} columns drifted")));
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

/// The first of the tracked paths whose content is not what is tracked.
fn changed(project: &str, paths: &[String]) -> Result<Option<String>, Report> {
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
