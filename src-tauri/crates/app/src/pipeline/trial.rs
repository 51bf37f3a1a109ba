//! What a run does differently as a trial of a sweep.

use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lapwing_core::Report;
use lapwing_data::Project;
use lapwing_jobs::environment::ProjectEnvironment;
use lapwing_jobs::slurm::Member;
use lapwing_pipeline::Stage;
use lapwing_store::lock::{self, Lock};

use super::request::Trial;
use crate::error::Reported as _;
use crate::{App, projects};

const POLL: Duration = Duration::from_millis(200);
const MOST_LETTERS: usize = 40;
/// Of a run's name; the values are among its parameters, too.
const MOST_SHOWN: usize = 120;

/// Whose turn it is to run a stage that all trials need.
pub(super) enum Turn {
    /// Ours, for as long as it is held. A run that is no trial waits for nobody.
    Ours(Option<Lock>),
    /// The run was stopped while it waited.
    Stopped,
}

/// Of several trials one runs what others need as well. They wait, and find it in the cache.
pub(super) fn turn(
    app: &App,
    trial: Option<&Trial>,
    project: &Project,
    stage: &Stage,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Turn, Report> {
    if trial.is_none() {
        return Ok(Turn::Ours(None));
    }
    // What it reads may be missing: then it says so when it begins.
    let Ok(read) = lapwing_pipeline::fingerprint(project, stage) else {
        return Ok(Turn::Ours(None));
    };
    let name = format!("trial-{read}");
    loop {
        if is_stopped() {
            return Ok(Turn::Stopped);
        }
        if let Some(lock) = lock::try_acquire(app.workspace(), &name).reported()? {
            return Ok(Turn::Ours(Some(lock)));
        }
        std::thread::sleep(POLL);
    }
}

/// Where a trial's Python environment is made: where people know the project, for as long as what it is made of is what it was when
/// the sweep began; else in the sweep's own copy, once for all of its trials.
pub(super) fn environment(
    trial: &Trial,
    copy: &Project,
    wanted: &ProjectEnvironment,
) -> Result<PathBuf, Report> {
    let home = projects::project(&trial.home)?;
    let named = wanted.requirements.as_deref();
    let mut files = ["requirements.txt", "pyproject.toml", "uv.lock"]
        .into_iter()
        .chain(named);
    // Not there is as good a content as any.
    let content = |root: &Path, name: &str| std::fs::read(root.join(name)).ok();
    let is_same = files.all(|name| content(home.root(), name) == content(copy.root(), name));
    Ok(if is_same {
        home.root().to_owned()
    } else {
        PathBuf::from(&trial.base)
    })
}

/// What its run is called: the values that are its own, each under the last part of its name where that says which one is meant.
pub(super) fn name(trial: &Trial) -> String {
    let parts = |text: &str| -> (String, String) {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.trim_start_matches('+').to_owned(), value.to_owned())
    };
    let last = |name: &str| name.rsplit(['.', ':']).next().unwrap_or(name).to_owned();
    let all: Vec<(String, String)> = trial.set.iter().map(|text| parts(text)).collect();
    let is_alone = |name: &str| {
        let same = all.iter().filter(|(other, _)| last(other) == last(name));
        same.count() == 1
    };
    let words = all.iter().map(|(name, value)| {
        let shown = if is_alone(name) {
            last(name)
        } else {
            name.clone()
        };
        format!("{shown}={value}")
    });
    let name = words.collect::<Vec<_>>().join(", ");
    match name.char_indices().nth(MOST_SHOWN) {
        // Of a sweep that an older program began.
        None if name.is_empty() => format!("trial {}", trial.number),
        None => name,
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
    }
}

/// Its place in the array that a stage of all trials is in a Slurm cluster's queue.
pub(super) fn member(trial: &Trial, stage: &Stage) -> Option<Member> {
    let sweep: String = trial.sweep.to_string().chars().take(12).collect();
    trial.feels(&stage.address).then(|| Member {
        array: format!("{sweep}-{}", plain(&stage.address)),
        index: trial.number,
        size: trial.of,
        at_once: trial.at_once,
    })
}

/// Letters, digits and lines: part of a file's name anywhere, and another one for each address.
fn plain(address: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let letters = address.chars().take(MOST_LETTERS);
    let letters: String = letters.map(|c| if is_plain(c) { c } else { '_' }).collect();
    let mut hasher = std::hash::DefaultHasher::new();
    address.hash(&mut hasher);
    format!("{letters}-{:08x}", hasher.finish() as u32)
}
