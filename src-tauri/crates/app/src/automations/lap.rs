//! One lap: retrain, gate, release. And the watch over what it released.

use std::collections::BTreeMap;
use std::path::Path;

use lapwing_core::{Code, JobId, Report, RunId};
use lapwing_monitor::Frame;
use lapwing_monitor::frame::Part;
use lapwing_monitor::verdict::{Choice, Verdict, verdict};
use lapwing_pipeline::Assignment;
use lapwing_serving::{RevisionConfig, RuntimeKind};
use lapwing_store::{deployments as table, lock, policies};
use lapwing_tracking::Resolved;

use super::trail::{self, Entry};
use super::{policy, trigger};
use crate::config::{Config, GateConfig, PolicyConfig};
use crate::deployments::{self, Release, live_revision, release, score_rows};
use crate::error::Reported as _;
use crate::pipeline::{self, Progress};
use crate::wire::{
    AddData, DecisionKind, DecisionRow, PullModel, RegisterModel, RunStatus, StartRun,
};
use crate::{App, data, jobs, models, monitors, projects};

/// Alias of the version that is served.
pub(super) const CHAMPION: &str = "champion";
/// A gate needs no more rows than this.
const MAX_GATE_ROWS: usize = 100_000;

fn lock_name(project: &Path, name: &str) -> String {
    let clean: String = format!("{}-{name}", project.display())
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    format!(
        "automation-{}",
        clean.chars().rev().take(120).collect::<String>()
    )
}

pub(super) fn is_running(app: &App, project: &Path, name: &str) -> Result<bool, Report> {
    lock::is_held(app.workspace(), &lock_name(project, name)).reported()
}

/// A lap that goes on: what its decisions share.
struct Lap<'a> {
    app: &'a App,
    project: String,
    config: Config,
    policy: PolicyConfig,
    id: String,
    say: &'a dyn Fn(&str),
    rows: Vec<DecisionRow>,
}

/// Carries out a lap whatever the trigger says, and answers its decisions. A lap that fails says so in its last one.
///
/// # Errors
/// When there is no such policy, or a lap of it goes on.
pub fn run_now(
    app: &App,
    project: &str,
    name: &str,
    say: &dyn Fn(&str),
) -> Result<Vec<DecisionRow>, Report> {
    let root = projects::locate(Path::new(project))?;
    let (_, wanted) = policy(Path::new(&root), name)?;
    let due = trigger::by_monitor(app, &wanted)?;
    let reason = due.unwrap_or_else(|| "started by hand".to_owned());
    run(app, &root, name, say, &reason)
}

/// The body of `lapwing __automation`: a lap as a job of its own. `because` is what its trigger saw.
///
/// # Errors
/// When there is no such policy, or the lap failed.
pub fn carry_out(
    app: &App,
    project: &str,
    name: &str,
    because: Option<&str>,
) -> Result<(), Report> {
    let say = |text: &str| {
        use std::io::Write as _;
        // The job's log is for people; a full disk shows elsewhere.
        let _ = writeln!(std::io::stdout(), "{text}");
    };
    let rows = match because {
        Some(reason) => run(app, project, name, &say, reason)?,
        None => run_now(app, project, name, &say)?,
    };
    match rows.last() {
        Some(row) if row.kind == DecisionKind::Failed => Err(Report::new(
            Code::Failed,
            "automation.failed",
            row.message.clone(),
        )),
        _ => Ok(()),
    }
}

