//! The window: one rpc command, one event stream, a tray. No decision is taken here.
//!
//! The process also hosts the workspace's services, unless another process of the same workspace does. Closing the
//! window ends neither training nor an endpoint: those are processes of their own.

mod environment;
mod events;
mod rpc;
mod tray;

use std::process::ExitCode;

use lapwing_app::{App, Options};
use tauri::Manager as _;

/// What the shell's handlers share.
pub struct Shell {
    pub app: App,
}

/// Starts the window and returns when it is closed.
pub fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--version") {
        return version();
    }
    environment::prepare();
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            tracing::error!(message, "the window cannot start");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "`--version` is data for scripts")]
fn version() -> ExitCode {
    println!("lapwing-desktop {}", env!("CARGO_PKG_VERSION"));
    ExitCode::SUCCESS
}

#[expect(
    clippy::exit,
    reason = "Tauri's macro ends the process when its own context cannot be read"
)]
fn start() -> Result<(), String> {
    let options = Options::from_environment().map_err(|report| report.message)?;
    let app = App::open(options).map_err(|report| report.message)?;
    let project = std::env::args().nth(1);
    tauri::Builder::default()
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_notification::init())
        .plugin(tauri_plugin_opener::init())
        .plugin(tauri_plugin_window_state::Builder::default().build())
        .invoke_handler(tauri::generate_handler![rpc::rpc, rpc::report_error])
        .setup(move |shell| {
            let services = app.clone();
            if let Some(path) = project {
                rpc::open_at_start(&app, &path);
            }
            shell.manage(Shell { app: app.clone() });
            tray::create(shell);
            events::forward(shell.handle().clone(), app);
            std::thread::spawn(move || lapwing_app::services::host_in_background(&services));
            Ok(())
        })
        .run(tauri::generate_context!())
        .map_err(|error| error.to_string())
}
