//! Models, and what they answer.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::Place;

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
