//! Pipelines: runs, sweeps, and what they become elsewhere.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::Place;

#[derive(Debug, Args)]
pub struct Run {
    /// Only these stages and what they need.
    pub stages: Vec<String>,
    /// Run even what is fresh.
    #[arg(short, long)]
    pub force: bool,
    /// Show what would run and why, and run nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Where the commands run.
    #[arg(long = "in", value_enum, default_value = "process")]
    pub place: Place,
    /// Run the stages on this remote: an ssh host, a Docker host, a Slurm, Kubernetes or Ray cluster.
    #[arg(long, value_name = "REMOTE", conflicts_with = "place")]
    pub on: Option<String>,
    /// Show what would travel to another machine, with sizes and why, and run nothing.
    #[arg(long)]
    pub list_upload: bool,
    /// Set a parameter first: `train.rate=0.05`, or `file.yaml:key=value`.
    #[arg(short = 'S', long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Start it and return; it goes on by itself.
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Args)]
pub struct Sweep {
    /// Only these stages and what they need.
    pub stages: Vec<String>,
    /// A parameter with its values: `train.rate=0.1,0.2`, `train.depth=range(2, 9)`; with --random also `train.rate=uniform(0, 1)` or
    /// `log_uniform(1e-4, 1e-1)`.
    #[arg(short = 'S', long = "set", value_name = "KEY=VALUES", required = true)]
    pub values: Vec<String>,
    /// So many trials, drawn at random; every combination without it.
    #[arg(long, value_name = "TRIALS")]
    pub random: Option<u32>,
    /// Another one draws other trials.
    #[arg(long, requires = "random")]
    pub seed: Option<u32>,
    /// Compare by this metric; more is better.
    #[arg(long, value_name = "METRIC", conflicts_with = "min")]
    pub max: Option<String>,
    /// Compare by this metric; less is better.
    #[arg(long, value_name = "METRIC")]
    pub min: Option<String>,
    /// Trials that go on at once: without it one, or 16 where a queue or a cluster says when each begins.
    #[arg(long, value_name = "TRIALS")]
    pub at_once: Option<u32>,
    /// Where the commands run.
    #[arg(long = "in", value_enum, default_value = "process")]
    pub place: Place,
    /// Run the stages on this remote; in Slurm as an array.
    #[arg(long, value_name = "REMOTE", conflicts_with = "place")]
    pub on: Option<String>,
    /// Show the trials, and run nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Start it and return; it goes on by itself.
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Subcommand)]
pub enum Pipeline {
    /// Print the pipeline as a file for another engine.
    Export(ExportPipeline),
    /// Start the exported pipeline on an engine and watch it there.
    Trigger(TriggerPipeline),
}

#[derive(Debug, Args)]
pub struct TriggerPipeline {
    /// A remote of that kind; it must have the exported DAG already.
    #[arg(
        long,
        value_name = "REMOTE",
        required_unless_present = "kubeflow",
        conflicts_with = "kubeflow"
    )]
    pub airflow: Option<String>,
    /// A remote of that kind; it gets the specification with the run.
    #[arg(long, value_name = "REMOTE")]
    pub kubeflow: Option<String>,
    /// The engine's name of the pipeline; the project's without it.
    #[arg(long)]
    pub name: Option<String>,
    /// Set a parameter for this run: `train.rate=0.05`, or `file.yaml:key=value`.
    #[arg(short = 'S', long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Image of stages that name none.
    #[arg(long)]
    pub image: Option<String>,
    /// Where the project lies in Kubeflow's images; `/project` without it.
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<String>,
    /// Start it and return; it goes on by itself.
    #[arg(long)]
    pub detach: bool,
    /// Watch a run that was started before, and start none.
    #[arg(long, value_name = "ID", conflicts_with_all = ["set", "detach"])]
    pub run: Option<String>,
}

#[derive(Debug, Args)]
pub struct ExportPipeline {
    /// Which engine.
    #[arg(long, value_enum)]
    pub to: Engine,
    /// Write it here instead: a file, or a folder that is there.
    #[arg(long, value_hint = ValueHint::AnyPath)]
    pub out: Option<PathBuf>,
    /// The engine's name of the pipeline; the project's without it.
    #[arg(long)]
    pub name: Option<String>,
    /// Five fields as in cron, or `none`. Without it, that of the project's automations.
    #[arg(long, value_name = "CRON")]
    pub schedule: Option<String>,
    /// Where the project lies for the stages; without it here, and in Kubeflow's images `/project`.
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<String>,
    /// Image of stages that name none in `meta: {lapwing: {image: NAME}}`.
    #[arg(long)]
    pub image: Option<String>,
    /// How often a failed stage is tried again.
    #[arg(long, default_value_t = 1)]
    pub retries: u32,
    /// A tag of the DAG. Can be given again.
    #[arg(long = "tag")]
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Engine {
    /// A DAG file.
    Airflow,
    /// A specification for Kubeflow Pipelines 2.
    Kubeflow,
}

#[derive(Debug, Subcommand)]
pub enum Runs {
    /// Newest runs of this project, or of all; a sweep's trials are folded under it.
    List {
        /// Those of every project.
        #[arg(long)]
        all: bool,
        /// Also the trials of sweeps, and other runs that belong under one. With --json they are always there, each with its
        /// `parent`.
        #[arg(long)]
        trials: bool,
        /// So many at most.
        #[arg(long, default_value_t = 20)]
        max: u32,
    },
    /// One run: parameters, metrics, data, jobs, models; of a sweep its trials.
    Show {
        /// The beginning of its id is enough.
        run_id: String,
    },
    /// Runs side by side.
    Compare {
        /// The beginnings of their ids are enough.
        #[arg(required = true, num_args = 2..)]
        run_ids: Vec<String>,
    },
    /// Runs that a filter finds, in MLflow's grammar: "metrics.auc > 0.7".
    Search {
        /// Comparisons, joined by `and`: "params.model = 'gbm' and metrics.auc > 0.7".
        filter: String,
        /// What they are sorted by: "metrics.auc DESC". Can be given again.
        #[arg(long, value_name = "KEY")]
        order_by: Vec<String>,
        /// So many at most.
        #[arg(long, default_value_t = 100)]
        max: u32,
    },
    /// Go on with a run that waits because the project was changed, with what is here now.
    Resume {
        /// The beginning of its id is enough.
        run_id: String,
        /// Do not follow it.
        #[arg(long)]
        detach: bool,
    },
    /// Tell how a run or a sweep that goes on goes, as the command that began it did; Ctrl-C ends it.
    Follow {
        /// The beginning of its id is enough.
        run_id: String,
    },
    /// End a run that is going on, or waits.
    Stop {
        /// The beginning of its id is enough.
        run_id: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// Newest first.
    List {
        /// Also those before the newest 500.
        #[arg(long)]
        all: bool,
    },
    /// What a job printed.
    Logs {
        /// The beginning of its id is enough.
        id: String,
        /// Go on until it ends.
        #[arg(short, long)]
        follow: bool,
    },
    /// End a job and everything that it started.
    Stop {
        /// The beginning of its id is enough.
        id: String,
    },
}
