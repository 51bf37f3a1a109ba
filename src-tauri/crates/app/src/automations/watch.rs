//! The watch over what a lap released: where it is worse than it may be, the one before answers again.

use std::collections::BTreeMap;

use lapwing_core::{JobId, Report, Timestamp};
use lapwing_monitor::performance::{Direction, direction};
use lapwing_serving::predictions::{Window, summary};
use lapwing_store::deployments as table;

use super::lap::CHAMPION;
use super::trail::{self, Entry};
use crate::config::{Config, PerformanceLine, PolicyConfig};
use crate::deployments::{self, known, live_revision};
use crate::error::Reported as _;
use crate::wire::{DecisionKind, DecisionRow, InProject, Rollback};
use crate::{App, monitors};

/// Rolls a release of this policy back when its error rate or its score is worse than it may be.
pub(super) fn watch(
    app: &App,
    project: &str,
    policy: &PolicyConfig,
    config: &Config,
) -> Result<(), Report> {
    let Some(deployment) = table::get(app.store(), &policy.deployment).reported()? else {
        return Ok(());
    };
    let Some(live) = live_revision(app, &deployment)? else {
        return Ok(());
    };
    let age = Timestamp::now().millis_since(live.created);
    let watched = live.released_by == policy.name
        && live.number > 1
        && age < i64::from(policy.watch.minutes) * 60_000;
    if !watched {
        return Ok(());
    }
    let trail = trail::log(
        app,
        InProject {
            project: project.to_owned(),
        },
    )?;
    let Some(lap) = standing_release(&trail, &policy.name) else {
        return Ok(());
    };
    let why = match failing(app, policy, &live)? {
        None => worse(app, policy, config, &trail, lap)?,
        failing => failing,
    };
    let Some((why, mut numbers)) = why else {
        return Ok(());
    };
    deployments::rollback(
        app,
        Rollback {
            name: policy.deployment.clone(),
            revision: None,
        },
    )?;
    let back = known(app, &policy.deployment)?;
    if let Some(version) = live_revision(app, &back)?.and_then(|revision| revision.version) {
        app.tracking()
            .set_alias(&policy.model, CHAMPION, version)
            .reported()?;
    }
    monitors::forgive(app, &policy.deployment)?;
    let again = back.live_revision.unwrap_or_default();
    numbers.insert("revision".to_owned(), f64::from(again));
    let entry = Entry {
        lap: JobId::random().to_string(),
        project: project.to_owned(),
        policy: policy.name.clone(),
        kind: DecisionKind::RolledBack,
        message: format!(
            "{why}: {} answers with revision {again} again",
            policy.deployment
        ),
        numbers,
        run_id: None,
        model: Some(policy.model.clone()),
        deployment: Some(policy.deployment.to_string()),
    };
    trail::append(app, entry).map(|_| ())
}

/// The lap whose release stands: the policy's newest one, unless it came back already.
fn standing_release<'a>(trail: &'a [DecisionRow], policy: &str) -> Option<&'a str> {
    trail
        .iter()
        .find(|row| {
            row.policy == policy
                && matches!(row.kind, DecisionKind::Released | DecisionKind::RolledBack)
        })
        .filter(|row| row.kind == DecisionKind::Released)
        .map(|row| row.lap.as_str())
}

type Why = Option<(String, BTreeMap<String, f64>)>;

/// More failed requests than it may have.
fn failing(app: &App, policy: &PolicyConfig, live: &table::Revision) -> Result<Why, Report> {
    let window = Window {
        since: live.created,
        until: Timestamp(Timestamp::now().0 + 1),
        bucket_millis: i64::MAX / 4,
    };
    let totals = summary(&app.workspace().deployment(&policy.deployment), window).reported()?;
    let Some(of_live) = totals
        .revisions
        .get(&live.number)
        .filter(|totals| totals.requests >= u64::from(policy.watch.min_requests))
    else {
        return Ok(None);
    };
    let rate = of_live.failures as f64 / of_live.requests.max(1) as f64;
    if rate <= policy.watch.max_error_rate {
        return Ok(None);
    }
    let numbers = BTreeMap::from([
        ("error_rate".to_owned(), rate),
        ("max_error_rate".to_owned(), policy.watch.max_error_rate),
        ("requests".to_owned(), of_live.requests as f64),
    ]);
    let share = rate * 100.0;
    Ok(Some((
        format!("{share:.1}% of {} requests failed", of_live.requests),
        numbers,
    )))
}

/// The gate's metric on the live predictions against what the gate measured for the old champion.
fn worse(
    app: &App,
    policy: &PolicyConfig,
    config: &Config,
    trail: &[DecisionRow],
    lap: &str,
) -> Result<Why, Report> {
    let promoted = trail
        .iter()
        .find(|row| row.lap == lap && row.kind == DecisionKind::Promoted);
    let Some(champion) = promoted.and_then(|row| row.numbers.get("champion").copied()) else {
        return Ok(None);
    };
    let Some(gate) = &policy.gate else {
        return Ok(None);
    };
    let line = PerformanceLine {
        metric: gate.metric.clone(),
        below: None,
        above: None,
        min_rows: min_rows(policy, config),
    };
    let (value, rows) = monitors::live_performance(app, &policy.deployment, &line)?;
    let Some(value) = value.filter(|_| rows >= line.min_rows as usize) else {
        return Ok(None);
    };
    let loss = match direction(&line.metric) {
        Direction::HigherIsBetter => champion - value,
        Direction::LowerIsBetter => value - champion,
    };
    if loss <= policy.watch.max_loss {
        return Ok(None);
    }
    let numbers = BTreeMap::from([
        ("value".to_owned(), value),
        ("champion".to_owned(), champion),
        ("max_loss".to_owned(), policy.watch.max_loss),
        ("rows".to_owned(), rows as f64),
    ]);
    Ok(Some((
        format!(
            "{} is {value:.3} on {rows} labelled rows, the champion before had {champion:.3}",
            line.metric
        ),
        numbers,
    )))
}

/// How many labelled rows say something: as many as for the trigger, or for the monitor.
fn min_rows(policy: &PolicyConfig, config: &Config) -> u32 {
    let line = policy.on.performance.clone();
    line.or_else(|| config.monitor(&policy.deployment).performance)
        .map_or_else(crate::config::default_min_rows, |line| line.min_rows)
}
