//! `lapwing init`, `lapwing projects …`.

use std::path::PathBuf;
use std::process::ExitCode;

use lapwing_app::projects;
use lapwing_app::wire::{
    CloneProject, CreateSample, ExchangeProject, Exchanged, GitPosition, InProject, Nothing,
    OpenProject, ProjectDetail,
};
use lapwing_core::Report;

use super::args::Projects;
use super::transfer::of_commits;
use super::{Context, Done, print};

pub fn init(context: &Context, path: Option<PathBuf>) -> Done {
    let path = path.map_or_else(
        || context.folder.display().to_string(),
        |path| context.path_text(&path),
    );
    let project = projects::init(&context.app, OpenProject { path })?;
    told(context, &project, "Initialised")
}

pub fn run(context: &Context, verb: Projects) -> Done {
    let app = &context.app;
    match verb {
        Projects::List => list(context),
        Projects::Open { path } => {
            let path = path.map_or_else(
                || context.folder.display().to_string(),
                |path| context.path_text(&path),
            );
            let project = projects::open(app, OpenProject { path })?;
            let project = projects::trust(
                app,
                InProject {
                    project: project.path,
                },
            )?;
            told(context, &project, "Opened")
        }
        Projects::Clone { url, path } => {
            let path = context.path_text(&path);
            let input = CloneProject { url, path };
            let project = of_commits(context, |app| projects::clone(app, input))?;
            told(context, &project, "Cloned")
        }
        Projects::Fetch { remote } => {
            let input = exchange(context, remote)?;
            let done = of_commits(context, |app| projects::fetch(app, input))?;
            context.out.answer(&done, |done| {
                print::line(&stand(&done.position));
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Projects::Pull { remote } => {
            let input = exchange(context, remote)?;
            let done = of_commits(context, |app| projects::pull(app, input))?;
            context.out.answer(&done, say_pulled)?;
            Ok(ExitCode::SUCCESS)
        }
        Projects::Push { remote } => {
            let input = exchange(context, remote)?;
            let done = of_commits(context, |app| projects::push(app, input))?;
            context.out.answer(&done, |done| {
                let count = commits(done.commits.0);
                match done.commits.0 {
                    0 => print::line(&stand(&done.position)),
                    _ => print::line(&format!("Pushed {count} to {}", place(&done.position))),
                }
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Projects::Sample { path } => {
            let path = path.map(|path| context.path_text(&path));
            let project = projects::create_sample(app, CreateSample { path })?;
            told(context, &project, "Created")
        }
        Projects::Forget { path } => {
            projects::forget(
                app,
                InProject {
                    project: context.path_text(&path),
                },
            )?;
            context.out.answer(&Nothing {}, |_| {
                print::talk("Forgotten. The folder is as it was.")
            })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn exchange(context: &Context, remote: Option<String>) -> Result<ExchangeProject, Report> {
    Ok(ExchangeProject {
        project: context.project()?,
        remote,
    })
}

fn say_pulled(done: &Exchanged) {
    if done.commits.0 == 0 {
        return print::line(&stand(&done.position));
    }
    let from = place(&done.position);
    print::line(&format!("Pulled {} from {from}", commits(done.commits.0)));
    if done.data {
        print::talk("They name other data than before: fetch it with `lapwing data pull`.");
    }
}

fn commits(count: u64) -> String {
    print::counted(count, "commit")
}

fn place(position: &GitPosition) -> String {
    let there = position.upstream.as_ref();
    there.map_or_else(
        || format!("{}/{}", position.remote, position.branch),
        Clone::clone,
    )
}

fn stand(position: &GitPosition) -> String {
    let (ahead, behind) = (position.ahead.0, position.behind.0);
    let branch = &position.branch;
    let Some(there) = &position.upstream else {
        return format!(
            "{branch} is not on {} yet: {} are only here",
            position.remote,
            commits(ahead)
        );
    };
    match (ahead, behind) {
        (0, 0) => format!("{branch} and {there} are the same"),
        (_, 0) => format!("{branch} is {} ahead of {there}", commits(ahead)),
        (0, _) => format!("{branch} is {} behind {there}", commits(behind)),
        _ => format!(
            "{branch} and {there} went apart: {} only here, {} only there",
            commits(ahead),
            commits(behind)
        ),
    }
}

fn told(context: &Context, project: &ProjectDetail, done: &str) -> Done {
    context.out.answer(project, |project| {
        print::line(&format!(
            "{done} {} in {}",
            print::bold(&project.name),
            project.path
        ));
    })?;
    Ok(ExitCode::SUCCESS)
}

fn list(context: &Context) -> Done {
    let all = projects::list(&context.app, Nothing {})?;
    context.out.answer(&all, |all| {
        if all.is_empty() {
            return print::talk("No projects yet. Start with `lapwing init` in a folder, or `lapwing projects sample`.");
        }
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|row| {
                let gone = if row.exists { "" } else { "gone" };
                vec![row.name.clone(), print::time(row.opened), row.path.clone(), gone.to_owned()]
            })
            .collect();
        print::table(&["name", "opened", "path", ""], &rows);
    })?;
    Ok(ExitCode::SUCCESS)
}
