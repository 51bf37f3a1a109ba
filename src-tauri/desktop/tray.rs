//! The tray icon: bring the window back, or quit it. A desktop without a tray has a window without a tray.

use tauri::menu::{Menu, MenuItem};
use tauri::tray::TrayIconBuilder;
use tauri::{App, AppHandle, Manager as _};

/// Creates the tray icon where the desktop has a place for it.
pub fn create(app: &App) {
    if let Err(error) = try_create(app) {
        tracing::debug!(%error, "this desktop has no tray");
    }
}

fn try_create(app: &App) -> tauri::Result<()> {
    let open = MenuItem::with_id(app, "open", "Open Lapwing", true, None::<&str>)?;
    let quit = MenuItem::with_id(
        app,
        "quit",
        "Quit (runs and endpoints go on)",
        true,
        None::<&str>,
    )?;
    let menu = Menu::with_items(app, &[&open, &quit])?;
    let mut tray = TrayIconBuilder::with_id("main")
        .menu(&menu)
        .tooltip("Lapwing");
    if let Some(icon) = app.default_window_icon() {
        tray = tray.icon(icon.clone());
    }
    tray.on_menu_event(|app, event| match event.id().as_ref() {
        "open" => show(app),
        "quit" => app.exit(0),
        _ => {}
    })
    .build(app)?;
    Ok(())
}

fn show(app: &AppHandle) {
    let Some(window) = app.get_webview_window("main") else {
        return;
    };
    if let Err(error) = window
        .show()
        .and_then(|()| window.unminimize())
        .and_then(|()| window.set_focus())
    {
        tracing::debug!(%error, "the window cannot be brought to the front");
    }
}
