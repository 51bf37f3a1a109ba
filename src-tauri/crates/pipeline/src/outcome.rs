//! Before and after a stage's commands: clear its outputs, record what it read and made, or put an earlier run's outputs back.

use fs_err as fs;
use lapwing_data::{Exclusive, Project};

use crate::{
    Error, Result,
    content::{Files, Keep, remove},
    examine::{Expectations, Expected},
    lock::{self, LockEntry, LockFile, StageLock},
    params, paths,
    reason::Reason,
    run_cache,
    stage::{ParamsFile, Stage, StageOut},
};

/// Makes a stage ready to run: its inputs must exist; its outputs are deleted (except `persist`) and get their folders.
pub fn prepare(project: &Project, stage: &Stage) -> Result<()> {
    let files = Files::new(project);
    let folder = paths::on_disk(files.root(), &stage.wdir);
    if !folder.is_dir() {
        return Err(Error::MissingFolder {
            stage: stage.address.clone(),
            path: stage.wdir.clone(),
        });
    }
    check_inputs(&files, stage)?;
    for out in &stage.outs {
        if !files.is_inside(&out.path) {
            return Err(Error::UnsupportedPath {
                stage: stage.address.clone(),
                path: out.path.clone(),
                message: "outputs outside the project are not touched",
            });
        }
        if out.cache && files.is_tracked(&out.path)? {
            return Err(Error::TrackedByGit {
                stage: stage.address.clone(),
                path: out.path.clone(),
            });
        }
    }
    for out in &stage.outs {
        let path = paths::on_disk(files.root(), &out.path);
        if !out.persist {
            remove(&path)?;
        } else {
            files.unlink(&out.path)?;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
    }
    Ok(())
}

fn check_inputs(files: &Files<'_>, stage: &Stage) -> Result<()> {
    for dep in &stage.deps {
        if !paths::is_url(&dep.path) && !files.exists(&dep.path) {
            return Err(Error::MissingDependency {
                stage: stage.address.clone(),
                path: dep.path.clone(),
            });
        }
    }
    for file in &stage.params {
        param_values(files, stage, file)?;
    }
    Ok(())
}

/// What a stage would read now: its command, dependencies and parameters, and the paths of its outputs.
pub fn reading(project: &Project, stage: &Stage) -> Result<StageLock> {
    inputs(
        &Files::new(project),
        stage,
        &Expectations::new(),
        &mut |_| {},
    )
}

/// Records a finished run that read what lies here now, as [`commit_read`] does.
pub fn commit(
    project: &Project,
    stage: &Stage,
    progress: &mut dyn FnMut(&str),
) -> Result<StageLock> {
    let read = inputs(&Files::new(project), stage, &Expectations::new(), progress)?;
    commit_read(project, stage, read, progress)
}

/// Records a finished run: hashes outputs, saves them into the cache, keeps them out of git, writes `dvc.lock` and the run-cache.
/// `read` is what the run began with: what was edited while it ran is not what made the outputs. `progress` hears each path before
/// it is hashed.
pub fn commit_read(
    project: &Project,
    stage: &Stage,
    read: StageLock,
    progress: &mut dyn FnMut(&str),
) -> Result<StageLock> {
    let files = Files::new(project);
    for out in &stage.outs {
        if !files.exists(&out.path) {
            return Err(Error::MissingOutput {
                stage: stage.address.clone(),
                path: out.path.clone(),
            });
        }
    }
    let mut record = read;
    let kept = run_cache::is_kept(stage);
    let cached = || stage.outs.iter().filter(|out| out.cache);
    cached().try_for_each(|out| check_inside(stage, out))?;
    {
        let _alone = Exclusive::take(files.root())?;
        cached().try_for_each(|out| files.ignore(&out.path))?;
    }
    record.outs = sorted(&stage.outs)
        .into_iter()
        .map(|out| {
            progress(&out.path);
            save_out(&files, out, kept)
        })
        .collect::<Result<_>>()?;
    if kept {
        run_cache::save(&files.runs(), &record)?;
    }
    let path = paths::on_disk(files.root(), &stage.lock_file());
    let _alone = Exclusive::take(files.root())?;
    lock::write(&path, &stage.name, &record)?;
    Ok(record)
}

/// A digest of what a stage would read now.
pub fn fingerprint(project: &Project, stage: &Stage) -> Result<String> {
    Ok(run_cache::fingerprint(&reading(project, stage)?))
}

fn check_inside(stage: &Stage, out: &StageOut) -> Result<()> {
    let outside = paths::is_url(&out.path) || paths::is_absolute(&out.path);
    if outside || out.path.starts_with("..") {
        return Err(Error::UnsupportedPath {
            stage: stage.address.clone(),
            path: out.path.clone(),
            message: "an output outside the project cannot be cached; set `cache: false`",
        });
    }
    Ok(())
}

fn save_out(files: &Files<'_>, out: &StageOut, kept: bool) -> Result<LockEntry> {
    let keep = match (out.cache, kept) {
        (true, _) => Keep::Linked,
        // The run-cache can only bring back what the cache holds.
        (false, true) => Keep::Copy,
        (false, false) => Keep::No,
    };
    files.save(&out.path, &out.written, keep)
}

/// DVC orders by the path as written.
fn sorted(outs: &[StageOut]) -> Vec<&StageOut> {
    let mut outs: Vec<_> = outs.iter().collect();
    outs.sort_by(|a, b| a.written.cmp(&b.written));
    outs
}

/// The record of what a stage would read now, with its outputs by path only.
fn inputs(
    files: &Files<'_>,
    stage: &Stage,
    expected: &Expectations,
    progress: &mut dyn FnMut(&str),
) -> Result<StageLock> {
    let mut deps: Vec<LockEntry> = Vec::with_capacity(stage.deps.len());
    for dep in &stage.deps {
        if deps.iter().any(|entry| entry.path == dep.written) {
            continue;
        }
        if paths::is_url(&dep.path) {
            return Err(Error::UnsupportedPath {
                stage: stage.address.clone(),
                path: dep.path.clone(),
                message: "dependencies outside this machine are not read yet",
            });
        }
        if let Some(Expected::Id(id)) = expected.get(&dep.path) {
            deps.push(LockEntry {
                path: dep.written.clone(),
                hash: Some("md5".to_owned()),
                md5: Some(id.clone()),
                ..LockEntry::default()
            });
            continue;
        }
        if !files.exists(&dep.path) {
            return Err(Error::MissingDependency {
                stage: stage.address.clone(),
                path: dep.path.clone(),
            });
        }
        progress(&dep.path);
        deps.push(files.entry(&dep.path, &dep.written)?);
    }
    deps.sort_by(|a, b| a.path.cmp(&b.path));
    let mut values = Vec::with_capacity(stage.params.len());
    for file in &stage.params {
        values.push((file.written.clone(), param_values(files, stage, file)?));
    }
    // `params.yaml` first, then by name.
    values.sort_by(|(a, _), (b, _)| (a != "params.yaml", a).cmp(&(b != "params.yaml", b)));
    let outs = sorted(&stage.outs)
        .into_iter()
        .map(|out| LockEntry {
            path: out.written.clone(),
            ..LockEntry::default()
        })
        .collect();
    Ok(StageLock {
        cmd: Some(stage.cmd.to_value()),
        deps,
        params: values,
        outs,
    })
}

/// Parameters by name, sorted; none of those asked for may be missing.
fn param_values(
    files: &Files<'_>,
    stage: &Stage,
    file: &ParamsFile,
) -> Result<Vec<(String, crate::Value)>> {
    let now = params::read(files.root(), file, files.drafts())?;
    if !now.exists {
        return Err(Error::MissingDependency {
            stage: stage.address.clone(),
            path: file.path.clone(),
        });
    }
    let has = |key: &String| now.values.iter().any(|(name, _)| name == key);
    let missing: Vec<String> = file.keys.iter().filter(|key| !has(key)).cloned().collect();
    if !missing.is_empty() {
        return Err(Error::MissingParams {
            stage: stage.address.clone(),
            file: file.path.clone(),
            keys: missing,
        });
    }
    let mut values = now.values;
    values.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(values)
}

/// The record of an earlier run that fits the present inputs and whose outputs are all in the cache. `found` is what
/// [`examine`](crate::examine::examine) said.
pub(crate) fn cached(
    files: &Files<'_>,
    stage: &Stage,
    lock: Option<&StageLock>,
    found: &[Reason],
    expected: &Expectations,
) -> Result<Option<StageLock>> {
    let blocked = found.iter().any(|reason| {
        matches!(
            reason,
            Reason::Upstream { .. }
                | Reason::DepDeleted { .. }
                | Reason::ParamsFileDeleted { .. }
                | Reason::ParamDeleted { .. }
        )
    });
    if blocked || !run_cache::is_eligible(stage) {
        return Ok(None);
    }
    let only_outs = found.iter().all(|reason| {
        matches!(
            reason,
            Reason::OutChanged { .. }
                | Reason::OutDeleted { .. }
                | Reason::OutNew { .. }
                | Reason::OutNotInCache { .. }
        )
    });
    let recorded = lock.filter(|lock| only_outs && has_all(lock, stage));
    let record = match recorded {
        Some(lock) => Some(lock.clone()),
        None => {
            let now = inputs(files, stage, expected, &mut |_| {})?;
            run_cache::load(&files.runs(), &now)?.filter(|record| has_all(record, stage))
        }
    };
    let Some(record) = record else {
        return Ok(None);
    };
    if !files.has_outs(&record) {
        return Ok(None);
    }
    Ok(Some(record))
}

fn has_all(record: &StageLock, stage: &Stage) -> bool {
    stage.outs.iter().all(|out| {
        record
            .out(&out.written)
            .is_some_and(|entry| entry.md5.is_some())
    })
}

/// What `dvc.lock` records for a stage: which content it read and made, for lineage.
pub fn recorded(project: &Project, stage: &Stage) -> Result<Option<StageLock>> {
    let path = paths::on_disk(project.root(), &stage.lock_file());
    Ok(LockFile::read(&path)?.stage(&stage.name))
}

/// Puts the outputs of an earlier run with the same inputs back and records the stage, without running anything.
pub fn restore(
    project: &Project,
    stage: &Stage,
    progress: &mut dyn FnMut(&str),
) -> Result<StageLock> {
    let files = Files::new(project);
    let lock = recorded(project, stage)?;
    let nothing = Expectations::new();
    let found = crate::examine::examine(&files, stage, lock.as_ref(), &nothing)?;
    let Some(record) = cached(&files, stage, lock.as_ref(), &found, &nothing)? else {
        return Err(Error::NotCached {
            stage: stage.address.clone(),
        });
    };
    for out in &stage.outs {
        if let Some(entry) = record.out(&out.written) {
            progress(&out.path);
            files.checkout(&out.path, entry, out.cache)?;
        }
    }
    commit(project, stage, progress)
}
