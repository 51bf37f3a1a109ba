//! The metric that the trials of a sweep are compared by: whether anything is known to log it.

use std::collections::BTreeSet;

use lapwing_core::{Code, Report};
use lapwing_data::Project;
use lapwing_pipeline::{OutKind, Pipeline, nearest};
use lapwing_tracking::Search;

use crate::App;
use crate::error::Reported as _;
use crate::runs;
use crate::wire::Goal;

/// Newest runs of the project whose metrics are known.
const LOOKED_AT: u32 = 200;
/// Metrics that a hint names.
const MOST_NAMED: usize = 8;

/// That it can be the name of a metric at all.
pub(super) fn check(goal: Option<&Goal>) -> Result<(), Report> {
    match goal {
        Some(goal) if !lapwing_tracking::is_key(&goal.metric) => Err(Report::new(
            Code::Invalid,
            "sweep.goal",
            format!("nothing can be logged under the name `{}`", goal.metric),
        )
        .hint("name a metric that trials log, such as `auc`")),
        Some(_) | None => Ok(()),
    }
}

/// What there is to say of a metric that nothing here has ever had. A script may be about to log it for the first time.
pub(super) fn warning(
    app: &App,
    project: &Project,
    goal: Option<&Goal>,
) -> Result<Option<Report>, Report> {
    let Some(goal) = goal else { return Ok(None) };
    let pipeline = Pipeline::read(project).reported()?;
    let known = known(app, project, &pipeline)?;
    if known.is_empty() || known.contains(&goal.metric) {
        return Ok(None);
    }
    let near = nearest(&goal.metric, known.iter().map(String::as_str));
    if near.is_none() && has_unmade(project, &pipeline) {
        return Ok(None);
    }
    let report = Report::new(
        Code::NotFound,
        "sweep.unknown_metric",
        format!(
            "no run of this project has had a metric `{}`: without it no trial is the best",
            goal.metric
        ),
    );
    Ok(Some(report.hint(match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let named: Vec<String> = known
                .iter()
                .take(MOST_NAMED)
                .map(|key| format!("`{key}`"))
                .collect();
            let more = known.len().saturating_sub(MOST_NAMED);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            format!("runs have {}{more}", named.join(", "))
        }
    })))
}

/// Metrics of the files that dvc.yaml names, and of earlier runs.
fn known(app: &App, project: &Project, pipeline: &Pipeline) -> Result<BTreeSet<String>, Report> {
    let files = lapwing_pipeline::metrics(pipeline).reported()?;
    let mut known: BTreeSet<String> = files.into_iter().map(|metric| metric.key).collect();
    let search = Search {
        experiments: None,
        filter: runs::of_project(&project.root().display().to_string()),
        order_by: Vec::new(),
        max: Some(LOOKED_AT),
        page_token: None,
        view: lapwing_store::search::View::Active,
    };
    let page = app.tracking().search(&search).reported()?;
    known.extend(
        page.runs
            .into_iter()
            .flat_map(|run| run.metrics.into_keys()),
    );
    Ok(known)
}

/// A metrics file that is not there yet: nobody knows what it will hold.
fn has_unmade(project: &Project, pipeline: &Pipeline) -> bool {
    let stages = pipeline.stages().iter();
    stages
        .flat_map(|stage| stage.outs_of(OutKind::Metric))
        .any(|out| !project.root().join(&out.path).is_file())
}
