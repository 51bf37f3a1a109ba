//! `lapwing demo`: once around the loop on the bundled sample, each step with its result and its time.
//!
//! A second call shows what the first one made and repeats nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anstyle::AnsiColor;
use lapwing_app::frames::{self, Rows};
use lapwing_app::wire::{
    AddData, CreateSample, Deploy, DeploymentRef, DeploymentState, InProject, ListRuns,
    MonitorView, Nothing, OpenProject, ReadMonitor, RegisterModel, RunRow, StartRun, Target,
};
use lapwing_app::{
    automations, data, deployments, models, monitors, pipeline, projects, runs, sample,
};
use lapwing_core::{Code, DeploymentName, Report, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Context, Done, args, print};

const POLICY: &str = "retrain-when-worse";
/// Months after the first training that are played; the year has more.
const MONTHS: usize = 5;
/// Rows sent for each month, spread over all of it.
const ROWS_PER_MONTH: usize = 6000;

/// What a month showed, kept for the next call.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Month {
    name: String,
    version: u32,
    auc: Option<f64>,
    drifted: u32,
    columns: u32,
    rows: usize,
    decision: Option<String>,
}

struct Demo<'a> {
    context: &'a Context,
    project: String,
    name: DeploymentName,
}

pub fn run(context: &Context, arguments: &args::Demo) -> Done {
    let folder = match &arguments.path {
        Some(path) => context.path(path),
        None => home()?.join("lapwing-demo").join(sample::NAME),
    };
    let name = super::deployments::name(sample::NAME)?;
    title("Project");
    let project = project(context, &folder)?;
    let demo = Demo {
        context,
        project,
        name,
    };
    demo.data()?;
    let first = demo.train(Target::Process)?;
    let docker = demo.docker_answers()?;
    if docker {
        forgiven("train in Docker", demo.train_in_docker());
    }
    demo.register(&first)?;
    demo.deploy()?;
    if docker {
        forgiven("the same in Docker", demo.deploy_in_docker());
    }
    let months = demo.months()?;
    demo.table(&months);
    demo.answer()?;
    demo.farewell(arguments.no_window)?;
    Ok(ExitCode::SUCCESS)
}

fn home() -> Result<PathBuf, Report> {
    std::env::home_dir().ok_or_else(|| {
        Report::new(
            Code::Missing,
            "demo.no_home",
            "this user has no home folder",
        )
        .hint("name a folder: lapwing demo PATH")
    })
}

fn title(text: &str) {
    print::line("");
    print::line(&print::bold(text));
}

/// Runs a step and says what came of it, and how long it took.
fn step<T>(what: &str, work: impl FnOnce() -> Result<(T, String), Report>) -> Result<T, Report> {
    let begun = Instant::now();
    let (value, said) = work()?;
    let took = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
    print::line(&format!(
        "{} {what}: {said} {}",
        print::paint("✓", AnsiColor::Green),
        print::dim(&print::duration(took))
    ));
    Ok(value)
}

/// Containers are an extra: what fails there is said, and the rest goes on.
fn forgiven(what: &str, done: Result<(), Report>) {
    if let Err(report) = done {
        print::line(&format!(
            "{} {what}: {}",
            print::paint("○", AnsiColor::Yellow),
            report.message
        ));
    }
}

fn project(context: &Context, folder: &Path) -> Result<String, Report> {
    let path = folder.display().to_string();
    step("sample project", || {
        if folder.join("lapwing.toml").is_file() {
            let project = projects::open(&context.app, OpenProject { path })?;
            projects::trust(
                &context.app,
                InProject {
                    project: project.path.clone(),
                },
            )?;
            return Ok((
                project.path.clone(),
                format!("{} (there already)", project.path),
            ));
        }
        let project = projects::create_sample(&context.app, CreateSample { path: Some(path) })?;
        Ok((project.path.clone(), project.path))
    })
}

