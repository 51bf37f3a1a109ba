//! The one event stream: what is stale, told to the pages; alerts, told to the desktop.

use std::time::Duration;

use lapwing_app::App;
use lapwing_app::monitors::Told;
use lapwing_app::wire::ListAlerts;
use lapwing_core::{Change, Tag};
use tauri::{AppHandle, Emitter as _};
use tauri_plugin_notification::NotificationExt as _;

/// Changes are gathered for this long, so that a burst of metrics is one event.
const GATHER: Duration = Duration::from_millis(100);

/// Forwards the change feed for as long as the window lives.
pub fn forward(window: AppHandle, app: App) {
    std::thread::spawn(move || {
        let mut feed = app.feed();
        let mut told = Told::with(&open_alerts(&app));
        loop {
            std::thread::sleep(GATHER);
            let changes = feed.poll();
            if changes.is_empty() {
                continue;
            }
            if changes.iter().any(|change| change.tag == Tag::Monitors) {
                notify_alerts(&window, &app, &mut told);
            }
            emit(&window, &changes);
        }
    });
}

fn emit(window: &AppHandle, changes: &[Change]) {
    if let Err(error) = window.emit("changes", changes) {
        tracing::debug!(%error, "no page listens");
    }
}

fn open_alerts(app: &App) -> Vec<lapwing_app::wire::AlertRow> {
    lapwing_app::monitors::alerts(app, ListAlerts::default()).unwrap_or_default()
}

fn notify_alerts(window: &AppHandle, app: &App, told: &mut Told) {
    for alert in told.fresh(open_alerts(app)) {
        let shown = window
            .notification()
            .builder()
            .title(alert.deployment.as_str())
            .body(&alert.message)
            .show();
        if let Err(error) = shown {
            tracing::debug!(%error, "the desktop shows no notifications");
        }
    }
}
