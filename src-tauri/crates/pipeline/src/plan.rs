//! What would run, in what order, and why.

use std::collections::{BTreeMap, BTreeSet};

use lapwing_data::Project;
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{
    Drafts, Result,
    content::Files,
    examine::{Expectations, Expected, examine},
    graph::Graph,
    lock::{LockFile, StageLock},
    outcome, paths,
    pipeline::Pipeline,
    reason::{self, Reason},
    stage::Stage,
};

/// Which stages a person asks for.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// Addresses, groups, files or output paths; none means everything in the root's `dvc.yaml`, as in `dvc repro`.
    pub targets: Vec<String>,
    /// Run even what did not change, and take nothing from the run-cache.
    pub force: bool,
    pub scope: Scope,
    /// Parameter files as they would be.
    pub drafts: Drafts,
}

/// How far a plan reaches from its targets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// The targets and all that they read from.
    #[default]
    Upstream,
    /// The targets and all that reads from them.
    Downstream,
    /// The targets alone.
    Single,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Its commands run. For a step after another one that runs, [`recheck`] says when its turn comes whether it must.
    Run,
    /// Nothing changed.
    Skip,
    /// A run with the same inputs is in the cache; its outputs are put back.
    Restore,
    /// Marked `frozen`: never run.
    Frozen,
}

/// One stage of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Step {
    /// The stage's address.
    pub stage: String,
    pub action: Action,
    /// Empty when nothing changed.
    pub reasons: Vec<Reason>,
}

/// Steps in the order in which they run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Plan {
    pub steps: Vec<Step>,
}

impl Plan {
    /// Whether no command would run and nothing would be put back.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.steps
            .iter()
            .all(|step| matches!(step.action, Action::Skip | Action::Frozen))
    }
}

/// Plans a run. Reads and hashes, changes nothing.
pub fn plan(pipeline: &Pipeline, project: &Project, options: &PlanOptions) -> Result<Plan> {
    let files = Files::with(project, options.drafts.clone());
    let mut locks = Locks::default();
    let mut expected = Expectations::new();
    let mut steps = Vec::new();
    for stage in selected(pipeline, options)? {
        let lock = locks.of(&files, stage)?;
        let (step, made) = step(&files, stage, lock.as_ref(), &expected, options.force)?;
        expect(&mut expected, stage, step.action, made.as_ref());
        steps.push(step);
    }
    Ok(Plan { steps })
}

/// Decides again for one stage when its turn comes: what runs before it may have made the same as last time.
pub fn recheck(project: &Project, stage: &Stage, force: bool) -> Result<Step> {
    let files = Files::new(project);
    let lock = Locks::default().of(&files, stage)?;
    let nothing = Expectations::new();
    let (step, _) = step(&files, stage, lock.as_ref(), &nothing, force)?;
    Ok(step)
}

/// The stages of a plan in their order.
pub(crate) fn selected<'p>(
    pipeline: &'p Pipeline,
    options: &PlanOptions,
) -> Result<Vec<&'p Stage>> {
    let stages = pipeline.stages();
    let mut targets = Vec::new();
    for target in &options.targets {
        targets.extend(pipeline.indexes(target)?);
    }
    if options.targets.is_empty() {
        let in_root = |index: &usize| stages[*index].file == "dvc.yaml";
        targets = (0..stages.len()).filter(in_root).collect();
        if targets.is_empty() {
            targets = (0..stages.len()).collect();
        }
    }
    let graph = pipeline.graph();
    let chosen: BTreeSet<usize> = match options.scope {
        Scope::Single => targets.into_iter().collect(),
        // What a frozen stage reads from is left alone.
        Scope::Upstream => Graph::reach(&targets, |index| {
            if stages[index].frozen {
                Vec::new()
            } else {
                graph.upstream[index].iter().copied().collect()
            }
        }),
        Scope::Downstream => Graph::reach(&targets, |index| {
            let readers = graph.downstream[index].iter().copied();
            readers.filter(|reader| !stages[*reader].frozen).collect()
        }),
    };
    let order = graph.order.iter();
    Ok(order
        .filter(|index| chosen.contains(index))
        .map(|&index| &stages[index])
        .collect())
}