impl Demo<'_> {
    fn app(&self) -> &lapwing_app::App {
        &self.context.app
    }

    fn in_project(&self) -> InProject {
        InProject {
            project: self.project.clone(),
        }
    }

    fn data(&self) -> Result<(), Report> {
        title("Data");
        let input = AddData {
            project: self.project.clone(),
            paths: vec!["data/raw".to_owned()],
            message: None,
        };
        step("data/raw as a version", || {
            let added = data::add(self.app(), input)?;
            let row = added.first().cloned();
            let said = row.map_or(String::new(), |row| {
                format!(
                    "{} files, {}, content {}",
                    row.files.map_or(1, |files| files.0),
                    print::bytes(row.size.0),
                    print::short(&row.hash)
                )
            });
            Ok(((), said))
        })
    }

    /// Runs the pipeline where something is stale, and answers the newest run.
    fn train(&self, target: Target) -> Result<RunRow, Report> {
        title(if target == Target::Docker {
            "Pipeline, in Docker"
        } else {
            "Pipeline: clean → features → train → evaluate"
        });
        step("run", || {
            let input = StartRun {
                project: self.project.clone(),
                target,
                ..StartRun::default()
            };
            if let Some(run_id) = pipeline::start(self.app(), input)?.run_id {
                self.follow(&run_id)?;
            }
            let row = self.newest_run()?;
            let auc = row.metrics.get("auc").copied();
            let said = format!(
                "{} {}, AUC on days that training never saw {}",
                row.name,
                print::short(row.run_id.as_str()),
                print::number(auc)
            );
            Ok((row, said))
        })
    }

    fn follow(&self, run_id: &lapwing_core::RunId) -> Result<(), Report> {
        let ended = pipeline::follow(self.app(), run_id, &|progress| match progress {
            pipeline::Progress::Note { text } => print::talk(&print::dim(&format!("  {text}"))),
            pipeline::Progress::Ended { stage, took_ms, .. } => {
                print::talk(&print::dim(&format!(
                    "  {stage} {}",
                    print::duration(took_ms)
                )));
            }
            pipeline::Progress::Started { .. }
            | pipeline::Progress::Doing { .. }
            | pipeline::Progress::Output { .. } => {}
        })?;
        if runs::is_over(ended) && ended == lapwing_app::wire::RunStatus::Finished {
            Ok(())
        } else {
            Err(pipeline::failure(self.app(), run_id))
        }
    }

    fn newest_run(&self) -> Result<RunRow, Report> {
        let input = ListRuns {
            project: Some(self.project.clone()),
            filter: Some("status = 'FINISHED'".to_owned()),
            max: Some(1),
            ..ListRuns::default()
        };
        runs::list(self.app(), input)?.rows.into_iter().next().ok_or_else(|| {
            Report::new(Code::Failed, "demo.no_run", "the pipeline is up to date, but no run of it is known here")
                .hint("the workspace is another one than before: use a new folder, `lapwing demo PATH`")
        })
    }

    fn docker_answers(&self) -> Result<bool, Report> {
        Ok(lapwing_app::doctor::status(self.app(), Nothing {})?.docker)
    }

    /// The training stage once more, in a container: the same command, the same run page.
    fn train_in_docker(&self) -> Result<(), Report> {
        let filter = "tags.`lapwing.target` = 'docker' and status = 'FINISHED'";
        let known = ListRuns {
            project: Some(self.project.clone()),
            filter: Some(filter.to_owned()),
            max: Some(1),
            ..ListRuns::default()
        };
        title("The same training in Docker");
        step("train", || {
            if let Some(row) = runs::list(self.app(), known)?.rows.first() {
                return Ok(((), format!("{} (there already)", row.name)));
            }
            let input = StartRun {
                project: self.project.clone(),
                stages: vec!["train".to_owned()],
                force: true,
                target: Target::Docker,
                on: None,
                ..StartRun::default()
            };
            let Some(run_id) = pipeline::start(self.app(), input)?.run_id else {
                return Ok(((), "nothing to run".to_owned()));
            };
            self.follow(&run_id)?;
            Ok((
                (),
                format!(
                    "run {} in a container without privileges",
                    print::short(run_id.as_str())
                ),
            ))
        })
    }

    fn register(&self, run: &RunRow) -> Result<(), Report> {
        title("Model");
        step("registered", || {
            let known = models::list(self.app(), Nothing {})?
                .into_iter()
                .find(|model| model.name == sample::NAME);
            if let Some(model) = known {
                return Ok((
                    (),
                    format!("{} has {} versions", model.name, model.versions),
                ));
            }
            let source = format!("runs:/{}", run.run_id);
            let input = RegisterModel {
                name: sample::NAME.to_owned(),
                source,
                alias: Some("champion".to_owned()),
            };
            let version = models::register(self.app(), input)?;
            Ok((
                (),
                format!(
                    "{} v{} @champion, from run {}",
                    sample::NAME,
                    version.version,
                    run.name
                ),
            ))
        })
    }

    fn deploy(&self) -> Result<(), Report> {
        title("Deployment");
        step("endpoint", || {
            let known = deployments::list(self.app(), Nothing {})?
                .into_iter()
                .find(|row| row.name == self.name);
            let row = match known {
                Some(row) if row.state == DeploymentState::Running => row,
                Some(_) => deployments::start(
                    self.app(),
                    DeploymentRef {
                        name: self.name.clone(),
                    },
                )?,
                None => {
                    let input = self.deploy_input(self.name.clone(), Target::Process);
                    deployments::deploy(self.app(), &input, Path::new(&self.project), &|text| {
                        print::talk(&print::dim(&format!("  {text}")))
                    })?
                }
            };
            let detail = deployments::get(
                self.app(),
                DeploymentRef {
                    name: self.name.clone(),
                },
            )?;
            let why = detail
                .revisions
                .iter()
                .find(|revision| revision.traffic > 0.0)
                .map(|revision| revision.runtime_note.clone());
            let said = format!(
                "{} in {} ({})",
                row.url.unwrap_or_default(),
                row.runtime,
                why.unwrap_or_default()
            );
            Ok(((), said))
        })
    }

    fn deploy_input(&self, name: DeploymentName, target: Target) -> Deploy {
        Deploy {
            model: format!("{}@champion", sample::NAME),
            name,
            port: None,
            target: Some(target),
            project: Some(self.project.clone()),
        }
    }

    /// The same gateway in a container: deployed, asked once, and stopped again.
    fn deploy_in_docker(&self) -> Result<(), Report> {
        let name = super::deployments::name("flight-delays-docker")?;
        step("the same in Docker", || {
            if deployments::list(self.app(), Nothing {})?
                .iter()
                .any(|row| row.name == name)
            {
                return Ok(((), "there already".to_owned()));
            }
            let input = self.deploy_input(name.clone(), Target::Docker);
            let row = deployments::deploy(self.app(), &input, Path::new(&self.project), &|text| {
                print::talk(&print::dim(&format!("  {text}")))
            })?;
            let example =
                deployments::get(self.app(), DeploymentRef { name: name.clone() })?.example;
            let input = lapwing_app::wire::Predict {
                name: name.clone(),
                records: serde_json::json!([example]),
            };
            let answer = deployments::predict(self.app(), input)?;
            deployments::stop(self.app(), DeploymentRef { name: name.clone() })?;
            Ok((
                (),
                format!(
                    "{} answered {} with {}, stopped again",
                    row.url.unwrap_or_default(),
                    answer.status,
                    answer.body["predictions"]
                ),
            ))
        })
    }

    fn memory(&self) -> PathBuf {
        Path::new(&self.project).join(".dvc/tmp/lapwing-demo.json")
    }

    /// Month by month: live predictions, the truth, what the monitor says, and what the policy does about it.
    fn months(&self) -> Result<Vec<Month>, Report> {
        title("Live predictions, month by month");
        let mut done: Vec<Month> = frames::read_json(&self.memory())?.unwrap_or_default();
        for file in sample::later().into_iter().take(MONTHS) {
            if done.iter().any(|month| month.name == file) {
                continue;
            }
            let month = self.month(file)?;
            done.push(month);
            frames::write_json(&self.memory(), &done)?;
        }
        Ok(done)
    }

    fn month(&self, file: &str) -> Result<Month, Report> {
        let since = Timestamp::now();
        let (view, rows) = step(&label(file), || {
            let raw = Path::new(&self.project).join("data/raw").join(file);
            sample::write_later(file, &raw)?;
            let rows = self.features(&raw)?;
            let sent = self.send(&rows)?;
            let until = Timestamp(Timestamp::now().0 + 1);
            let view = monitors::get(
                self.app(),
                ReadMonitor {
                    name: self.name.clone(),
                    since: Some(since),
                    until: Some(until),
                },
            )?;
            let said = format!(
                "{sent} predictions, AUC {}, {} of {} columns drifted",
                print::number(auc(&view)),
                view.row.drifted,
                view.row.columns
            );
            Ok(((view, sent), said))
        })?;
        let detail = deployments::get(
            self.app(),
            DeploymentRef {
                name: self.name.clone(),
            },
        )?;
        let mut month = Month {
            name: file.to_owned(),
            version: detail.row.model_version.unwrap_or(0),
            auc: auc(&view),
            drifted: view.row.drifted,
            columns: view.row.columns,
            rows,
            decision: None,
        };
        if let Some(reason) = automations::due(self.app(), &self.project, POLICY)? {
            month.decision = Some(self.automation(&reason)?);
        }
        Ok(month)
    }

    /// The model's rows of a raw month, made by the project's own code.
    fn features(&self, raw: &Path) -> Result<Rows, Report> {
        let folder = Path::new(&self.project);
        let out = folder.join(".dvc/tmp/lapwing-demo-rows.parquet");
        let python = folder.join(if cfg!(windows) {
            ".venv/Scripts/python.exe"
        } else {
            ".venv/bin/python"
        });
        let output = Command::new(python)
            .arg("src/features.py")
            .arg("--month")
            .arg(raw)
            .arg("--out")
            .arg(&out)
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| {
                Report::new(
                    Code::Failed,
                    "demo.features",
                    format!("src/features.py cannot be started: {error}"),
                )
            })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr)
                .lines()
                .last()
                .unwrap_or_default()
                .to_owned();
            return Err(Report::new(
                Code::Failed,
                "demo.features",
                format!("src/features.py failed: {said}"),
            ));
        }
        frames::rows(&out, ROWS_PER_MONTH)
    }

    /// Sends rows, then their truth; flights that never landed have none.
    fn send(&self, rows: &Rows) -> Result<usize, Report> {
        let answer = deployments::predict_frame(self.app(), &self.name, rows.frame())?;
        let truth = rows.texts("late")?;
        let labels = answer
            .rows
            .iter()
            .zip(truth)
            .filter_map(|(row, truth)| Some((row.prediction_id.parse().ok()?, truth?))) // Our own ids always parse.
            .collect::<Vec<_>>();
        monitors::join(self.app(), &self.name, &labels)?;
        monitors::check(self.app(), &self.name)?;
        Ok(answer.rows.len())
    }

    fn automation(&self, reason: &str) -> Result<String, Report> {
        print::line(&format!(
            "  {} {reason}",
            print::paint("▸", AnsiColor::Yellow)
        ));
        let rows = automations::run_now(self.app(), &self.project, POLICY, &|text| {
            print::talk(&print::dim(&format!("    {text}")))
        })?;
        let last = rows.last().map_or(String::new(), |row| row.message.clone());
        for row in &rows {
            print::line(&format!("    {}", row.message));
        }
        Ok(last)
    }

    fn table(&self, months: &[Month]) {
        title("What the gateway logged");
        let rows: Vec<Vec<String>> = months
            .iter()
            .map(|month| {
                vec![
                    label(&month.name),
                    month.rows.to_string(),
                    format!("v{}", month.version),
                    print::number(month.auc),
                    format!("{} of {}", month.drifted, month.columns),
                    month.decision.clone().unwrap_or_default(),
                ]
            })
            .collect();
        print::table(
            &[
                "month",
                "predictions",
                "model",
                "AUC",
                "drifted",
                "and then",
            ],
            &rows,
        );
    }

    /// The endpoint says itself which version answers.
    fn answer(&self) -> Result<(), Report> {
        title("The endpoint now");
        step("one prediction", || {
            let detail = deployments::get(
                self.app(),
                DeploymentRef {
                    name: self.name.clone(),
                },
            )?;
            let input = lapwing_app::wire::Predict {
                name: self.name.clone(),
                records: serde_json::json!([detail.example]),
            };
            let answer = deployments::predict(self.app(), input)?;
            let version = detail
                .row
                .model_version
                .map_or(String::new(), |version| format!(" v{version}"));
            let said = format!(
                "{}{version} (revision {}) answers {} in {:.1} ms",
                detail.row.model,
                detail.row.revision.unwrap_or(0),
                answer.body["predictions"],
                answer.latency_ms
            );
            Ok(((), said))
        })
    }

    fn farewell(&self, no_window: bool) -> Result<(), Report> {
        let detail = deployments::get(
            self.app(),
            DeploymentRef {
                name: self.name.clone(),
            },
        )?;
        print::line("");
        print::line(&format!(
            "The endpoint goes on: {}",
            detail.row.url.unwrap_or_default()
        ));
        print::line(&format!("Its end: lapwing deployments stop {}", self.name));
        let policies = automations::list(self.app(), self.in_project())?;
        print::line(&format!("Policies that watch it: {}", policies.len()));
        let window = std::env::current_exe()
            .ok()
            .map(|program| program.with_file_name("lapwing-desktop")); // Unknown: no window.
        let window = window.filter(|program| program.is_file());
        let display = ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        match window {
            Some(program) if display && !no_window => {
                let started = Command::new(program)
                    .arg(&self.project)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn();
                started.map_err(|error| {
                    Report::new(
                        Code::Failed,
                        "demo.window",
                        format!("the window cannot be started: {error}"),
                    )
                })?;
                print::line("The window opens on this project.");
            }
            _ => print::line(&format!(
                "See it in the window: lapwing-desktop '{}' (it needs a display)",
                self.project
            )),
        }
        Ok(())
    }
}

fn auc(view: &MonitorView) -> Option<f64> {
    view.performance
        .iter()
        .rev()
        .find_map(|point| point.metrics.get("auc").copied())
}

/// `March 2013` of `flights-2013-03.parquet`.
fn label(file: &str) -> String {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let digits: Vec<&str> = file.trim_end_matches(".parquet").split('-').collect();
    match digits.as_slice() {
        [_, year, month] => {
            let name = month
                .parse::<usize>()
                .ok()
                .and_then(|month| NAMES.get(month.wrapping_sub(1))); // No month: the name itself.
            name.map_or_else(|| file.to_owned(), |name| format!("{name} {year}"))
        }
        _ => file.to_owned(),
    }
}
