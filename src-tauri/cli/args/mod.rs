//! The command line's grammar: one enum of commands, and a file for the nouns of each part.

mod models;
mod monitors;
mod pipeline;
mod projects;
mod remotes;

pub use models::{Deploy, Deployments, ExportDeployment, Models, Package, Score};
pub use monitors::{Automations, Mode, Monitors};
pub use pipeline::{Engine, ExportPipeline, Jobs, Pipeline, Run, Runs, Sweep, TriggerPipeline};
pub use projects::{Data, Projects};
pub use remotes::{Credentials, Remotes};

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

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
