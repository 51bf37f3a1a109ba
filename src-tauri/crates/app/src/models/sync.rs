//! An experiment's runs, their artifacts and the versions that they made, both ways between here and an MLflow server. What is on both
//! sides stays as it is, so that syncing again moves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lapwing_core::{Code, RemoteKind, Report, RunId};
use lapwing_remote::Error;
use lapwing_remote::mlflow::{Mlflow, Run as RemoteRun};
use lapwing_store::search::View;
use lapwing_tracking::{Run, RunStatus, Search};

use super::package::{ARTIFACTS, RUN, Travelling};
use super::{mlflow, pull, push};
use crate::error::Reported as _;
use crate::remotes::connection_for;
use crate::transfers::{Journey, Line, Underway};
use crate::wire::{Cargo, Direction, PullModel, PushModel, SyncRemote, Synced};
use crate::{App, file, projects};

const PAGE: u32 = 1000;

/// Brings both sides to the same runs and versions.
///
/// # Errors
/// When there is no such remote, it is no MLflow server, or one of the sides cannot be read or written.
pub fn sync(app: &App, input: SyncRemote) -> Result<Synced, Report> {
    let with = connection_for(app, input.project.as_deref(), &input.name, |kind| {
        kind == RemoteKind::Mlflow
    })?;
    if with.kind != RemoteKind::Mlflow {
        return Err(Report::new(
            Code::Invalid,
            "remote.no_sync",
            format!("the {1} `{0}` keeps no runs", with.name, with.kind.title()),
        )
        .hint(
            "runs are synced with MLflow servers; models go elsewhere with `lapwing models push`",
        ));
    }
    let journey = Journey {
        project: None,
        direction: Direction::Sync,
        cargo: Cargo::Runs,
        name: None,
        remote: Some(input.name.clone()),
    };
    let underway = Underway::begin(app, journey);
    let mut done = Sync {
        line: underway.line(),
        server: Mlflow::new(with.client(app)?),
        project: input.project.clone(),
        remote: with.name,
        moved: Synced::default(),
    };
    for experiment in experiments(&input)? {
        done.experiment(&experiment)?;
    }
    Ok(done.moved)
}

/// Those that were named, or the project's own.
fn experiments(input: &SyncRemote) -> Result<Vec<String>, Report> {
    if !input.experiments.is_empty() {
        return Ok(input.experiments.clone());
    }
    let Some(project) = &input.project else {
        return Err(Report::new(
            Code::Invalid,
            "remote.sync_what",
            "this folder is no project, and no experiment is named",
        )
        .hint("name one: `lapwing remotes sync NAME --experiment EXPERIMENT`"));
    };
    let project = projects::project(project)?;
    let config = crate::config::Config::read(project.root())?;
    Ok(vec![projects::name_of(project.root(), &config)])
}

struct Sync<'a> {
    line: &'a Line,
    server: Mlflow,
    project: Option<String>,
    remote: String,
    moved: Synced,
}

/// The id that a run of the server has everywhere: its own, or that of the Lapwing which sent it.
fn id_of(run: &RemoteRun) -> &str {
    tag(run, RUN).unwrap_or(&run.info.run_id)
}

fn tag<'a>(run: &'a RemoteRun, key: &str) -> Option<&'a str> {
    let found = run.data.tags.iter().find(|tag| tag.key == key);
    found.map(|tag| tag.value.as_str())
}

/// Whether the server has its artifacts: it began there, or whoever sent it says so.
fn whole(run: &RemoteRun) -> bool {
    tag(run, RUN).is_none() || tag(run, ARTIFACTS).is_some()
}

fn has_ended(run: &RemoteRun) -> bool {
    RunStatus::parse(&run.info.status).is_ok_and(ended)
}

fn ended(status: RunStatus) -> bool {
    match status {
        RunStatus::Running | RunStatus::Scheduled => false,
        RunStatus::Finished | RunStatus::Failed | RunStatus::Killed => true,
    }
}

