//! Batch scoring: a model over the rows of a file, as a job here or on a machine elsewhere.
//!
//! The job runs in a folder of its own ([`lapwing_serving::scoring`]); its supervisor puts the output where it is wanted, whoever is
//! still there to see it. What it was made from is a tracked run, which ends when somebody looks at the job.

mod follow;
mod order;
mod place;
mod record;

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use lapwing_core::{JobId, Report};
use lapwing_jobs::{Command, Delivery, JobSpec};
use lapwing_serving::scoring::{self, COMMAND, Part, REQUIREMENTS};
use serde::{Deserialize, Serialize};

use crate::error::Reported as _;
use crate::jobs::{self, Owner};
use crate::wire::{
    Count, JobRef, ScoringDetail, ScoringFile, ScoringPart, ScoringResult, ScoringUpload,
    StartScoring, StartedScoring,
};
use crate::{App, deployments, file};

use order::Asked;
use place::Place;

pub use follow::{failure, follow, stop_on_interrupt};
pub(crate) use record::{MODEL_RUN, SCORED, ended, look};

/// What is remembered of a scoring in its folder; it stays when the rest of the folder goes.
const KEPT: &str = "scoring.json";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    run_id: lapwing_core::RunId,
    /// A registered model's name, or what it was called.
    model: String,
    version: Option<u32>,
    /// The model's Python.
    python: Option<String>,
    data: PathBuf,
    /// Whether that is a folder.
    is_folder: bool,
    out: PathBuf,
}

fn kept(app: &App, id: &JobId) -> Result<Option<Kept>, Report> {
    file::read_json(&app.workspace().scoring(id).join(KEPT))
}

/// Starts a scoring in a process of its own.
///
/// # Errors
/// When there is no such model or data, they do not fit, or the machine cannot be reached: nothing is sent or recorded then.
pub fn start(app: &App, input: StartScoring) -> Result<StartedScoring, Report> {
    start_with(app, input, Path::new("/"), &|_| {})
}

/// The same for a person: a relative model folder is one of `base`, and `say` hears what takes its time.
///
/// # Errors
/// As [`start`].
pub fn start_with(
    app: &App,
    input: StartScoring,
    base: &Path,
    say: &dyn Fn(&str),
) -> Result<StartedScoring, Report> {
    let asked = Asked::of(app, input, base, say)?;
    asked.check_out()?;
    let id = JobId::random();
    let folder = app.workspace().scoring(&id);
    let place = Place::of(app, &asked, &folder, say)?;
    scoring::lay_out(&folder, &asked.order).reported()?;
    let started = begin(app, &asked, &place, id);
    if started.is_err() {
        // What never began leaves nothing.
        let _ = std::fs::remove_dir_all(&folder);
    }
    started
}

fn begin(app: &App, asked: &Asked, place: &Place, id: JobId) -> Result<StartedScoring, Report> {
    let folder = app.workspace().scoring(&id);
    let spec = spec(app, asked, place, &id)?;
    let run_id = record::begin(app, asked, &id)?;
    let kept = Kept {
        run_id: run_id.clone(),
        model: asked.name(),
        version: asked.model.version,
        python: asked.python(),
        data: asked.data.clone(),
        is_folder: asked.data.is_dir(),
        out: asked.out.clone(),
    };
    let owner = Owner {
        project: asked.input.project.clone(),
        run_id: Some(run_id.to_string()),
        stage: None,
        on: asked.input.on.clone(),
    };
    let started =
        file::write_json(&folder.join(KEPT), &kept).and_then(|()| jobs::start(app, &spec, owner));
    if let Err(report) = started {
        record::failed(app, &run_id, &report.message)?;
        return Err(report);
    }
    Ok(StartedScoring {
        job: id,
        run_id,
        out: asked.out.display().to_string(),
    })
}

