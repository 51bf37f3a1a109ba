//! The command line's grammar.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use lapwing_core::RemoteKind;

/// The whole life of a machine-learning model, on your own machine.
#[derive(Debug, Parser)]
#[command(
    name = "lapwing",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    /// Print one JSON document on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// Work in this folder instead of the current one.
    #[arg(short = 'C', long = "project", global = true, value_hint = ValueHint::DirPath)]
    pub project: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make this folder a project: git and DVC layout if missing, and lapwing.toml.
    Init {
        /// The folder; the current one without it.
        path: Option<PathBuf>,
    },
    /// Create a project from the bundled sample, clone one, or list those opened before.
    #[command(subcommand)]
    Projects(Projects),
    /// Datasets and their versions.
    #[command(subcommand)]
    Data(Data),
    /// What changed in data and pipeline; exit code 1 when something did.
    Status {
        /// Print nothing, only set the exit code.
        #[arg(short, long)]
        quiet: bool,
    },
    /// Run the stages that are stale, in order.
    Run(Run),
    /// Run the pipeline with many values of its parameters, and compare what comes out.
    Sweep(Sweep),
    /// The pipeline for other engines.
    #[command(subcommand)]
    Pipeline(Pipeline),
    /// Tracked runs.
    #[command(subcommand)]
    Runs(Runs),
    /// Commands that run or ran, here or on another machine.
    #[command(subcommand)]
    Jobs(Jobs),
    /// Registered models.
    #[command(subcommand)]
    Models(Models),
    /// Serve a model as an endpoint; prints its URL when it answers.
    Deploy(Deploy),
    /// Endpoints.
    #[command(subcommand)]
    Deployments(Deployments),
    /// Send the rows of a file to an endpoint.
    Predict {
        /// The endpoint.
        name: String,
        /// CSV, Parquet or JSON lines.
        #[arg(long, value_hint = ValueHint::FilePath)]
        data: PathBuf,
        /// Write the predictions here as CSV instead of printing them.
        #[arg(long, value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
    },
    /// Score the rows of a file with a model, as a job; needs no endpoint.
    Score(Score),
    /// Drift, quality, latency and accuracy of endpoints.
    #[command(subcommand)]
    Monitors(Monitors),
    /// Policies that retrain, gate, release and roll back.
    #[command(subcommand)]
    Automations(Automations),
    /// Other people's storage, registries and machines.
    #[command(subcommand)]
    Remotes(Remotes),
    /// From a prediction, run, model, dataset or commit to everything that made it and that it made.
    Trace {
        /// A prediction id, run id, NAME@ALIAS, NAME/VERSION, endpoint, data path, data hash or commit.
        id: String,
    },
    /// Host the services without a window: MLflow API, monitors, automations.
    Server(Server),
    /// What is missing on this machine, and how to get it.
    Doctor,
    /// Once around the loop on the bundled sample, printing each step.
    Demo(Demo),
    /// Print a completion script for a shell.
    Completions {
        /// Which one.
        shell: Shell,
    },
    /// Supervise one job.
    #[command(name = "__supervise", hide = true)]
    Supervise { folder: PathBuf },
    /// Run one pipeline run's stages.
    #[command(name = "__run", hide = true)]
    Runner { run_id: String },
    /// Carry out one sweep.
    #[command(name = "__sweep", hide = true)]
    Sweeper { run_id: String },
    /// Serve one deployment.
    #[command(name = "__gateway", hide = true)]
    Gateway {
        folder: PathBuf,
        #[arg(long)]
        bind: Option<String>,
        /// The image's own deployment.
        #[arg(long)]
        from: Option<PathBuf>,
        #[arg(long, env = "LAPWING_ENDPOINT_TOKEN", hide_env_values = true)]
        token: Option<String>,
    },
    /// Carry out one scoring.
    #[command(name = "__score", hide = true)]
    Scorer { folder: PathBuf },
    /// Carry out one automation.
    #[command(name = "__automation", hide = true)]
    Automation {
        project: PathBuf,
        name: String,
        /// What its trigger saw.
        #[arg(long)]
        because: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Place {
    /// As a process of this machine.
    Process,
    /// In a container of the Docker engine here.
    Docker,
}

#[derive(Debug, Subcommand)]
pub enum Projects {
    /// Projects opened before.
    List,
    /// Remember a folder as a project and trust its commands.
    Open {
        /// The folder; the current one without it.
        path: Option<PathBuf>,
    },
    /// Clone a project from a git URL.
    Clone {
        /// What `git clone` takes.
        url: String,
        /// A folder that is not there yet.
        path: PathBuf,
    },
    /// Bring the commits of the git remote here; files stay as they are.
    Fetch {
        /// Its name in git; that of the branch, or `origin`, without it.
        #[arg(short, long)]
        remote: Option<String>,
    },
    /// Fetch, and go forward to what the git remote has; merges nothing.
    Pull {
        /// Its name in git; that of the branch, or `origin`, without it.
        #[arg(short, long)]
        remote: Option<String>,
    },
    /// Send the branch's commits to the git remote.
    Push {
        /// Its name in git; that of the branch, or `origin`, without it.
        #[arg(short, long)]
        remote: Option<String>,
    },
    /// Create the bundled sample `flight-delays`.
    Sample {
        /// Where it is made; in the home folder without it.
        path: Option<PathBuf>,
    },
    /// Take a project off the list; its folder stays.
    Forget {
        /// The project's folder.
        path: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum Data {
    /// Track files or folders as a new version.
    Add {
        /// They stay where they are.
        #[arg(required = true, value_hint = ValueHint::AnyPath)]
        paths: Vec<PathBuf>,
        /// Commit the version with this message.
        #[arg(short, long)]
        message: Option<String>,
    },
    /// What differs from the tracked version; exit code 1 when something does.
    Status,
    /// Bring the tracked versions back into the folder.
    Checkout {
        /// Only these; all without them.
        paths: Vec<PathBuf>,
        /// Overwrite files whose content is nowhere else.
        #[arg(short, long)]
        force: bool,
    },
    /// Versions of a dataset, newest first.
    Log {
        /// The dataset's file or folder.
        path: PathBuf,
    },
    /// What changed between two commits, or between one and the folder.
    Diff {
        /// A commit, branch or tag.
        from: String,
        /// Another one; the folder without it.
        to: Option<String>,
    },
    /// First rows of a CSV or Parquet file.
    Preview {
        /// CSV or Parquet.
        file: PathBuf,
        /// So many rows.
        #[arg(long, default_value_t = 10)]
        rows: u32,
        /// Pass over so many rows first.
        #[arg(long, default_value_t = 0)]
        offset: u64,
    },
    /// Types, nulls, distinct values, quantiles and histograms of a file's columns.
    Profile {
        /// CSV or Parquet.
        file: PathBuf,
    },
    /// Send tracked content to a remote.
    Push {
        /// Only these; everything tracked without them.
        paths: Vec<PathBuf>,
        /// The storage; the project's default one without it.
        #[arg(short, long)]
        remote: Option<String>,
    },
    /// Fetch tracked content from a remote and check it out.
    Pull {
        /// Only these; everything tracked without them.
        paths: Vec<PathBuf>,
        /// The storage; the project's default one without it.
        #[arg(short, long)]
        remote: Option<String>,
    },
}

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

#[derive(Debug, Subcommand)]
pub enum Models {
    /// Names, newest versions and aliases.
    List,
    /// A model's versions: aliases, runs, and what serves them.
    Show {
        /// The model.
        name: String,
    },
    /// Point an alias at a version: `lapwing models alias flight-delays champion 3`.
    Alias {
        /// The model.
        name: String,
        /// A word such as `champion`.
        alias: String,
        /// The version that it points at from now on.
        // Not called `version` for clap: that is the name of its own flag.
        #[arg(id = "number", value_name = "VERSION")]
        version: Option<u32>,
        /// Remove the alias.
        #[arg(long)]
        delete: bool,
    },
    /// Send a version with its run to a registry elsewhere. A second time changes nothing.
    Push {
        /// `NAME@ALIAS` or `NAME/VERSION`.
        model: String,
        /// The registry: an MLflow server, an OCI registry, or the Hugging Face Hub.
        remote: String,
        /// Its name there.
        #[arg(long = "as")]
        name: Option<String>,
        /// Point this alias there at it.
        #[arg(long)]
        alias: Option<String>,
    },
    /// Fetch a version with its run from a registry elsewhere. A second time changes nothing.
    Pull {
        /// `REMOTE:NAME`, `REMOTE:NAME@ALIAS` or `REMOTE:NAME/VERSION`.
        address: String,
        /// Its name here.
        #[arg(long = "as")]
        name: Option<String>,
        /// Point this alias here at it.
        #[arg(long)]
        alias: Option<String>,
    },
    /// What a registry elsewhere has.
    Search {
        /// The registry.
        remote: String,
        /// Part of a name.
        #[arg(default_value = "")]
        text: String,
    },
    /// Make a version from a run's model, a folder or a URI.
    Register {
        /// The beginning of a run's id, `runs:/ID/model`, `NAME@ALIAS`, or a folder with an MLmodel file.
        source: String,
        /// The model that it becomes a version of; made where there is none.
        #[arg(long)]
        name: String,
        /// Point this alias at it.
        #[arg(long)]
        alias: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct Deploy {
    /// `NAME@ALIAS`, `models:/NAME/3`, `runs:/ID/model`, or a folder with an MLmodel file. What is left out is taken from
    /// lapwing.toml's [[deployment]].
    pub model: Option<String>,
    /// What the endpoint is called.
    #[arg(long)]
    pub name: Option<String>,
    /// Where it answers on this machine; a new endpoint gets a free one without it, and without a word in lapwing.toml.
    #[arg(long)]
    pub port: Option<u16>,
    /// `process` without it, and without a word in lapwing.toml.
    #[arg(long = "in", value_enum)]
    pub place: Option<Place>,
}

#[derive(Debug, Args)]
pub struct Score {
    /// `NAME@ALIAS`, `NAME/3`, `REMOTE:NAME@ALIAS`, or a folder with an MLmodel file.
    pub model: String,
    /// CSV, Parquet or JSON lines: a file, or a folder with files of one kind.
    #[arg(long, value_hint = ValueHint::AnyPath, value_name = "PATH")]
    pub data: PathBuf,
    /// Its columns and the predictions go here, when all of it is whole: .csv, .tsv or .parquet.
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "FILE")]
    pub out: PathBuf,
    /// Where it runs.
    #[arg(long = "in", value_enum, default_value = "process")]
    pub place: Place,
    /// Run it on this remote: an ssh host, a Docker host, a Slurm, Kubernetes or Ray cluster.
    #[arg(long, value_name = "REMOTE", conflicts_with = "place")]
    pub on: Option<String>,
    /// Show what would travel to another machine, with sizes and why, and run nothing.
    #[arg(long)]
    pub list_upload: bool,
    /// Start it and return; it goes on by itself.
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Subcommand)]
pub enum Deployments {
    /// Endpoints, whether they answer, and where.
    List,
    /// One endpoint: its address, revisions and limits.
    Show {
        /// The endpoint.
        name: String,
    },
    /// Start a stopped endpoint again.
    Start {
        /// The endpoint.
        name: String,
    },
    /// Let it answer no more requests. Its revisions and prediction log stay.
    Stop {
        /// The endpoint.
        name: String,
    },
    /// Serve an earlier revision again.
    Rollback {
        /// The endpoint.
        name: String,
        /// The one before, without it.
        revision: Option<u32>,
    },
    /// What the gateway printed.
    Logs {
        /// The endpoint.
        name: String,
    },
    /// The endpoint for other machines: an image with the model in it, and what starts it there.
    Export(ExportDeployment),
    /// Build that image and push it to a registry; prints what `docker pull` takes.
    Push {
        /// The endpoint.
        name: String,
        /// An OCI registry, or `REMOTE:REPOSITORY`.
        remote: String,
    },
    /// Stop it and remove its revisions and prediction log.
    Remove {
        /// The endpoint.
        name: String,
    },
}

#[derive(Debug, Args)]
pub struct ExportDeployment {
    /// The endpoint.
    pub name: String,
    /// What it becomes.
    #[arg(long, value_enum)]
    pub to: Package,
    /// Write everything that belongs to it into this folder; without it, the text is printed.
    #[arg(long, value_hint = ValueHint::DirPath, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// What the image is called where it is pulled from; `NAME:rREVISION` without it.
    #[arg(long)]
    pub image: Option<String>,
    /// Base of the image.
    #[arg(long)]
    pub base: Option<String>,
    /// Of Kubernetes; without it, the one that kubectl takes.
    #[arg(long)]
    pub namespace: Option<String>,
    /// So many pods.
    #[arg(long, default_value_t = 1)]
    pub replicas: u32,
    /// Limit of memory.
    #[arg(long, value_name = "GIB", default_value_t = 2.0)]
    pub memory: f64,
    /// Where KServe finds the MLflow model: its own runtime serves it, and no image is needed.
    #[arg(long, value_name = "URI")]
    pub storage_uri: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Package {
    /// A Docker build context.
    Image,
    /// A build context with a `compose.yaml`.
    Compose,
    /// A Deployment and a Service.
    Kubernetes,
    /// An InferenceService.
    Kserve,
}

#[derive(Debug, Subcommand)]
pub enum Monitors {
    /// Endpoints that are watched, and how they do.
    List,
    /// Drift, quality, performance and alerts of one endpoint.
    Show {
        /// The endpoint.
        name: String,
        /// What the checks found over time instead.
        #[arg(long)]
        history: bool,
    },
    /// Join the truth to logged predictions: a file with `prediction_id` and `label`.
    Labels {
        /// The endpoint.
        name: String,
        /// CSV or Parquet.
        file: PathBuf,
    },
    /// Compare two files, column by column.
    Drift {
        /// What is taken for normal: CSV or Parquet.
        #[arg(long)]
        reference: PathBuf,
        /// What is compared with it.
        #[arg(long)]
        current: PathBuf,
        /// How a column is judged.
        #[arg(long, value_enum, default_value = "corrected")]
        mode: Mode,
        /// Only these columns.
        #[arg(long, value_delimiter = ',')]
        columns: Vec<String>,
    },
    /// Alerts that are open, or all of them.
    Alerts {
        /// Also those that are over.
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Mode {
    /// Tests that fit the columns, held to one error rate for all of them together.
    Corrected,
    /// Evidently's own tests and limits.
    Evidently,
}

#[derive(Debug, Subcommand)]
pub enum Automations {
    /// Policies of the project's lapwing.toml.
    List,
    /// One policy and its last decisions.
    Show {
        /// The policy.
        name: String,
    },
    /// Retrain, gate and release now, whatever the trigger says.
    Run {
        /// The policy.
        name: String,
    },
    /// The audit trail.
    Log,
}

#[derive(Debug, Subcommand)]
pub enum Remotes {
    /// The project's, your own, and those that other programs on this machine know.
    List,
    /// Name a connection. An https:// address is asked what it is.
    Add {
        /// What it is called from now on.
        name: String,
        /// A path, s3://bucket/folder, https://server, ssh://user@host, …
        address: String,
        /// What answers there, when the address does not say: mlflow, hugging-face, oci, storage, …
        #[arg(short, long)]
        kind: Option<RemoteKind>,
        /// Use it where data is pushed and none is named.
        #[arg(short, long)]
        default: bool,
        #[command(flatten)]
        login: Credentials,
        /// A setting of its kind, such as namespace=ml. Can be given again.
        #[arg(short, long = "option", value_name = "KEY=VALUE", value_parser = key_value)]
        options: Vec<(String, String)>,
    },
    /// Bring runs, artifacts and model versions to the same state here and at an MLflow server. A second time moves nothing.
    Sync {
        /// The MLflow server.
        name: String,
        /// Another experiment than the project's. Can be given again.
        #[arg(short, long = "experiment", value_name = "EXPERIMENT")]
        experiments: Vec<String>,
    },
    /// Keep a password or token for a remote, in the keychain.
    Login {
        /// The remote; `git:NAME` where one of git and a storage share it.
        name: String,
        #[command(flatten)]
        login: Credentials,
    },
    /// Say whether a remote can be reached and lets you in, and if not, why.
    Test {
        /// The remote.
        name: String,
    },
    /// Forget a connection and its credential. What lies there stays.
    Remove {
        /// The remote.
        name: String,
    },
}

/// Secrets are never arguments: other users of a machine can read those.
#[derive(Debug, Args)]
pub struct Credentials {
    /// User, or access key; without it the secret is a token.
    #[arg(short, long)]
    pub user: Option<String>,
    /// Read the password, token or secret key from standard input.
    #[arg(long)]
    pub secret_stdin: bool,
}

/// `key=value` of an option.
fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

#[derive(Debug, Args)]
pub struct Server {
    /// The address that it listens on.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,
    /// 0 chooses a free one.
    #[arg(long, default_value_t = 5000)]
    pub port: u16,
    /// Clients must send it; required when the host is not loopback.
    #[arg(long, env = "LAPWING_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Also serve the window's pages, for a machine without a screen.
    #[arg(long, value_hint = ValueHint::DirPath, value_name = "FOLDER", num_args = 0..=1)]
    // Not given, given without a folder, given with one.
    pub ui: Option<Option<PathBuf>>,
    /// Look at monitors and automations every so many seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400), value_name = "SECONDS")]
    pub every: u64,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Where the sample project is made; `~/lapwing-demo` without it.
    pub path: Option<PathBuf>,
    /// Do not open the window at the end.
    #[arg(long)]
    pub no_window: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn every_command_has_a_grammar_that_clap_accepts() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_argument_that_is_shown_says_what_it_is_for() {
        let mut silent = Vec::new();
        find_silent(&super::Cli::command(), "lapwing", &mut silent);
        assert_eq!(silent, Vec::<String>::new(), "these have no help");
    }

    fn find_silent(command: &clap::Command, path: &str, silent: &mut Vec<String>) {
        if command.get_about().is_none() {
            silent.push(path.to_owned());
        }
        let arguments = command.get_arguments();
        let without_help = arguments.filter(|argument| argument.get_help().is_none());
        silent.extend(without_help.map(|argument| format!("{path} {}", argument.get_id())));
        for inner in command
            .get_subcommands()
            .filter(|inner| !inner.is_hide_set())
        {
            find_silent(inner, &format!("{path} {}", inner.get_name()), silent);
        }
    }
}
