//! The command line: parse, call the core, present. One file per noun, and `print` for how things look.
//!
//! No decision about models or data is taken here: a rule that the window would need too belongs into the core.

mod args;
mod automations;
mod data;
mod demo;
mod deployments;
mod doctor;
mod jobs;
mod models;
mod monitors;
mod pipeline;
mod print;
mod projects;
mod remotes;
mod runs;
mod score;
mod server;
mod sweep;
mod trace;
mod transfer;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use lapwing_app::App;
use lapwing_core::{Code, Report};

use args::{Cli, Command};
use print::Output;

/// What a verb answers: 0 done, 1 something changed or failed without being an error.
type Done = Result<ExitCode, Report>;

/// Everything a verb needs besides its own arguments.
pub struct Context {
    pub app: App,
    pub out: Output,
    /// The folder that the command is about: `-C`, or the current one.
    pub folder: PathBuf,
}

impl Context {
    /// The project that the folder belongs to, as its absolute path.
    pub fn project(&self) -> Result<String, Report> {
        lapwing_app::projects::locate(&self.folder)
    }

    /// The same, or `None` where there is no project: for verbs that work without one.
    pub fn project_if_any(&self) -> Option<String> {
        // Any reason not to find one means the same here: there is none.
        lapwing_app::projects::locate(&self.folder).ok()
    }

    /// A path from the command line, made absolute below the folder of the command.
    pub fn path(&self, path: &Path) -> PathBuf {
        if path.is_absolute() {
            path.to_owned()
        } else {
            self.folder.join(path)
        }
    }

    pub fn path_text(&self, path: &Path) -> String {
        self.path(path).display().to_string()
    }
}

/// Parses the arguments, runs the verb and turns what went wrong into an exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    let out = if cli.json {
        Output::Json
    } else {
        Output::Words
    };
    match run(cli, out) {
        Ok(code) => code,
        Err(report) => {
            out.report(&report);
            ExitCode::from(report.exit_code())
        }
    }
}

/// Help and version as they are; wrong usage in words, and as JSON too where that was asked for.
fn unparsed(error: &clap::Error) -> ExitCode {
    let asked_for_json = std::env::args_os().any(|argument| argument == "--json");
    if error.use_stderr() && asked_for_json {
        let words = error.render().to_string();
        let message = match error.kind() {
            // Its words are the help.
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a command is missing",
            _ => words
                .lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: "),
        };
        let report = Report::new(Code::Invalid, "cli.usage", message)
            .hint("`lapwing help` lists the commands, `--help` after one its arguments");
        print::line(&serde_json::json!({ "error": report }).to_string());
    }
    // A closed pipe wants no more words.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn run(cli: Cli, out: Output) -> Done {
    let command = match cli.command {
        Command::Completions { shell } => {
            let mut command = Cli::command();
            clap_complete::generate(shell, &mut command, "lapwing", &mut std::io::stdout());
            return Ok(ExitCode::SUCCESS);
        }
        Command::Supervise { folder } => {
            return lapwing_app::process::supervise(&folder).map(|()| ExitCode::SUCCESS);
        }
        Command::Gateway {
            folder,
            bind,
            from,
            token,
        } => {
            let image = from.map(|from| lapwing_app::process::Image { from, token });
            return lapwing_app::process::gateway(&folder, bind.as_deref(), image.as_ref())
                .map(|()| ExitCode::SUCCESS);
        }
        other => other,
    };
    let folder = working_folder(cli.project)?;
    let app = App::open(lapwing_app::Options::from_environment()?)?;
    let context = Context { app, out, folder };
    verb(&context, command)
}

fn verb(context: &Context, command: Command) -> Done {
    match command {
        Command::Init { path } => projects::init(context, path),
        Command::Projects(verb) => projects::run(context, verb),
        Command::Data(verb) => data::run(context, verb),
        Command::Status { quiet } => pipeline::status(context, quiet),
        Command::Run(arguments) => pipeline::run(context, arguments),
        Command::Sweep(arguments) => sweep::run(context, arguments),
        Command::Pipeline(args::Pipeline::Trigger(arguments)) => {
            pipeline::trigger(context, arguments)
        }
        Command::Pipeline(args::Pipeline::Export(arguments)) => {
            pipeline::export(context, arguments)
        }
        Command::Runs(verb) => runs::run(context, verb),
        Command::Jobs(verb) => jobs::run(context, verb),
        Command::Models(verb) => models::run(context, verb),
        Command::Deploy(arguments) => deployments::deploy(context, arguments),
        Command::Deployments(verb) => deployments::run(context, verb),
        Command::Predict { name, data, out } => {
            deployments::predict(context, &name, &data, out.as_deref())
        }
        Command::Score(arguments) => score::run(context, arguments),
        Command::Monitors(verb) => monitors::run(context, verb),
        Command::Automations(verb) => automations::run(context, verb),
        Command::Remotes(verb) => remotes::run(context, verb),
        Command::Trace { id } => trace::run(context, id),
        Command::Server(arguments) => server::run(context, arguments),
        Command::Doctor => doctor::run(context),
        Command::Demo(arguments) => demo::run(context, &arguments),
        Command::Runner { run_id } => {
            lapwing_app::pipeline::carry_out(&context.app, &run_id).map(|()| ExitCode::SUCCESS)
        }
        Command::Sweeper { run_id } => {
            lapwing_app::pipeline::carry_out_sweep(&context.app, &run_id)
                .map(|()| ExitCode::SUCCESS)
        }
        Command::Scorer { folder } => score::carry_out(context, &folder),
        Command::Automation {
            project,
            name,
            because,
        } => {
            let project = project.display().to_string();
            lapwing_app::automations::carry_out(&context.app, &project, &name, because.as_deref())
                .map(|()| ExitCode::SUCCESS)
        }
        Command::Completions { .. } | Command::Supervise { .. } | Command::Gateway { .. } => {
            unreachable!("these three are answered before the workspace is opened")
        }
    }
}

fn working_folder(given: Option<PathBuf>) -> Result<PathBuf, Report> {
    let current = std::env::current_dir().map_err(|error| {
        Report::new(
            Code::Failed,
            "cli.no_folder",
            format!("the current folder cannot be used: {error}"),
        )
        .hint("change to a folder that exists")
    })?;
    let folder = given.map_or(current.clone(), |given| current.join(given));
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Report::new(
        Code::NotFound,
        "cli.no_folder",
        format!("there is no folder {}", folder.display()),
    )
    .hint("check the path after -C"))
}