fn run(
    app: &App,
    project: &str,
    name: &str,
    say: &dyn Fn(&str),
    reason: &str,
) -> Result<Vec<DecisionRow>, Report> {
    let root = projects::locate(Path::new(project))?;
    let (config, policy) = policy(Path::new(&root), name)?;
    let Some(_lock) =
        lock::try_acquire(app.workspace(), &lock_name(Path::new(&root), name)).reported()?
    else {
        return Err(Report::new(
            Code::Conflict,
            "automation.going_on",
            format!("a lap of `{name}` goes on already"),
        ));
    };
    // What the lap takes in now is no news for its trigger afterwards; what comes while it goes on is.
    match trigger::content(app, &root, &policy) {
        Ok(Some(content)) => {
            policies::dealt_with(app.store(), &root, name, &content).reported()?;
        }
        Ok(None) => {}
        // A remote that cannot be asked: the lap comes to it, and writes down why it failed.
        Err(_) if policy.on.remote_alias.is_some() => {}
        Err(report) => return Err(report),
    }
    let mut lap = Lap {
        app,
        project: root,
        config,
        policy,
        id: JobId::random().to_string(),
        say,
        rows: Vec::new(),
    };
    lap.decide(
        DecisionKind::Triggered,
        reason.to_owned(),
        BTreeMap::new(),
        None,
        None,
    )?;
    if let Err(report) = lap.go() {
        let hint = report
            .hint
            .map_or(String::new(), |hint| format!(" ({hint})"));
        lap.decide(
            DecisionKind::Failed,
            format!("{}{hint}", report.message),
            BTreeMap::new(),
            None,
            None,
        )?;
    }
    Ok(lap.rows)
}

