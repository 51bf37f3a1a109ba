//! Compares one stage with its record: section by section as `dvc status` does.

use std::collections::BTreeMap;

use crate::{
    Result, Value,
    content::Files,
    lock::StageLock,
    params, paths,
    reason::Reason,
    stage::{Stage, StageOut},
};

/// What earlier steps of a plan will leave at a path, where it differs from what lies there now.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    /// A step brings back content with this id.
    Id(String),
    /// A step makes it anew; nobody knows what it will be.
    By(String),
}

pub(crate) type Expectations = BTreeMap<String, Expected>;

/// Everything that is different from the record. `expected` overrides what is on disk.
pub(crate) fn examine(
    files: &Files<'_>,
    stage: &Stage,
    lock: Option<&StageLock>,
    expected: &Expectations,
) -> Result<Vec<Reason>> {
    let mut reasons = Vec::new();
    if lock.is_none() {
        reasons.push(Reason::NeverRan);
    }
    if !stage.frozen {
        for dep in &stage.deps {
            let recorded = lock.and_then(|lock| lock.dep(&dep.written));
            let reason = match expectation(expected, &dep.path) {
                Some(Expected::By(stage)) => Some(Reason::Upstream {
                    stage: stage.clone(),
                }),
                Some(Expected::Id(id)) => match recorded.and_then(|entry| entry.md5.as_ref()) {
                    Some(known) if known == id => None,
                    Some(_) => Some(Reason::DepChanged {
                        path: dep.path.clone(),
                    }),
                    None => Some(Reason::DepNew {
                        path: dep.path.clone(),
                    }),
                },
                None => examine_dep(files, stage, &dep.path, recorded)?,
            };
            push_once(&mut reasons, reason);
        }
        for reason in examine_params(files, stage, lock, expected)? {
            push_once(&mut reasons, Some(reason));
        }
    }
    for out in &stage.outs {
        push_once(&mut reasons, examine_out(files, out, lock)?);
    }
    if stage.is_callback() || stage.always_changed {
        reasons.push(Reason::AlwaysChanged);
    }
    reasons.extend(examine_command(stage, lock));
    Ok(reasons)
}

fn push_once(reasons: &mut Vec<Reason>, reason: Option<Reason>) {
    if let Some(reason) = reason
        && !reasons.contains(&reason)
    {
        reasons.push(reason);
    }
}

/// What is expected at a path: for the path itself, or for anything around or inside it.
fn expectation<'a>(expected: &'a Expectations, path: &str) -> Option<&'a Expected> {
    expected.get(path).or_else(|| {
        expected
            .iter()
            .find(|(other, what)| {
                let touches = paths::is_within(path, other) || paths::is_within(other, path);
                touches && matches!(what, Expected::By(_))
            })
            .map(|(_, what)| what)
    })
}

fn examine_dep(
    files: &Files<'_>,
    _stage: &Stage,
    path: &str,
    recorded: Option<&crate::lock::LockEntry>,
) -> Result<Option<Reason>> {
    let path = path.to_owned();
    if paths::is_url(&path) {
        // What lies elsewhere is taken as recorded: asking for it would need the network.
        return Ok(recorded.is_none().then_some(Reason::DepNew { path }));
    }
    if !files.exists(&path) {
        return Ok(Some(Reason::DepDeleted { path }));
    }
    let Some(id) = recorded.and_then(|entry| entry.md5.as_ref()) else {
        return Ok(Some(Reason::DepNew { path }));
    };
    let legacy = recorded.is_some_and(|entry| entry.hash.is_none());
    let now = files.id(&path, legacy)?;
    Ok((now.as_ref() != Some(id)).then_some(Reason::DepChanged { path }))
}

fn examine_params(
    files: &Files<'_>,
    stage: &Stage,
    lock: Option<&StageLock>,
    expected: &Expectations,
) -> Result<Vec<Reason>> {
    let mut reasons = Vec::new();
    for file in &stage.params {
        if let Some(Expected::By(stage)) = expectation(expected, &file.path) {
            reasons.push(Reason::Upstream {
                stage: stage.clone(),
            });
            continue;
        }
        let name = || file.path.clone();
        let now = params::read(files.root(), file, files.drafts())?;
        if !now.exists {
            reasons.push(Reason::ParamsFileDeleted { file: name() });
            continue;
        }
        let Some(recorded) = lock.and_then(|lock| lock.params_of(&file.written)) else {
            reasons.push(Reason::ParamsFileNew { file: name() });
            continue;
        };
        let before = |key: &str| find(recorded, key);
        let after = |key: &str| find(&now.values, key);
        let keys: Vec<&str> = if file.keys.is_empty() {
            let gone = recorded.iter().filter(|(key, _)| after(key).is_none());
            let all = now.values.iter().chain(gone);
            all.map(|(key, _)| key.as_str()).collect()
        } else {
            file.keys.iter().map(String::as_str).collect()
        };
        for key in keys {
            let (file, key_name) = (name(), key.to_owned());
            reasons.extend(match (before(key), after(key)) {
                (_, None) => Some(Reason::ParamDeleted {
                    file,
                    key: key_name,
                }),
                (None, Some(new)) => Some(Reason::ParamNew {
                    file,
                    key: key_name,
                    new: new.display(),
                }),
                (Some(old), Some(new)) => (old != new).then(|| Reason::ParamChanged {
                    file,
                    key: key_name,
                    old: old.display(),
                    new: new.display(),
                }),
            });
        }
    }
    Ok(reasons)
}

fn find<'a>(values: &'a [(String, Value)], key: &str) -> Option<&'a Value> {
    values
        .iter()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value)
}

fn examine_out(
    files: &Files<'_>,
    out: &StageOut,
    lock: Option<&StageLock>,
) -> Result<Option<Reason>> {
    let path = out.path.clone();
    let recorded = lock.and_then(|lock| lock.out(&out.written));
    let id = recorded.and_then(|entry| entry.md5.as_ref());
    let legacy = recorded.is_some_and(|entry| entry.hash.is_none());
    if let Some(id) = id
        && out.cache
        && !files.in_cache(id, legacy)
    {
        return Ok(Some(Reason::OutNotInCache { path }));
    }
    if !files.exists(&path) {
        return Ok(Some(Reason::OutDeleted { path }));
    }
    let Some(id) = id else {
        return Ok(Some(Reason::OutNew { path }));
    };
    let now = files.id(&path, legacy)?;
    Ok((now.as_ref() != Some(id)).then_some(Reason::OutChanged { path }))
}

fn examine_command(stage: &Stage, lock: Option<&StageLock>) -> Option<Reason> {
    let recorded = lock?.cmd.clone().unwrap_or(Value::Null);
    let now = stage.cmd.to_value();
    (recorded != now).then(|| Reason::CommandChanged {
        old: command_text(&recorded),
        new: command_text(&now),
    })
}

fn command_text(value: &Value) -> String {
    match value {
        Value::List(lines) => {
            let lines: Vec<_> = lines.iter().map(Value::display).collect();
            lines.join("; ")
        }
        other => other.display().trim_end().to_owned(),
    }
}
