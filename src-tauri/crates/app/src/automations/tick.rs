//! The loop's look at every policy: is its release well, and is it due?

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Zoned;
use lapwing_core::{Report, Timestamp};
use lapwing_store::policies::{self, Memory};
use lapwing_store::projects as known_projects;

use super::{lap, trail, trigger, watch};
use crate::App;
use crate::config::{Config, PolicyConfig};
use crate::error::Reported as _;
use crate::wire::{InProject, PolicyRef};

/// A policy that just ran does not start again at once for what a monitor still sees.
const REST_MILLIS: i64 = 10 * 60_000;
/// A lap that was just started may need so long until it holds its lock.
const START_GRACE_MILLIS: i64 = 60_000;

/// A remote that did not answer is not asked again at once: the other policies wait meanwhile.
const LEAVE_ALONE: Duration = Duration::from_secs(60);

/// What one look hands to the next.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Data that differs from what the last lap began with, by project and policy.
    changing: HashMap<(String, String), String>,
    /// When a remote did not answer for a policy.
    silent: HashMap<(String, String), Instant>,
}

/// Looks at every project's policies once, and starts those that are due.
pub(crate) fn tick(app: &App, seen: &mut Seen) -> Result<(), Report> {
    for project in known_projects::list(app.store()).reported()? {
        if !project.trusted || !Path::new(&project.path).is_dir() {
            continue;
        }
        let config = match Config::read(Path::new(&project.path)) {
            Ok(config) => config,
            Err(report) => {
                tracing::warn!(
                    message = report.message,
                    project = project.path,
                    "its automations cannot be read"
                );
                continue;
            }
        };
        for policy in &config.automations {
            if let Err(report) = look_at(app, &project.path, policy, &config, seen) {
                tracing::warn!(
                    message = report.message,
                    policy = policy.name,
                    "an automation could not be looked at"
                );
            }
        }
    }
    Ok(())
}

fn look_at(
    app: &App,
    project: &str,
    policy: &PolicyConfig,
    config: &Config,
    seen: &mut Seen,
) -> Result<(), Report> {
    let now = Timestamp::now();
    let memory = policies::get(app.store(), project, &policy.name).reported()?;
    if !policy.enabled {
        // What falls due while it is off is not made up for when it is on again.
        return match memory.cron {
            Some(_) => {
                policies::scheduled(app.store(), project, &policy.name, None, now).reported()
            }
            None => Ok(()),
        };
    }
    begin_to_count(app, project, policy, &memory, now)?;
    let last = last_decision(app, project, policy)?;
    if lap::is_running(app, Path::new(project), &policy.name)? || starts(&memory, last, now) {
        return Ok(());
    }
    watch::watch(app, project, policy, config)?;
    let Some(reason) = due(app, project, policy, &memory, last, seen)? else {
        return Ok(());
    };
    tracing::info!(policy = policy.name, reason, "an automation is due");
    // Before the lap: what cannot be remembered is not started, or it would be started again and again.
    policies::started(app.store(), project, &policy.name, now).reported()?;
    if let Some(cron) = &policy.on.cron {
        policies::scheduled(app.store(), project, &policy.name, Some(cron), now).reported()?;
    }
    super::start_because(
        app,
        PolicyRef {
            project: project.to_owned(),
            name: policy.name.clone(),
        },
        Some(&reason),
    )
    .map(|_| ())
}

/// A schedule counts from when it was first seen, and anew when it was changed.
fn begin_to_count(
    app: &App,
    project: &str,
    policy: &PolicyConfig,
    memory: &Memory,
    now: Timestamp,
) -> Result<(), Report> {
    if policy.on.cron != memory.cron {
        let cron = policy.on.cron.as_deref();
        policies::scheduled(app.store(), project, &policy.name, cron, now).reported()?;
    }
    Ok(())
}

fn last_decision(
    app: &App,
    project: &str,
    policy: &PolicyConfig,
) -> Result<Option<Timestamp>, Report> {
    let project = project.to_owned();
    let trail = trail::log(app, InProject { project })?;
    let last = trail.iter().find(|row| row.policy == policy.name);
    Ok(last.map(|row| row.at))
}

/// Whether a lap was started that has not said anything yet.
fn starts(memory: &Memory, last: Option<Timestamp>, now: Timestamp) -> bool {
    memory.started.is_some_and(|started| {
        now.millis_since(started) < START_GRACE_MILLIS && last.is_none_or(|last| last < started)
    })
}

fn due(
    app: &App,
    project: &str,
    policy: &PolicyConfig,
    memory: &Memory,
    last: Option<Timestamp>,
    seen: &mut Seen,
) -> Result<Option<String>, Report> {
    if let Some(reason) = trigger::by_schedule(policy, memory, &Zoned::now())? {
        return Ok(Some(reason));
    }
    if let Some(reason) = settled_data(app, project, policy, memory, seen)? {
        return Ok(Some(reason));
    }
    let newest = last.max(memory.started);
    if newest.is_some_and(|at| Timestamp::now().millis_since(at) < REST_MILLIS) {
        return Ok(None);
    }
    trigger::by_monitor(app, policy)
}

/// New data counts when two looks in a row find the same: a file that is still being copied changes in between.
fn settled_data(
    app: &App,
    project: &str,
    policy: &PolicyConfig,
    memory: &Memory,
    seen: &mut Seen,
) -> Result<Option<String>, Report> {
    let key = (project.to_owned(), policy.name.clone());
    let silent = seen.silent.get(&key);
    if silent.is_some_and(|since| since.elapsed() < LEAVE_ALONE) {
        return Ok(None);
    }
    let content = match trigger::content(app, project, policy) {
        Ok(Some(content)) => content,
        Ok(None) => return Ok(None),
        Err(report) => {
            if policy.on.remote_alias.is_some() {
                seen.silent.insert(key, Instant::now());
            }
            return Err(report);
        }
    };
    seen.silent.remove(&key);
    let Some(reason) = trigger::by_data(app, project, policy, memory, &content)? else {
        seen.changing.remove(&key);
        if memory.data.is_none() {
            policies::dealt_with(app.store(), project, &policy.name, &content).reported()?;
        }
        return Ok(None);
    };
    if seen.changing.get(&key) == Some(&content) {
        seen.changing.remove(&key);
        policies::dealt_with(app.store(), project, &policy.name, &content).reported()?;
        return Ok(Some(reason));
    }
    seen.changing.insert(key, content);
    Ok(None)
}