/// Lock files, read once each.
#[derive(Default)]
struct Locks {
    files: BTreeMap<String, LockFile>,
}

impl Locks {
    fn of(&mut self, files: &Files<'_>, stage: &Stage) -> Result<Option<StageLock>> {
        let name = stage.lock_file();
        if let Some(file) = self.files.get(&name) {
            return Ok(file.stage(&stage.name));
        }
        let file = LockFile::read(&paths::on_disk(files.root(), &name))?;
        let lock = file.stage(&stage.name);
        self.files.insert(name, file);
        Ok(lock)
    }
}

/// The step, and for a restored stage what its outputs will be.
fn step(
    files: &Files<'_>,
    stage: &Stage,
    lock: Option<&StageLock>,
    expected: &Expectations,
    force: bool,
) -> Result<(Step, Option<StageLock>)> {
    let found = examine(files, stage, lock, expected)?;
    let (action, made) = if stage.frozen {
        (Action::Frozen, None)
    } else if force {
        (Action::Run, None)
    } else if found.is_empty() {
        (Action::Skip, None)
    } else {
        match outcome::cached(files, stage, lock, &found, expected)? {
            Some(made) => (Action::Restore, Some(made)),
            None => (Action::Run, None),
        }
    };
    let step = Step {
        stage: stage.address.clone(),
        action,
        reasons: said(found, force && !stage.frozen),
    };
    Ok((step, made))
}

/// The reasons worth telling: a stage that never ran has no others, except what it needs and lacks.
fn said(found: Vec<Reason>, force: bool) -> Vec<Reason> {
    let never = found.contains(&Reason::NeverRan);
    let mut reasons: Vec<Reason> = found
        .into_iter()
        .filter(|reason| {
            !never
                || matches!(
                    reason,
                    Reason::NeverRan
                        | Reason::DepDeleted { .. }
                        | Reason::ParamsFileDeleted { .. }
                        | Reason::ParamDeleted { .. }
                )
        })
        .collect();
    if force {
        reasons.push(Reason::Forced);
    }
    reasons
}

fn expect(expected: &mut Expectations, stage: &Stage, action: Action, made: Option<&StageLock>) {
    for out in &stage.outs {
        let what = match action {
            Action::Run => Expected::By(stage.address.clone()),
            Action::Restore => {
                let id = made
                    .and_then(|lock| lock.out(&out.written))
                    .and_then(|entry| entry.md5.clone());
                match id {
                    Some(id) => Expected::Id(id),
                    None => Expected::By(stage.address.clone()),
                }
            }
            Action::Skip | Action::Frozen => continue,
        };
        expected.insert(out.path.clone(), what);
    }
}

/// One stage that is not as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct StageStatus {
    pub stage: String,
    pub reasons: Vec<Reason>,
}

/// Every stage that is not as recorded, in the order of the files. Unlike a plan it looks at each stage by itself.
pub fn status(pipeline: &Pipeline, project: &Project) -> Result<Vec<StageStatus>> {
    let files = Files::new(project);
    let mut locks = Locks::default();
    let nothing = Expectations::new();
    let mut changed = Vec::new();
    for stage in pipeline.stages() {
        let lock = locks.of(&files, stage)?;
        let reasons = examine(&files, stage, lock.as_ref(), &nothing)?;
        if !reason::dvc_json(&reasons).is_empty() {
            changed.push(StageStatus {
                stage: stage.address.clone(),
                reasons,
            });
        }
    }
    Ok(changed)
}

/// The same in the exact shape of `dvc status --json`, for stages only.
#[must_use]
pub fn status_json(status: &[StageStatus]) -> serde_json::Value {
    let entries = status.iter().map(|stage| {
        let said = reason::dvc_json(&stage.reasons);
        (stage.stage.clone(), serde_json::Value::Array(said))
    });
    serde_json::Value::Object(entries.collect())
}
