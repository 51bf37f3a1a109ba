//! Everything that can be wrong with a pipeline, named by file, line, stage and key.

use lapwing_core::{Code, Report};

use crate::sweep::{Fault, MAX_TRIALS};

/// Stages that a hint names.
const MOST_NAMED: usize = 12;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Io(#[from] std::io::Error),

    #[error("{file} is not valid {format}: line {line}: {message}")]
    Syntax {
        file: String,
        format: &'static str,
        line: usize,
        message: String,
    },

    /// `place` is the dotted path in the file: `stages.train.deps`.
    #[error("{file}, line {line}: {place}: {message}")]
    Definition {
        file: String,
        line: usize,
        place: String,
        message: String,
    },

    #[error("stages form a circle: {}", stages.join(" -> "))]
    Cycle { stages: Vec<String> },

    #[error("{path} is an output of both `{first}` and `{second}`")]
    DuplicateOutput {
        path: String,
        first: String,
        second: String,
    },

    #[error("output {inner} of `{second}` lies inside output {outer} of `{first}`")]
    OverlappingOutputs {
        outer: String,
        first: String,
        inner: String,
        second: String,
    },

    #[error("output {out} of stage `{stage}` overlaps with {path}, which {dvc_file} tracks")]
    TrackedOutput {
        stage: String,
        out: String,
        path: String,
        dvc_file: String,
    },

    #[error("stage `{stage}` both reads and makes {path}")]
    SelfDependency { stage: String, path: String },

    #[error("stage `{stage}` names {path} twice")]
    DuplicatePath { stage: String, path: String },

    #[error("there is no stage `{target}`")]
    UnknownTarget {
        target: String,
        nearest: Option<String>,
        /// Those that there are.
        stages: Vec<String>,
    },

    #[error("stage `{stage}` needs {path}, which does not exist")]
    MissingDependency { stage: String, path: String },

    #[error("stage `{stage}` ended without making {path}")]
    MissingOutput { stage: String, path: String },

    #[error("stage `{stage}` cannot use {path}: {message}")]
    UnsupportedPath {
        stage: String,
        path: String,
        message: &'static str,
    },

    #[error("stage `{stage}` needs parameters that {file} does not have: {}", keys.join(", "))]
    MissingParams {
        stage: String,
        file: String,
        keys: Vec<String>,
    },

    #[error("parameter file {file} does not exist")]
    MissingParamsFile { file: String },

    #[error("`{text}` is not a parameter change")]
    BadAssignment { text: String },

    #[error("`{text}` {fault}")]
    BadSweep { text: String, fault: Fault },

    #[error("no parameter is named whose values could be tried")]
    EmptySweep,

    #[error("{count} trials cannot be drawn: from 1 to {MAX_TRIALS} can")]
    BadDraw { count: usize },

    #[error("{file} has no place for `{key}`: {message}")]
    CannotSet {
        file: String,
        key: String,
        message: String,
    },

    #[error("no earlier run of stage `{stage}` with these inputs is in the cache")]
    NotCached { stage: String },

    #[error("folder {path} of stage `{stage}` does not exist")]
    MissingFolder { stage: String, path: String },

    #[error("{path} of stage `{stage}` is already tracked by git")]
    TrackedByGit { stage: String, path: String },

    #[error("there is no stage to export")]
    NothingToExport,

    #[error("stage `{stage}` names no image, and {engine} runs every stage in a container")]
    NoImage { stage: String, engine: &'static str },

    #[error(transparent)]
    Data(#[from] lapwing_data::Error),
}

impl Error {
    /// What a person or a script is told.
    #[must_use]
    pub fn report(&self) -> Report {
        if let Self::Data(error) = self {
            return error.report();
        }
        let (code, name) = self.kind();
        let report = Report::new(code, name, self.to_string());
        match self.advice() {
            Some(advice) => report.hint(advice),
            None => report,
        }
    }

    fn kind(&self) -> (Code, &'static str) {
        match self {
            Self::Io(_) => (Code::Failed, "pipeline.io"),
            Self::Syntax { .. } => (Code::Invalid, "pipeline.syntax"),
            Self::Definition { .. } => (Code::Invalid, "pipeline.definition"),
            Self::Cycle { .. } => (Code::Invalid, "pipeline.cycle"),
            Self::DuplicateOutput { .. } => (Code::Invalid, "pipeline.duplicate_output"),
            Self::OverlappingOutputs { .. } => (Code::Invalid, "pipeline.overlapping_outputs"),
            Self::TrackedOutput { .. } => (Code::Invalid, "pipeline.tracked_output"),
            Self::SelfDependency { .. } => (Code::Invalid, "pipeline.self_dependency"),
            Self::DuplicatePath { .. } => (Code::Invalid, "pipeline.duplicate_path"),
            Self::UnknownTarget { .. } => (Code::NotFound, "pipeline.unknown_stage"),
            Self::MissingDependency { .. } => (Code::Failed, "pipeline.missing_dependency"),
            Self::MissingOutput { .. } => (Code::Failed, "pipeline.missing_output"),
            Self::UnsupportedPath { .. } => (Code::Invalid, "pipeline.unsupported_path"),
            Self::MissingParams { .. } => (Code::Invalid, "pipeline.missing_params"),
            Self::MissingParamsFile { .. } => (Code::NotFound, "pipeline.missing_params_file"),
            Self::BadAssignment { .. } => (Code::Invalid, "pipeline.bad_assignment"),
            Self::BadSweep { .. } | Self::EmptySweep => (Code::Invalid, "pipeline.bad_sweep"),
            Self::BadDraw { .. } => (Code::Invalid, "sweep.random"),
            Self::CannotSet { .. } => (Code::Invalid, "pipeline.cannot_set"),
            Self::NotCached { .. } => (Code::NotFound, "pipeline.not_cached"),
            Self::MissingFolder { .. } => (Code::Failed, "pipeline.missing_folder"),
            Self::TrackedByGit { .. } => (Code::Conflict, "pipeline.tracked_by_git"),
            Self::NothingToExport => (Code::NotFound, "pipeline.empty"),
            Self::NoImage { .. } => (Code::Invalid, "pipeline.no_image"),
            Self::Data(_) => (Code::Failed, "pipeline.data"),
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::UnknownTarget {
                nearest, stages, ..
            } => Some(match nearest {
                Some(near) => format!("did you mean `{near}`? Stages: {}", listed(stages)),
                None => format!("stages: {}", listed(stages)),
            }),
            Self::MissingDependency { path, .. } => Some(format!(
                "get it with `lapwing data pull` or `lapwing data checkout`, or correct {path} in dvc.yaml"
            )),
            Self::MissingOutput { .. } => Some(
                "let the command write this path, or take it out of the stage's outputs".to_owned(),
            ),
            Self::MissingParams { file, .. } => Some(format!("add them to {file}")),
            Self::MissingParamsFile { file } => {
                Some(format!("create {file} in the project's root"))
            }
            Self::BadAssignment { .. } => {
                Some("write it as `train.lr=0.02` or `file.yaml:train.lr=0.02`".to_owned())
            }
            Self::BadSweep { fault, .. } => Some(fault.advice().to_owned()),
            Self::EmptySweep => Some(Fault::NoValues.advice().to_owned()),
            Self::BadDraw { .. } => Some("as in `--random 20`".to_owned()),
            Self::DuplicateOutput { .. } | Self::OverlappingOutputs { .. } => {
                Some("give each stage its own output path".to_owned())
            }
            Self::TrackedOutput { dvc_file, .. } => Some(format!(
                "give the stage another output path, or delete {dvc_file} if the stage makes this data now"
            )),
            Self::Cycle { .. } => Some("take one of these dependencies out of dvc.yaml".to_owned()),
            Self::TrackedByGit { path, .. } => Some(format!(
                "`git rm -r --cached {path}` leaves it to the cache; `cache: false` leaves it to git"
            )),
            Self::MissingFolder { .. } => {
                Some("create it, or correct `wdir` in dvc.yaml".to_owned())
            }
            Self::NotCached { .. } => Some("run the stage".to_owned()),
            Self::NothingToExport => {
                Some("write a stage into dvc.yaml that is not frozen".to_owned())
            }
            Self::NoImage { .. } => Some(
                "name one for all with --image, or in dvc.yaml: `meta: {lapwing: {image: NAME}}`"
                    .to_owned(),
            ),
            Self::Io(_)
            | Self::Data(_)
            | Self::Syntax { .. }
            | Self::Definition { .. }
            | Self::SelfDependency { .. }
            | Self::DuplicatePath { .. }
            | Self::UnsupportedPath { .. }
            | Self::CannotSet { .. } => None,
        }
    }
}

fn listed(stages: &[String]) -> String {
    let named: Vec<String> = stages
        .iter()
        .take(MOST_NAMED)
        .map(|stage| format!("`{stage}`"))
        .collect();
    let named = named.join(", ");
    match stages.len().saturating_sub(MOST_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
