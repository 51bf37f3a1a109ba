//! `lapwing server`.

use std::process::ExitCode;

use lapwing_app::services::{self, ServerOptions, Ui};

use super::args::Server;
use super::{Context, Done, print};

pub fn run(context: &Context, arguments: Server) -> Done {
    let ui = match arguments.ui {
        None => Ui::Off,
        Some(folder) if folder.as_os_str().is_empty() => Ui::Installed,
        Some(folder) => Ui::Folder(context.path(&folder)),
    };
    let options = ServerOptions {
        host: arguments.host,
        port: arguments.port,
        token: arguments.token,
        ui,
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