impl Lap<'_> {
    fn decide(
        &mut self,
        kind: DecisionKind,
        message: String,
        numbers: BTreeMap<String, f64>,
        run_id: Option<&RunId>,
        model: Option<String>,
    ) -> Result<(), Report> {
        (self.say)(&message);
        let entry = Entry {
            lap: self.id.clone(),
            project: self.project.clone(),
            policy: self.policy.name.clone(),
            kind,
            message,
            numbers,
            run_id: run_id.map(ToString::to_string),
            model,
            deployment: Some(self.policy.deployment.to_string()),
        };
        self.rows.push(trail::append(self.app, entry)?);
        Ok(())
    }

    fn go(&mut self) -> Result<(), Report> {
        if let Some(alias) = self.policy.on.remote_alias.clone() {
            return self.follow(&alias);
        }
        let Some(run_id) = self.retrain()? else {
            return self.decide(
                DecisionKind::Kept,
                "nothing has changed since the last run: there is no challenger".to_owned(),
                BTreeMap::new(),
                None,
                None,
            );
        };
        let challenger = self
            .app
            .tracking()
            .resolve(&format!("runs:/{run_id}"))
            .reported()?;
        let Some(gate) = self.policy.gate.clone() else {
            return Err(Report::new(
                Code::Invalid,
                "automation.no_gate",
                format!("the automation `{}` has no gate", self.policy.name),
            ));
        };
        let verdict = self.gate(&gate, &challenger)?;
        let numbers = numbers(&verdict);
        if verdict.choice == Choice::Keep {
            return self.decide(
                DecisionKind::Kept,
                verdict.sentence,
                numbers,
                Some(&run_id),
                None,
            );
        }
        let input = RegisterModel {
            name: self.policy.model.clone(),
            source: format!("runs:/{run_id}"),
            alias: None,
        };
        let version = models::register(self.app, input)?;
        let called = format!("{} v{}", self.policy.model, version.version);
        self.decide(
            DecisionKind::Promoted,
            verdict.sentence,
            numbers,
            Some(&run_id),
            Some(called.clone()),
        )?;
        self.release(version.version)?;
        let message = format!("{} answers with {called}", self.policy.deployment);
        self.decide(
            DecisionKind::Released,
            message,
            BTreeMap::new(),
            Some(&run_id),
            Some(called),
        )
    }

    /// What a remote alias names comes here and is released, unless it is served already or loses at the gate.
    fn follow(&mut self, alias: &str) -> Result<(), Report> {
        let input = PullModel {
            project: Some(self.project.clone()),
            address: alias.to_owned(),
            name: Some(self.policy.model.clone()),
            alias: None,
        };
        let pulled = models::pull(self.app, input)?;
        let called = format!("{} v{}", pulled.name, pulled.version);
        let deployment = self.policy.deployment.clone();
        let served = match table::get(self.app.store(), &deployment).reported()? {
            Some(found) => live_revision(self.app, &found)?,
            None => None,
        };
        let same = served
            .is_some_and(|live| live.model == pulled.name && live.version == Some(pulled.version));
        if same {
            let message = format!("{deployment} answers with {called} already");
            return self.decide(
                DecisionKind::Kept,
                message,
                BTreeMap::new(),
                None,
                Some(called),
            );
        }
        let address = format!("{}/{}", pulled.name, pulled.version);
        let model = self.app.tracking().resolve(&address).reported()?;
        let run_id = model.run_id.clone();
        let mut message = format!("{alias} is {}", pulled.origin);
        let mut measured = BTreeMap::new();
        if let Some(gate) = self.policy.gate.clone() {
            let verdict = self.gate(&gate, &model)?;
            measured = numbers(&verdict);
            if verdict.choice == Choice::Keep {
                let sentence = verdict.sentence;
                return self.decide(
                    DecisionKind::Kept,
                    sentence,
                    measured,
                    run_id.as_ref(),
                    Some(called),
                );
            }
            message = format!("{message}; {}", verdict.sentence);
        }
        self.decide(
            DecisionKind::Promoted,
            message,
            measured,
            run_id.as_ref(),
            Some(called.clone()),
        )?;
        self.release(pulled.version)?;
        let message = format!("{deployment} answers with {called}");
        self.decide(
            DecisionKind::Released,
            message,
            BTreeMap::new(),
            run_id.as_ref(),
            Some(called),
        )
    }

    /// New data as a version, parameters, and a run of what is stale. `None` when nothing is.
    fn retrain(&mut self) -> Result<Option<RunId>, Report> {
        let project = projects::project(&self.project)?;
        let retrain = self.policy.retrain.clone();
        if !retrain.add.is_empty() {
            let input = AddData {
                project: self.project.clone(),
                paths: retrain.add.clone(),
                message: Some(format!(
                    "New data for {}: {}",
                    self.policy.name,
                    retrain.add.join(", ")
                )),
            };
            for row in data::add(self.app, input)?.iter().filter(|row| row.changed) {
                (self.say)(&format!("{} is a new version now", row.path));
            }
        }
        for (key, value) in &retrain.set {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let assignment = Assignment::parse(&format!("{key}={text}")).reported()?;
            lapwing_pipeline::set_param(project.root(), &assignment).reported()?;
        }
        let input = StartRun {
            project: self.project.clone(),
            stages: retrain.stages,
            ..StartRun::default()
        };
        let Some(run_id) = pipeline::start(self.app, input)?.run_id else {
            return Ok(None);
        };
        let say = self.say;
        let ended = pipeline::follow(self.app, &run_id, &|progress| match progress {
            Progress::Started { stage } => say(&format!("running {stage}")),
            Progress::Note { text } => say(&text),
            Progress::Doing { .. } | Progress::Output { .. } | Progress::Ended { .. } => {}
        })?;
        if ended != RunStatus::Finished {
            return Err(pipeline::failure(self.app, &run_id));
        }
        let run = self.app.tracking().run(&run_id).reported()?;
        let numbers: BTreeMap<String, f64> = run
            .metrics
            .iter()
            .filter(|(_, point)| point.value.is_finite())
            .map(|(key, point)| (key.clone(), point.value))
            .collect();
        self.decide(
            DecisionKind::Retrained,
            format!("trained run {}", run.name),
            numbers,
            Some(&run_id),
            None,
        )?;
        Ok(Some(run_id))
    }

    /// Champion and challenger on the same held-out rows.
    fn gate(&self, gate: &GateConfig, challenger: &Resolved) -> Result<Verdict, Report> {
        let path = projects::project(&self.project)?
            .beneath(&gate.data)
            .reported()?;
        let rows = Frame::read(&path, &Part::default())
            .reported()?
            .thinned(MAX_GATE_ROWS)
            .reported()?;
        let monitor = self.config.monitor(&self.policy.deployment);
        let label = gate
            .label
            .clone()
            .or(monitor.label)
            .unwrap_or_else(|| "label".to_owned());
        let truth: Vec<String> = rows
            .texts(&label)
            .reported()?
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect();
        let positive = monitor.positive.unwrap_or_else(|| "1".to_owned());
        let measure = |folder: &Path, revision: &RevisionConfig| -> Result<f64, Report> {
            let scored = score_rows(self.app, folder, revision, &rows)?;
            let metrics =
                monitors::evaluate(&scored.predictions, &scored.scores, &truth, &positive);
            metrics.get(&gate.metric).copied().ok_or_else(|| {
                let known: Vec<String> = metrics.into_keys().collect();
                Report::new(
                    Code::Invalid,
                    "gate.metric",
                    format!(
                        "the gate's metric `{}` cannot be computed here",
                        gate.metric
                    ),
                )
                .hint(format!("use one of {}", known.join(", ")))
            })
        };
        (self.say)("scoring the challenger on the held-out rows");
        let scratch = self
            .app
            .workspace()
            .root()
            .join("scoring")
            .join(format!("gate-{}", self.id));
        let made = deployments::scratch_revision(self.app, challenger, &scratch, self.say);
        let challenger_value = made.and_then(|revision| measure(&scratch, &revision));
        // Only takes room; what went wrong is told below.
        let _ = std::fs::remove_dir_all(&scratch);
        let challenger_value = challenger_value?;
        let champion = match self.champion()? {
            Some((folder, revision)) => {
                (self.say)("scoring the champion on the same rows");
                Some(measure(&folder, &revision)?)
            }
            None => None,
        };
        Ok(verdict(
            &gate.metric,
            champion,
            challenger_value,
            gate.margin,
            rows.rows(),
        ))
    }

    /// The revision that answers now.
    fn champion(&self) -> Result<Option<(std::path::PathBuf, RevisionConfig)>, Report> {
        let Some(deployment) = table::get(self.app.store(), &self.policy.deployment).reported()?
        else {
            return Ok(None);
        };
        let Some(live) = live_revision(self.app, &deployment)? else {
            return Ok(None);
        };
        let folder = self
            .app
            .workspace()
            .deployment(&deployment.name)
            .join("revisions")
            .join(live.number.to_string());
        let revision = RevisionConfig {
            number: live.number,
            model_name: live.model,
            model_version: live.version,
            run_id: None,
            runtime: if live.runtime == "onnx" {
                RuntimeKind::Onnx
            } else {
                RuntimeKind::Python
            },
            python: live.python.map(Into::into),
            created: live.created,
        };
        Ok(Some((folder, revision)))
    }

    fn release(&self, version: u32) -> Result<(), Report> {
        let called = format!("{}/{version}", self.policy.model);
        let model = self.app.tracking().resolve(&called).reported()?;
        let old = table::get(self.app.store(), &self.policy.deployment).reported()?;
        // An endpoint that stands stays where it is; a new one is made as the project says.
        let (port, target) = match old {
            Some(old) => (None, jobs::parse_target(&old.target)),
            None => {
                let name = &self.policy.deployment;
                let said = deployments::defaults_of(Some(&self.project), name)?;
                (said.port, said.target.unwrap_or_default())
            }
        };
        release(
            self.app,
            Release {
                name: self.policy.deployment.clone(),
                model,
                called,
                port,
                target,
                project: Some(self.project.clone()),
                released_by: self.policy.name.clone(),
                say: self.say,
            },
        )?;
        self.app
            .tracking()
            .set_alias(&self.policy.model, CHAMPION, version)
            .reported()?;
        monitors::forgive(self.app, &self.policy.deployment)
    }
}

fn numbers(verdict: &Verdict) -> BTreeMap<String, f64> {
    let mut numbers = BTreeMap::from([
        ("challenger".to_owned(), verdict.challenger),
        ("margin".to_owned(), verdict.margin),
        ("rows".to_owned(), f64::from(verdict.rows)),
    ]);
    let champion = verdict.champion;
    numbers.extend(champion.map(|champion| ("champion".to_owned(), champion)));
    numbers
}
