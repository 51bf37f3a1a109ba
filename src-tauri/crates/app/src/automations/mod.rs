//! Automations: trigger → retrain → gate → release → watch → roll back, with an audit trail.

mod lap;
pub mod schedule;
mod tick;
mod trail;
mod trigger;
mod watch;

use std::path::{Path, PathBuf};

use lapwing_core::{Code, Report};

use crate::config::{Config, PolicyConfig};
use crate::jobs::Owner;
use crate::wire::{DecisionRow, InProject, PolicyRef, PolicyRow, Started};
use crate::{App, deployments, projects};

pub use lap::{carry_out, run_now};
pub(crate) use tick::{Seen, tick};
pub use trail::log;

/// The report for a policy that `lapwing.toml` does not have.
#[must_use]
pub fn unknown(name: &str) -> Report {
    Report::new(
        Code::NotFound,
        "automation.unknown",
        format!("lapwing.toml has no [[automation]] named `{name}`"),
    )
    .hint("see `lapwing automations list`")
}

/// Why what the monitor sees would start a policy now; `None` when it would not.
///
/// # Errors
/// When there is no such policy, or its deployment cannot be looked at.
pub fn due(app: &App, project: &str, name: &str) -> Result<Option<String>, Report> {
    let (_, policy) = policy(Path::new(project), name)?;
    trigger::by_monitor(app, &policy)
}

fn policy(project: &Path, name: &str) -> Result<(Config, PolicyConfig), Report> {
    let config = Config::read(project)?;
    let found = config
        .automations
        .iter()
        .find(|policy| policy.name == name)
        .cloned();
    Ok((config, found.ok_or_else(|| unknown(name))?))
}

/// The policies of a project.
///
/// # Errors
/// When `lapwing.toml` is not valid.
pub fn list(app: &App, input: InProject) -> Result<Vec<PolicyRow>, Report> {
    let project = projects::project(&input.project)?;
    let config = Config::read(project.root())?;
    let trail = trail::log(
        app,
        InProject {
            project: project.root().display().to_string(),
        },
    )?;
    config
        .automations
        .iter()
        .map(|policy| {
            let last: Option<DecisionRow> =
                trail.iter().find(|row| row.policy == policy.name).cloned();
            Ok(PolicyRow {
                name: policy.name.clone(),
                deployment: Some(policy.deployment.clone()),
                trigger: trigger::words(policy),
                gate: match &policy.gate {
                    Some(gate) => format!(
                        "challenger must beat the champion's {} by {} on {}",
                        gate.metric,
                        gate.margin,
                        gate.data.display()
                    ),
                    None => "whatever the alias names is released".to_owned(),
                },
                enabled: policy.enabled,
                running: lap::is_running(app, project.root(), &policy.name)?,
                next: trigger::next(policy)?,
                last,
            })
        })
        .collect()
}

/// Starts a lap as a job of its own, so that it goes on when the window is closed.
///
/// # Errors
/// When there is no such policy, or the project is not trusted.
pub fn start(app: &App, input: PolicyRef) -> Result<Started, Report> {
    start_because(app, input, None)
}

/// The same for a trigger, which says what it saw.
fn start_because(app: &App, input: PolicyRef, because: Option<&str>) -> Result<Started, Report> {
    let project = projects::project(&input.project)?;
    projects::require_trust(app, &project)?;
    policy(project.root(), &input.name)?;
    let root = project.root().display().to_string();
    let mut argv = vec![
        app.program().display().to_string(),
        "__automation".to_owned(),
        root.clone(),
        input.name.clone(),
    ];
    if let Some(reason) = because {
        argv.extend(["--because".to_owned(), reason.to_owned()]);
    }
    let owner = Owner {
        project: Some(root),
        ..Owner::default()
    };
    deployments::start_own(
        app,
        &format!("automation {}", input.name),
        argv,
        PathBuf::from(project.root()),
        owner,
    )
}
