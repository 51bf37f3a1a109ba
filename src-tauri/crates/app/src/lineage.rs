//! Lineage: from one prediction back to the commit that made it, and forward to everything that came of it.

use std::collections::{BTreeMap, BTreeSet};

use lapwing_core::{Code, PredictionId, Report, RunId};
use lapwing_serving::predictions;
use lapwing_store::deployments as table;
use lapwing_tracking::{Run, RunInput};

use crate::error::Reported as _;
use crate::pipeline::{GIT, KEPT_BY};
use crate::runs::context;
use crate::scoring::{self, MODEL_RUN, SCORED};
use crate::wire::{Lineage, LineageEdge, LineageKind, LineageNode, Trace};
use crate::{App, projects, runs};

/// What is shown of a graph; a dataset that fed thousands of runs is cut.
const MAX_RUNS: usize = 200;
/// From so many characters on, the beginning of a data set's hash names it.
const SHORT_DIGEST: usize = 6;

/// How files of programs end.
const PROGRAMS: [&str; 12] = [
    "py", "ipynb", "r", "rmd", "jl", "sh", "sql", "scala", "java", "cpp", "rs", "js",
];

#[derive(Default)]
struct Graph {
    nodes: BTreeMap<String, LineageNode>,
    edges: BTreeSet<(String, String)>,
}

impl Graph {
    fn node(
        &mut self,
        id: &str,
        kind: LineageKind,
        title: String,
        detail: String,
    ) -> &mut LineageNode {
        self.nodes
            .entry(id.to_owned())
            .or_insert_with(|| LineageNode {
                id: id.to_owned(),
                kind,
                title,
                detail,
                at: None,
                route: None,
            })
    }

    fn edge(&mut self, from: &str, to: &str) {
        self.edges.insert((from.to_owned(), to.to_owned()));
    }

    fn finish(self, focus: String) -> Lineage {
        let mut nodes: Vec<LineageNode> = self.nodes.into_values().collect();
        nodes.sort_by_key(|node| (node.kind, node.at));
        let edges = self
            .edges
            .into_iter()
            .map(|(from, to)| LineageEdge { from, to })
            .collect();
        Lineage {
            focus,
            nodes,
            edges,
        }
    }
}

/// Everything that made the named thing, and everything that it made.
///
/// # Errors
/// When nothing has that id.
pub fn trace(app: &App, input: Trace) -> Result<Lineage, Report> {
    scoring::look(app)?;
    let id = input.id.trim();
    let mut graph = Graph::default();
    let focus = match find(app, id, input.project.as_deref(), &mut graph)? {
        Some(focus) => focus,
        None => {
            return Err(Report::new(Code::NotFound, "trace.unknown", format!("nothing here is called `{id}`"))
                .hint("a prediction id, run id, NAME@ALIAS, NAME/VERSION, deployment, data path, data hash or commit"));
        }
    };
    Ok(graph.finish(focus))
}

fn find(
    app: &App,
    id: &str,
    project: Option<&str>,
    graph: &mut Graph,
) -> Result<Option<String>, Report> {
    if let Some(focus) = prediction(app, id, graph)? {
        return Ok(Some(focus));
    }
    if let Ok(name) = id.parse()
        && table::get(app.store(), &name).reported()?.is_some()
    {
        deployment(
            app,
            &table::Deployment {
                ..table::get(app.store(), &name)
                    .reported()?
                    .ok_or_else(gone)?
            },
            graph,
        )?;
        return Ok(Some(format!("deployment:{name}")));
    }
    if id.contains('@') || id.contains('/') || id.starts_with("models:") {
        if let Ok(found) = app.tracking().resolve(id)
            && let (Some(name), Some(version)) = (found.name.clone(), found.version)
        {
            if let Some(run) = &found.run_id {
                of_run(app, run, graph)?;
            }
            version_node(app, &name, version, graph)?;
            return Ok(Some(format!("version:{name}/{version}")));
        }
    } else if let Ok(run) = runs::find(app, id) {
        of_run(app, &run, graph)?;
        return Ok(Some(format!("run:{run}")));
    }
    dataset_or_commit(app, id, project, graph)
}

fn gone() -> Report {
    Report::new(
        Code::NotFound,
        "deployment.unknown",
        "the deployment was removed just now",
    )
}

fn prediction(app: &App, id: &str, graph: &mut Graph) -> Result<Option<String>, Report> {
    let Ok(id) = id.parse::<PredictionId>() else {
        return Ok(None);
    };
    for row in table::list(app.store()).reported()? {
        let folder = app.workspace().deployment(&row.name);
        let Some(found) = predictions::find(&folder, &id).reported()? else {
            continue;
        };
        let focus = format!("prediction:{id}");
        let node = graph.node(
            &focus,
            LineageKind::Prediction,
            id.as_str().chars().take(8).collect(),
            format!("answered {}", found.prediction),
        );
        node.at = Some(found.at);
        let revision = format!("revision:{}/{}", row.name, found.revision);
        for known in table::revisions(app.store(), &row.name).reported()? {
            if known.number == found.revision {
                of_revision(app, &known, graph)?;
            }
        }
        graph.edge(&revision, &focus);
        return Ok(Some(focus));
    }
    Ok(None)
}

