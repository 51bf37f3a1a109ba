//! `lapwing server`.

use std::process::ExitCode;
use std::time::Duration;

use lapwing_app::services::{self, ServerOptions, Ui};

use super::args::Server;
use super::{Context, Done, print};

pub fn run(context: &Context, arguments: Server) -> Done {
    log();
    let ui = match arguments.ui {
        None => Ui::Off,
        Some(None) => Ui::Installed,
        Some(Some(folder)) => Ui::Folder(context.path(&folder)),
    };
    let options = ServerOptions {
        host: arguments.host,
        port: arguments.port,
        token: arguments.token,
        ui,
        every: Duration::from_secs(arguments.every),
    };
    let json = context.out == print::Output::Json;
    services::serve(&context.app, options, &|address| {
        if json {
            print::line(&serde_json::json!({ "url": address.url, "ui": address.ui }).to_string());
            return;
        }
        print::line(&address.url);
        print::talk(&format!(
            "Scripts find it with MLFLOW_TRACKING_URI={}",
            address.url
        ));
        if let Some(ui) = &address.ui {
            print::talk(&format!("The window's pages: {ui}"));
        }
        print::talk(&print::dim(
            "Stop it with Ctrl-C. Runs, jobs and endpoints go on without it.",
        ));
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What monitors and automations do by themselves is said on standard error, as much as `LAPWING_LOG` asks for.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LAPWING_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,lapwing_app=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
