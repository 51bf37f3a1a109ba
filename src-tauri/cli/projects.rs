//! `lapwing init`, `lapwing projects …`.

use std::path::PathBuf;
use std::process::ExitCode;

use lapwing_app::projects;
use lapwing_app::wire::{
    CloneProject, CreateSample, InProject, Nothing, OpenProject, ProjectDetail,
};

use super::args::Projects;
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
            let project = projects::clone(
                app,
                CloneProject {
                    url,
                    path: context.path_text(&path),
                },
            )?;
            told(context, &project, "Cloned")
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
