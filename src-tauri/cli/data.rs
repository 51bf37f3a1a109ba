//! `lapwing data …`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lapwing_app::data;
use lapwing_app::wire::{
    AddData, AddedData, CheckoutData, Count, DataPath, DataState, DiffData, DiffKind, InProject,
    Preview, PreviewData, TransferData, Transferred,
};
use lapwing_core::Report;

use super::args::Data;
use super::transfer::shown;
use super::{Context, Done, print};

pub fn run(context: &Context, verb: Data) -> Done {
    match verb {
        Data::Add { paths, message } => add(context, &paths, message),
        Data::Status => status(context),
        Data::Checkout { paths, force } => checkout(context, &paths, force),
        Data::Log { path } => log(context, &path),
        Data::Diff { from, to } => diff(context, from, to),
        Data::Preview { file, rows, offset } => preview(context, &file, rows, offset),
        Data::Profile { file } => profile(context, &file),
        Data::Push { paths, remote } => {
            let input = transfer(context, &paths, remote)?;
            let done = shown(context, |app| data::push(app, input))?;
            transferred(context, &done, "Pushed")
        }
        Data::Pull { paths, remote } => {
            let input = transfer(context, &paths, remote)?;
            let done = shown(context, |app| data::pull(app, input))?;
            transferred(context, &done, "Pulled")
        }
    }
}

fn texts(context: &Context, paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| context.path_text(path)).collect()
}

fn add(context: &Context, paths: &[PathBuf], message: Option<String>) -> Done {
    let input = AddData {
        project: context.project()?,
        paths: texts(context, paths),
        message,
    };
    let added = data::add(&context.app, input)?;
    context
        .out
        .answer(&added, |added| added.iter().for_each(say_added))?;
    Ok(ExitCode::SUCCESS)
}

fn say_added(row: &AddedData) {
    let files = row
        .files
        .map_or(String::new(), |files| format!(", {} files", files.0));
    let note = if row.changed { "" } else { " (unchanged)" };
    print::line(&format!(
        "{}  {}{files}  {}{note}",
        row.path,
        print::bytes(row.size.0),
        print::dim(&print::short(&row.hash))
    ));
}

fn status(context: &Context) -> Done {
    let all = data::list(
        &context.app,
        InProject {
            project: context.project()?,
        },
    )?;
    let changed = all.iter().any(|row| row.state != DataState::Clean);
    context.out.answer(&all, |all| {
        if all.is_empty() {
            return print::talk("No data is tracked yet. Add some: `lapwing data add PATH`.");
        }
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|row| {
                let made = row
                    .stage
                    .as_ref()
                    .map_or(String::new(), |stage| format!("made by {stage}"));
                vec![
                    state_word(row.state).to_owned(),
                    row.path.clone(),
                    print::bytes(row.size.0),
                    made,
                ]
            })
            .collect();
        print::table(&["state", "path", "size", ""], &rows);
    })?;
    Ok(if changed {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

fn state_word(state: DataState) -> &'static str {
    match state {
        DataState::Clean => "clean",
        DataState::Modified => "modified",
        DataState::Deleted => "deleted",
        DataState::New => "new",
        DataState::NotInCache => "not in cache",
    }
}

fn checkout(context: &Context, paths: &[PathBuf], force: bool) -> Done {
    let input = CheckoutData {
        project: context.project()?,
        paths: texts(context, paths),
        force,
    };
    let done = data::checkout(&context.app, input)?;
    context.out.answer(&done, |done| {
        if done.is_empty() {
            print::talk("Everything is as tracked.");
        }
        done.iter().for_each(|path| print::line(path));
    })?;
    Ok(ExitCode::SUCCESS)
}

fn log(context: &Context, path: &Path) -> Done {
    let input = DataPath {
        project: context.project()?,
        path: context.path_text(path),
    };
    let versions = data::log(&context.app, input)?;
    context.out.answer(&versions, |versions| {
        if versions.is_empty() {
            return print::talk(
                "No committed version yet. Commit with `lapwing data add PATH -m MESSAGE` or git.",
            );
        }
        let rows: Vec<Vec<String>> = versions
            .iter()
            .map(|row| {
                vec![
                    row.short.clone(),
                    print::time(row.at),
                    print::bytes(row.size.0),
                    print::short(&row.hash),
                    row.message.clone(),
                ]
            })
            .collect();
        print::table(&["commit", "when", "size", "content", "message"], &rows);
    })?;
    Ok(ExitCode::SUCCESS)
}

fn diff(context: &Context, from: String, to: Option<String>) -> Done {
    let rows = data::diff(
        &context.app,
        DiffData {
            project: context.project()?,
            from,
            to,
        },
    )?;
    context.out.answer(&rows, |rows| {
        if rows.is_empty() {
            return print::talk("No difference.");
        }
        let size = |size: Option<Count>| size.map_or("–".to_owned(), |size| print::bytes(size.0));
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let kind = match row.kind {
                    DiffKind::Added => "added",
                    DiffKind::Modified => "modified",
                    DiffKind::Deleted => "deleted",
                    DiffKind::Renamed => "renamed",
                };
                let path = match &row.old_path {
                    Some(old) => format!("{old} → {}", row.path),
                    None => row.path.clone(),
                };
                vec![
                    kind.to_owned(),
                    path,
                    size(row.old_size),
                    size(row.new_size),
                ]
            })
            .collect();
        print::table(&["change", "path", "before", "after"], &rows);
    })?;
    Ok(ExitCode::SUCCESS)
}

fn preview(context: &Context, file: &Path, rows: u32, offset: u64) -> Done {
    let input = PreviewData {
        project: None,
        path: context.path_text(file),
        offset: Count(offset),
        limit: rows,
    };
    let page = data::preview(&context.app, input)?;
    context.out.answer(&page, say_preview)?;
    Ok(ExitCode::SUCCESS)
}

fn say_preview(page: &Preview) {
    let headers: Vec<&str> = page
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let rows: Vec<Vec<String>> = page
        .rows
        .iter()
        .map(|row| row.iter().map(cell).collect())
        .collect();
    print::table(&headers, &rows);
    print::talk(&print::dim(&format!(
        "{} of {} rows, {} columns",
        rows.len(),
        page.total_rows.0,
        headers.len()
    )));
}

fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "–".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn profile(context: &Context, file: &Path) -> Done {
    let input = PreviewData {
        project: None,
        path: context.path_text(file),
        offset: Count(0),
        limit: 0,
    };
    let profile = data::profile(&context.app, input)?;
    context.out.answer(&profile, |profile| {
        let rows: Vec<Vec<String>> = profile.columns.iter().map(data::profile_words).collect();
        print::table(
            &[
                "column", "kind", "nulls", "distinct", "min", "median", "max", "notes",
            ],
            &rows,
        );
    })?;
    Ok(ExitCode::SUCCESS)
}

fn transfer(
    context: &Context,
    paths: &[PathBuf],
    remote: Option<String>,
) -> Result<TransferData, Report> {
    Ok(TransferData {
        project: context.project()?,
        remote,
        paths: texts(context, paths),
    })
}

fn transferred(context: &Context, done: &Transferred, verb: &str) -> Done {
    context.out.answer(done, |done| {
        print::line(&format!(
            "{verb} {} ({}), {} were there already: {}",
            print::counted(done.files.0, "file"),
            print::bytes(done.bytes.0),
            done.skipped.0,
            done.remote
        ));
        if done.unpushed_commits.0 > 0 {
            print::talk(&format!(
                "{} that name data are only here: send them with `lapwing projects push`.",
                print::counted(done.unpushed_commits.0, "commit")
            ));
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
