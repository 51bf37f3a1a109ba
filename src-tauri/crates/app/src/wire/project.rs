//! Wire types of projects, the overview and what the whole window needs.

use lapwing_core::{Report, Timestamp};
use serde::{Deserialize, Serialize};
use specta::Type;

use super::count::Count;
use super::pipeline::WaitingRun;

/// Names a project by the path of its folder.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct InProject {
    pub project: String,
}

/// Nothing to say.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, Type)]
pub struct Nothing {}

/// A project that was opened before.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ProjectSummary {
    /// The absolute path of the folder: its identity everywhere in the window.
    pub path: String,
    pub name: String,
    pub opened: Timestamp,
    /// False when the folder is gone.
    pub exists: bool,
    /// Commands of this project may run: the user said so, or it is Lapwing's own sample.
    pub trusted: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ProjectDetail {
    pub path: String,
    pub name: String,
    pub trusted: bool,
    pub branch: Option<String>,
    /// Short id of the commit at HEAD.
    pub commit: Option<String>,
    pub commit_message: Option<String>,
    /// Tracked files differ from HEAD.
    pub dirty: bool,
    /// `None` without a branch or a git remote.
    pub git: Option<GitPosition>,
    /// What is wrong with `lapwing.toml`, if anything.
    pub config_error: Option<Report>,
}

/// Where the branch stands against its git remote, as of the last exchange.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct GitPosition {
    pub branch: String,
    pub remote: String,
    /// `origin/main`; `None` when the branch is not there yet.
    pub upstream: Option<String>,
    /// Commits that are only here.
    pub ahead: Count,
    /// Commits that are only there.
    pub behind: Count,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct ExchangeProject {
    pub project: String,
    /// The branch's own without one, else `origin`, else the only one.
    pub remote: Option<String>,
}

/// What a fetch, pull or push did.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Exchanged {
    /// Afterwards.
    pub position: GitPosition,
    /// So many went, or came.
    pub commits: Count,
    /// What came names other data than before: its content is fetched with `data.pull`.
    pub data: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct OpenProject {
    pub path: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct CreateSample {
    /// Where to create it; `None` lets Lapwing choose a free folder below the home folder.
    pub path: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct CloneProject {
    pub url: String,
    pub path: String,
}

/// The state of one station of the lap; each has one colour and one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum StationState {
    Empty,
    Running,
    Good,
    Stale,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Noun {
    Data,
    Pipeline,
    Runs,
    Models,
    Deployments,
    Monitors,
    Automations,
}

/// One station of the lap on the overview.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Station {
    pub noun: Noun,
    pub state: StationState,
    /// The one figure that matters, rounded for people: `2 datasets`, `AUC 0.803`, `2 of 12 drifted`.
    pub figure: String,
    /// A few words under it: which run, which version, which reason.
    pub detail: String,
    /// When this last changed.
    pub at: Option<Timestamp>,
}

/// The next sensible action, drawn as a button.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NextAction {
    AddData,
    Run { stale: u32 },
    FollowRun { run_id: String },
    Deploy { model_uri: String, name: String },
    OpenMonitor { deployment: String },
    Retrain { policy: String },
    Nothing,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Overview {
    pub project: ProjectDetail,
    /// In the order of the lap: data, pipeline, runs, models, deployments, monitors, automations.
    pub stations: Vec<Station>,
    /// The one thing that needs attention, in a sentence; `None` when nothing does.
    pub attention: Option<String>,
    pub waiting: Option<WaitingRun>,
    pub next: NextAction,
}

/// One row of the command palette's answer.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Found {
    pub noun: Noun,
    pub title: String,
    pub detail: String,
    /// The path inside the window, e.g. `/runs/0f…`.
    pub route: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Find {
    pub project: Option<String>,
    pub query: String,
}

/// One line of `lapwing doctor`.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Check {
    pub name: String,
    pub state: CheckState,
    /// What was found: a version, a path, or what is missing.
    pub found: String,
    /// How to get it.
    pub hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    Ok,
    /// Works without it, with less.
    Optional,
    Missing,
}

#[derive(Debug, Clone, Serialize, Deserialize, Type)]
pub struct Status {
    pub version: String,
    pub workspace: String,
    pub workspace_bytes: Count,
    /// Address of the tracking server that answers now, if one does.
    pub tracking_url: Option<String>,
    pub docker: bool,
    pub running_jobs: u32,
    pub open_alerts: u32,
    /// The user's home folder, to shorten paths in the window.
    pub home: String,
}