fn deployment(app: &App, row: &table::Deployment, graph: &mut Graph) -> Result<(), Report> {
    for revision in table::revisions(app.store(), &row.name).reported()? {
        of_revision(app, &revision, graph)?;
    }
    deployment_node(row.name.as_str(), graph);
    Ok(())
}

fn deployment_node(name: &str, graph: &mut Graph) {
    let node = graph.node(
        &format!("deployment:{name}"),
        LineageKind::Deployment,
        name.to_owned(),
        "endpoint".to_owned(),
    );
    node.route = Some(format!("/deployments/{name}"));
}

/// A revision, the version that it serves and what made that.
fn of_revision(app: &App, revision: &table::Revision, graph: &mut Graph) -> Result<(), Report> {
    let name = &revision.deployment;
    let id = revision_node(revision, graph);
    deployment_node(name.as_str(), graph);
    graph.edge(&id, &format!("deployment:{name}"));
    // A run id of another server is none of ours; a run that is gone has nothing to tell.
    let run: Option<RunId> = revision.run_id.as_deref().and_then(|id| id.parse().ok());
    if let Some(run) = run.filter(|run| app.tracking().run(run).is_ok()) {
        up(app, &run, graph)?;
        match revision.version {
            Some(version) => {
                version_only(&revision.model, version, graph);
                let version = format!("version:{}/{version}", revision.model);
                graph.edge(&format!("run:{run}"), &version);
                graph.edge(&version, &id);
            }
            None => graph.edge(&format!("run:{run}"), &id),
        }
    } else if let Some(version) = revision.version {
        version_only(&revision.model, version, graph);
        graph.edge(&format!("version:{}/{version}", revision.model), &id);
    }
    Ok(())
}

fn revision_node(revision: &table::Revision, graph: &mut Graph) -> String {
    let id = format!("revision:{}/{}", revision.deployment, revision.number);
    let title = format!("{} revision {}", revision.deployment, revision.number);
    let node = graph.node(
        &id,
        LineageKind::Revision,
        title,
        format!("{}, released by {}", revision.runtime, revision.released_by),
    );
    node.at = Some(revision.created);
    node.route = Some(format!("/deployments/{}", revision.deployment));
    id
}

fn version_only(name: &str, version: u32, graph: &mut Graph) {
    let id = format!("version:{name}/{version}");
    let node = graph.node(
        &id,
        LineageKind::ModelVersion,
        format!("{name} v{version}"),
        String::new(),
    );
    node.route = Some(format!("/models/{name}"));
}

/// A version and everything that serves or served it.
fn version_node(app: &App, name: &str, version: u32, graph: &mut Graph) -> Result<(), Report> {
    version_only(name, version, graph);
    let id = format!("version:{name}/{version}");
    for row in table::list(app.store()).reported()? {
        for revision in table::revisions(app.store(), &row.name).reported()? {
            if revision.model == name && revision.version == Some(version) {
                let node = revision_node(&revision, graph);
                graph.edge(&id, &node);
                deployment_node(row.name.as_str(), graph);
                graph.edge(&node, &format!("deployment:{}", row.name));
            }
        }
    }
    let scored = app
        .tracking()
        .runs_with(SCORED, &format!("{name}/{version}"));
    for run in scored.reported()?.iter().take(MAX_RUNS) {
        up(app, run, graph)?;
    }
    Ok(())
}

/// Of a run that scored rows with a model: that model, and what made it.
fn scored_with(app: &App, run: &Run, graph: &mut Graph) -> Result<(), Report> {
    let scored = run.tags.get(SCORED).and_then(|text| text.rsplit_once('/'));
    let version = scored.and_then(|(name, version)| Some((name, version.parse().ok()?))); // Only ours is written so.
    // A run of another server is none of ours; one that is gone has nothing to tell.
    let made_by: Option<RunId> = run.tags.get(MODEL_RUN).and_then(|id| id.parse().ok());
    let made_by = made_by.filter(|id| *id != run.id && app.tracking().run(id).is_ok());
    let mut last = None;
    if let Some(id) = &made_by {
        up(app, id, graph)?;
        last = Some(format!("run:{id}"));
    }
    if let Some((name, version)) = version {
        version_only(name, version, graph);
        let node = format!("version:{name}/{version}");
        if let Some(last) = last.replace(node.clone()) {
            graph.edge(&last, &node);
        }
    }
    if let Some(last) = last {
        graph.edge(&last, &format!("run:{}", run.id));
    }
    Ok(())
}

/// A run with what made it and what it made.
fn of_run(app: &App, run: &RunId, graph: &mut Graph) -> Result<(), Report> {
    up(app, run, graph)?;
    down(app, run, graph)
}

