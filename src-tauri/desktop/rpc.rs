//! The one command that the pages may call.

use lapwing_app::wire;
use lapwing_app::{App, projects};
use lapwing_core::{Code, Report};
use serde_json::Value;
use tauri::State;

use super::Shell;

/// Runs a command of the table on a thread that may block.
#[tauri::command]
pub async fn rpc(shell: State<'_, Shell>, name: String, input: Value) -> Result<Value, Report> {
    let app = shell.app.clone();
    tauri::async_runtime::spawn_blocking(move || wire::dispatch(&app, &name, input))
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, "a command panicked");
            Err(Report::new(
                Code::Internal,
                "rpc.panicked",
                "Lapwing made a mistake and could not finish this",
            )
            .hint("the log in Settings has the details; nothing that was saved is lost"))
        })
}

/// What went wrong in the pages, for the log: a page that cannot draw can still say why.
#[tauri::command]
pub fn report_error(text: String) {
    const MAX_REPORT_CHARS: usize = 4000;
    let text: String = text.chars().take(MAX_REPORT_CHARS).collect();
    tracing::error!(text, "the window's pages reported an error");
}

/// `lapwing-desktop PATH` opens that project.
pub fn open_at_start(app: &App, path: &str) {
    if let Err(report) = projects::begin_with(app, path) {
        tracing::warn!(
            message = report.message,
            "the project on the command line cannot be opened"
        );
    }
}