impl Sync<'_> {
    fn experiment(&mut self, name: &str) -> Result<(), Report> {
        let line = self.line;
        line.say(&format!("Comparing the runs of {name}"));
        let known = line.work(self.server.find_experiment(name))?;
        let theirs = match &known {
            Some(id) => line.work(self.server.runs(id))?,
            None => Vec::new(),
        };
        let ours = runs_here(line.app(), name)?;
        let there: BTreeMap<&str, &RemoteRun> =
            theirs.iter().map(|run| (id_of(run), run)).collect();
        let sent = ours.iter().filter(|run| !run.deleted && ended(run.status));
        for run in sent {
            self.send(name, run, there.get(run.id.as_str()).copied())?;
        }
        let here: BTreeMap<&str, &Run> = ours.iter().map(|run| (run.id.as_str(), run)).collect();
        for run in theirs.iter().filter(|run| has_ended(run)) {
            self.take(run, here.get(id_of(run)).copied())?;
        }
        let ids: Vec<String> = theirs.iter().map(|run| run.info.run_id.clone()).collect();
        self.take_versions(&ids)?;
        let ids: BTreeSet<String> = runs_here(line.app(), name)?
            .iter()
            .map(|run| run.id.to_string())
            .collect();
        self.send_versions(&ids)
    }

    /// A run of ours, and its artifacts where they are not there yet.
    fn send(
        &mut self,
        experiment: &str,
        run: &Run,
        there: Option<&RemoteRun>,
    ) -> Result<(), Report> {
        let (line, app) = (self.line, self.line.app());
        // One that began elsewhere is sent with its artifacts by whoever has them.
        let began_here = !run.tags.contains_key(RUN);
        if there.is_some_and(|there| !began_here || whole(there)) {
            return Ok(());
        }
        let folder = app.tracking().artifact_folder(&run.id).reported()?;
        let files = if folder.is_dir() {
            line.files(&folder)?
        } else {
            Vec::new()
        };
        let travelling = Travelling::of(app, run)?;
        let server = &self.server;
        let work = async {
            let experiment = server.experiment(experiment).await?;
            let theirs = mlflow::send_run(server, &experiment, &travelling).await?;
            let uri = &theirs.info.artifact_uri;
            let sent = if files.is_empty() {
                (0, 0)
            } else {
                mlflow::upload(line, server, uri, &files).await?
            };
            // Last, because it says that the artifacts are there.
            let count = files.len().to_string();
            server
                .set_tag(&theirs.info.run_id, ARTIFACTS, &count)
                .await?;
            Ok::<_, Error>(sent)
        };
        let (files, bytes) = line.work(work)?;
        self.moved.runs_pushed.push(run.id.to_string());
        self.count(files, bytes);
        Ok(())
    }

    fn count(&mut self, files: usize, bytes: u64) {
        self.moved.files += u32::try_from(files).unwrap_or(u32::MAX);
        self.moved.bytes.0 += bytes;
    }

    /// A run of the server, and its artifacts where they are not here yet.
    fn take(&mut self, run: &RemoteRun, here: Option<&Run>) -> Result<(), Report> {
        let (line, app) = (self.line, self.line.app());
        let complete = here.is_some_and(|here| {
            let began_here = tag(run, RUN).is_some() && !here.tags.contains_key(RUN);
            here.deleted || began_here || here.tags.contains_key(ARTIFACTS) || !whole(run)
        });
        if complete {
            return Ok(());
        }
        let travelling = line.work(mlflow::run(&self.server, &run.info.run_id))?;
        let Some(travelling) = travelling else {
            return Ok(()); // Deleted in between.
        };
        let Some(id) = travelling.take_in(app)? else {
            return Ok(()); // Not under an id that runs have here.
        };
        if whole(run) {
            let (files, bytes) = self.take_artifacts(run, &id)?;
            let mark = (ARTIFACTS.to_owned(), files.to_string());
            app.tracking()
                .log(&id, Vec::new(), Vec::new(), vec![mark])
                .reported()?;
            self.count(files, bytes);
        }
        self.moved.runs_pulled.push(id.to_string());
        Ok(())
    }

    fn take_artifacts(&self, run: &RemoteRun, id: &RunId) -> Result<(usize, u64), Report> {
        let (line, app) = (self.line, self.line.app());
        let folder = app
            .workspace()
            .root()
            .join("arriving")
            .join(format!("run-{id}"));
        fs_err::create_dir_all(&folder).map_err(|error| file::unwritable(&folder, &error))?;
        let work = async {
            match mlflow::fetch_all(line, &self.server, &run.info.artifact_uri, &folder).await {
                // A run without artifacts may have no place for them either.
                Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        };
        line.work(work)?;
        let files = line.files(&folder)?;
        for one in &files {
            app.tracking()
                .log_artifact(id, Path::new(&one.on_disk), &one.path)
                .reported()?;
        }
        fs_err::remove_dir_all(&folder).map_err(|error| file::unwritable(&folder, &error))?;
        Ok((files.len(), files.iter().map(|file| file.size).sum()))
    }

    fn take_versions(&mut self, run_ids: &[String]) -> Result<(), Report> {
        let line = self.line;
        let there = line.work(self.server.versions_of(run_ids))?;
        for version in there {
            let address = format!("{}:{}/{}", self.remote, version.name, version.version);
            let pulled = pull::take(
                line,
                PullModel {
                    project: self.project.clone(),
                    address: address.clone(),
                    name: Some(version.name.clone()),
                    alias: None,
                },
            )?;
            if pulled.new {
                self.moved.versions_pulled.push(address);
            }
        }
        Ok(())
    }

    fn send_versions(&mut self, run_ids: &BTreeSet<String>) -> Result<(), Report> {
        let (line, app) = (self.line, self.line.app());
        for model in app.tracking().models().reported()? {
            let mut versions = app.tracking().versions(&model.name).reported()?;
            versions.sort_by_key(|version| version.version);
            let ours = versions.into_iter().filter(|version| {
                let run = version.run_id.as_deref();
                run.is_some_and(|run| run_ids.contains(run))
            });
            for version in ours {
                let pushed = push::send(
                    line,
                    PushModel {
                        project: self.project.clone(),
                        model: format!("{}/{}", version.name, version.version),
                        remote: self.remote.clone(),
                        name: None,
                        alias: None,
                    },
                )?;
                if pushed.new {
                    self.count(pushed.files as usize, pushed.bytes.0);
                    self.moved.versions_pushed.push(pushed.address);
                }
            }
        }
        Ok(())
    }
}

/// All runs of an experiment that are here, the deleted ones too: what was deleted does not come back.
fn runs_here(app: &App, experiment: &str) -> Result<Vec<Run>, Report> {
    let all = app.tracking().experiments().reported()?;
    let Some(found) = all.into_iter().find(|one| one.name == experiment) else {
        return Ok(Vec::new());
    };
    let mut found_runs = Vec::new();
    let mut token = None;
    loop {
        let search = Search {
            experiments: Some(vec![found.id]),
            filter: String::new(),
            order_by: Vec::new(),
            max: Some(PAGE),
            page_token: token,
            view: View::All,
        };
        let page = app.tracking().search(&search).reported()?;
        found_runs.extend(page.runs);
        match page.next {
            Some(next) => token = Some(next),
            None => return Ok(found_runs),
        }
    }
}