fn up(app: &App, id: &RunId, graph: &mut Graph) -> Result<(), Report> {
    let run: Run = app.tracking().run(id).reported()?;
    let node_id = format!("run:{id}");
    let best: Vec<String> = run
        .metrics
        .iter()
        .take(3)
        .map(|(key, point)| format!("{key} {:.3}", point.value))
        .collect();
    let node = graph.node(
        &node_id,
        LineageKind::Run,
        run.name.clone(),
        best.join(", "),
    );
    node.at = Some(run.start);
    node.route = Some(format!("/runs/{id}"));
    if let Some(commit) = run.tags.get("mlflow.source.git.commit") {
        let short: String = commit.chars().take(7).collect();
        let dirty = run
            .tags
            .get("lapwing.dirty")
            .is_some_and(|dirty| dirty == "true");
        let detail = if dirty {
            "with uncommitted changes"
        } else {
            ""
        };
        graph.node(
            &format!("commit:{commit}"),
            LineageKind::Commit,
            short,
            detail.to_owned(),
        );
        graph.edge(&format!("commit:{commit}"), &node_id);
    }
    for input in &run.inputs {
        let data = format!("data:{}", input.digest);
        let short: String = input.digest.chars().take(8).collect();
        let kind = if is_file(input) {
            LineageKind::File
        } else {
            LineageKind::Dataset
        };
        let node = graph.node(&data, kind, input.name.clone(), short);
        if node.kind == LineageKind::Dataset {
            node.route = Some("/data".to_owned());
        }
        let is_output = context(input, "mlflow.data.context").as_deref() == Some("output");
        let Some(stage) = context(input, "lapwing.stage") else {
            if is_output {
                graph.edge(&node_id, &data);
            } else {
                graph.edge(&data, &node_id);
            }
            continue;
        };
        let stage_id = format!("stage:{id}/{stage}");
        let node = graph.node(
            &stage_id,
            LineageKind::Stage,
            stage,
            "stage of the pipeline".to_owned(),
        );
        node.at = Some(run.start);
        node.route = Some("/pipeline".to_owned());
        if is_output {
            graph.edge(&stage_id, &data);
        } else {
            graph.edge(&data, &stage_id);
        }
        graph.edge(&stage_id, &node_id);
    }
    scored_with(app, &run, graph)
}

/// What a stage reads or makes that is no data: git keeps it, or it is a program that git is still to keep.
fn is_file(input: &RunInput) -> bool {
    let extension = std::path::Path::new(&input.name).extension();
    let is_program =
        extension.is_some_and(|end| PROGRAMS.iter().any(|known| end.eq_ignore_ascii_case(known)));
    is_program || context(input, KEPT_BY).as_deref() == Some(GIT)
}

fn down(app: &App, id: &RunId, graph: &mut Graph) -> Result<(), Report> {
    for model in app.tracking().models().reported()? {
        for version in app.tracking().versions(&model.name).reported()? {
            if version.run_id.as_deref() == Some(id.as_str()) {
                version_node(app, &version.name, version.version, graph)?;
                graph.edge(
                    &format!("run:{id}"),
                    &format!("version:{}/{}", version.name, version.version),
                );
            }
        }
    }
    Ok(())
}

/// The content of a file that no dataset has, such as the output of a scoring.
fn of_file(project: Option<&str>, id: &str) -> Result<Option<String>, Report> {
    let place = project.map_or_else(|| id.into(), |root| std::path::Path::new(root).join(id));
    if !place.is_absolute() || !place.is_file() {
        return Ok(None);
    }
    lapwing_data::file_id(&place, false, &mut |_| {})
        .map(Some)
        .reported()
}

/// Forward from a data set (its path or its hash) or from a commit.
fn dataset_or_commit(
    app: &App,
    id: &str,
    project: Option<&str>,
    graph: &mut Graph,
) -> Result<Option<String>, Report> {
    let mut digests = vec![id.to_owned()];
    if id.len() >= SHORT_DIGEST {
        digests.extend(app.tracking().digest_beginning(id).reported()?);
    }
    if let Some(root) = project {
        let project = projects::project(root)?;
        let rows = lapwing_data::status(&project).reported()?;
        let place = project
            .beneath(std::path::Path::new(id))
            .map(|path| project.relative(&path));
        digests.extend(
            rows.into_iter()
                .filter(|row| place.as_ref().is_ok_and(|place| *place == row.path))
                .filter_map(|row| row.out.md5),
        );
    }
    digests.extend(of_file(project, id)?);
    for digest in digests {
        let found = app.tracking().runs_with_input(&digest).reported()?;
        if !found.is_empty() {
            for run in found.iter().take(MAX_RUNS) {
                of_run(app, run, graph)?;
            }
            return Ok(Some(format!("data:{digest}")));
        }
    }
    let commit = project
        .and_then(|root| projects::project(root).ok()) // Without a project a commit must be written in full.
        .and_then(|project| project.resolve(id).ok())
        .map_or_else(|| id.to_owned(), |commit| commit.id);
    let found = app
        .tracking()
        .runs_with("mlflow.source.git.commit", &commit)
        .reported()?;
    for run in found.iter().take(MAX_RUNS) {
        of_run(app, run, graph)?;
    }
    Ok((!found.is_empty()).then(|| format!("commit:{commit}")))
}