fn spec(app: &App, asked: &Asked, place: &Place, id: &JobId) -> Result<JobSpec, Report> {
    let folder = app.workspace().scoring(id);
    let target = place.target(app, asked, &folder)?;
    let argv = match place {
        // Its environment is made by the job: whoever starts it need not wait.
        Place::Process => vec![
            app.program().display().to_string(),
            "__score".to_owned(),
            folder.display().to_string(),
        ],
        Place::Docker(_) | Place::Elsewhere(..) => COMMAND.map(str::to_owned).to_vec(),
    };
    let mut env: std::collections::BTreeMap<String, String> = [
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if matches!(place, Place::Process) {
        let home = app.workspace().root().display().to_string();
        env.insert("LAPWING_HOME".to_owned(), home);
        env.insert("NO_COLOR".to_owned(), "1".to_owned());
    }
    Ok(JobSpec {
        id: id.clone(),
        title: format!("score {}", asked.called()),
        command: Command { argv },
        cwd: folder.clone(),
        env,
        timeout_seconds: None,
        target,
        inputs: None,
        deliver: vec![Delivery {
            made: folder.join(asked.order.writes.file()),
            wanted: asked.out.clone(),
        }],
    })
}

/// Makes the model's environment and scores: the body of `lapwing __score`.
///
/// # Errors
/// When the folder is no scoring, or the environment cannot be made.
pub fn carry_out(app: &App, folder: &Path) -> Result<ExitStatus, Report> {
    let kept: Option<Kept> = file::read_json(&folder.join(KEPT))?;
    let python = kept.and_then(|kept| kept.python);
    let lines = lapwing_jobs::requirement_lines(&folder.join(REQUIREMENTS)).reported()?;
    let say = |text: &str| {
        use std::io::Write as _;
        // The log is for people; a full disk shows elsewhere.
        let _ = writeln!(std::io::stdout(), "{text}");
    };
    let environment = deployments::environment_of(app, &lines, python.as_deref(), &say)?;
    let [_, arguments @ ..] = COMMAND;
    std::process::Command::new(&environment.python)
        .args(arguments)
        .current_dir(folder)
        .status()
        .map_err(|error| {
            Report::new(
                lapwing_core::Code::Missing,
                "scoring.python",
                format!(
                    "{} cannot be started: {error}",
                    environment.python.display()
                ),
            )
        })
}

/// What would travel to another machine, before anything does.
///
/// # Errors
/// As [`start`], but for the machine: it is not asked.
pub fn uploads(app: &App, input: StartScoring) -> Result<ScoringUpload, Report> {
    uploads_with(app, input, Path::new("/"), &|_| {})
}

/// The same for a person, as [`start_with`].
///
/// # Errors
/// As [`uploads`].
pub fn uploads_with(
    app: &App,
    input: StartScoring,
    base: &Path,
    say: &dyn Fn(&str),
) -> Result<ScoringUpload, Report> {
    let asked = Asked::of(app, input, base, say)?;
    let scratch = app.workspace().scoring(&JobId::random());
    let listed = scoring::lay_out(&scratch, &asked.order)
        .and_then(|()| scoring::travelling(&scratch))
        .reported();
    // Links and scripts: left behind, they only take a little room.
    let _ = std::fs::remove_dir_all(&scratch);
    let files = listed?;
    Ok(ScoringUpload {
        bytes: Count(files.iter().map(|file| file.size).sum()),
        files: files
            .into_iter()
            .map(|file| ScoringFile {
                path: file.path,
                size: Count(file.size),
                part: match file.part {
                    Part::Model => ScoringPart::Model,
                    Part::Data => ScoringPart::Data,
                    Part::Script => ScoringPart::Script,
                },
            })
            .collect(),
    })
}

/// What a job scores, and what came of it; `None` for a job that scores nothing.
///
/// # Errors
/// When there is no such job, or what it left cannot be understood.
pub fn get(app: &App, input: JobRef) -> Result<Option<ScoringDetail>, Report> {
    let job = jobs::get(app, input)?;
    let Some(kept) = kept(app, &job.id)? else {
        return Ok(None);
    };
    let (mut result, mut hint) = (None, None);
    if job.ended.is_some() {
        match scoring::left(&app.workspace().scoring(&job.id)).reported()? {
            scoring::Left::Output(summary) => {
                result = Some(ScoringResult {
                    rows: Count(summary.rows),
                    seconds: summary.seconds,
                    bytes: Count(summary.bytes),
                });
            }
            scoring::Left::Refused(refusal) => hint = refusal.hint,
            scoring::Left::Nothing => {}
        }
    }
    Ok(Some(ScoringDetail {
        job: job.id,
        run_id: kept.run_id,
        model: kept.model,
        version: kept.version,
        data: kept.data.display().to_string(),
        out: kept.out.display().to_string(),
        result: result.filter(|_| job.status == crate::wire::JobStatus::Succeeded),
        hint,
    }))
}
