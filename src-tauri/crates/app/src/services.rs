//! The services of a workspace: the MLflow API, the monitors and the automations; and the window's pages over HTTP.
//!
//! One process hosts them at a time, told by a lock that dies with it; the next one takes over.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as Segment, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::stream;
use lapwing_core::{Code, Report, RunId};
use lapwing_store::lock;
use lapwing_tracking::{Guard, guarded, router};
use serde::{Deserialize, Serialize};
use tower_http::services::ServeDir;

use crate::error::Reported as _;
use crate::{App, automations, file, jobs, monitors, pipeline, wire};

/// MLflow's own port: scripts that name no server find this one.
const PREFERRED_PORT: u16 = 5000;
/// How often monitors and automations are looked at, where nobody says otherwise.
const EVERY: Duration = Duration::from_secs(20);
const TAKE_OVER: Duration = Duration::from_secs(5);
const EVENTS: Duration = Duration::from_millis(150);
const LOCK: &str = "services";

/// Who hosts the services: `services.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Services {
    pub url: String,
    pub pid: u32,
}

/// Where the pages of the window come from.
#[derive(Debug, Clone)]
pub enum Ui {
    Off,
    /// Beside the installed program.
    Installed,
    Folder(PathBuf),
}

/// What `lapwing server` was asked for.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    pub host: String,
    pub port: u16,
    pub token: Option<String>,
    pub ui: Ui,
    /// How often monitors and automations are looked at.
    pub every: Duration,
}

/// Where a server answers.
#[derive(Debug, Clone)]
pub struct Address {
    pub url: String,
    /// With its token, for a browser.
    pub ui: Option<String>,
}

/// The services that answer now, if any do.
///
/// # Errors
/// When the workspace cannot be read.
pub fn running(app: &App) -> Result<Option<Services>, Report> {
    if !lock::is_held(app.workspace(), LOCK).reported()? {
        return Ok(None);
    }
    file::read_json(&app.workspace().services())
}

/// Hosts the services for as long as this process lives; waits while another process does.
pub fn host_in_background(app: &App) {
    loop {
        match lock::try_acquire(app.workspace(), LOCK) {
            Ok(Some(lock)) => {
                if let Err(report) = host(app) {
                    tracing::warn!(message = report.message, "the services cannot be hosted");
                }
                drop(lock);
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the lock of the services cannot be taken"),
        }
        std::thread::sleep(TAKE_OVER);
    }
}

fn host(app: &App) -> Result<(), Report> {
    let loopback = IpAddr::from([127, 0, 0, 1]);
    let listener = match bind(app, SocketAddr::new(loopback, PREFERRED_PORT)) {
        Ok(listener) => listener,
        Err(_) => bind(app, SocketAddr::new(loopback, 0))?,
    };
    let address = local(&listener)?;
    announce(app, &format!("http://{address}"))?;
    let routes = router(app.tracking().clone(), Guard::default());
    app.runtime()?.spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the MLflow API ended");
        }
    });
    watch(app, EVERY);
    Ok(())
}

fn announce(app: &App, url: &str) -> Result<(), Report> {
    file::write_json(
        &app.workspace().services(),
        &Services {
            url: url.to_owned(),
            pid: std::process::id(),
        },
    )
}

fn bind(app: &App, address: SocketAddr) -> Result<tokio::net::TcpListener, Report> {
    app.block_on(tokio::net::TcpListener::bind(address))?
        .map_err(|error| {
            let report = Report::new(
                Code::Conflict,
                "server.port",
                format!("{address} cannot be listened on: {error}"),
            );
            match error.kind() {
                std::io::ErrorKind::AddrInUse => {
                    report.hint("end whatever uses that port, or name another one with --port")
                }
                _ => report.hint("check --host and --port"),
            }
        })
}

fn local(listener: &tokio::net::TcpListener) -> Result<SocketAddr, Report> {
    listener
        .local_addr()
        .map_err(|error| Report::new(Code::Failed, "server.address", error.to_string()))
}

/// Monitors, automations and reconciliation, again and again, until the process ends.
fn watch(app: &App, every: Duration) {
    let mut seen = automations::Seen::default();
    loop {
        std::thread::sleep(every);
        if let Err(report) = look(app, &mut seen) {
            tracing::warn!(
                message = report.message,
                "monitors and automations could not be looked at"
            );
        }
        tracing::debug!("looked at monitors and automations");
    }
}

fn look(app: &App, seen: &mut automations::Seen) -> Result<(), Report> {
    for row in lapwing_store::deployments::list(app.store()).reported()? {
        if row.live_revision.is_some()
            && let Err(report) = monitors::check(app, &row.name)
        {
            tracing::debug!(message = report.message, deployment = %row.name, "a monitor could not look");
        }
    }
    monitors::post_due(app)?;
    for run in lapwing_store::pipeline_runs::active(app.store(), None).reported()? {
        if let Err(report) = pipeline::reconcile(app, &run.project, pipeline::Intent::ToLook) {
            tracing::debug!(message = report.message, "a run could not be looked at");
        }
    }
    pipeline::reconcile_sweeps(app, None)?;
    jobs::running(app)?;
    automations::tick(app, seen)
}

/// Looks after the workspace beside a server that answers already; while another process does, it waits to take over.
fn watch_in_background(app: &App, url: String, every: Duration) -> Result<(), Report> {
    let mut lock = lock::try_acquire(app.workspace(), LOCK).reported()?;
    if lock.is_some() {
        announce(app, &url)?;
    }
    let app = app.clone();
    std::thread::spawn(move || {
        while lock.is_none() {
            std::thread::sleep(TAKE_OVER);
            match lock::try_acquire(app.workspace(), LOCK) {
                Ok(taken) => lock = taken,
                Err(error) => tracing::warn!(%error, "the lock of the services cannot be taken"),
            }
            if lock.is_some()
                && let Err(report) = announce(&app, &url)
            {
                tracing::warn!(message = report.message, "nobody is told of this server");
            }
        }
        watch(&app, every);
    });
    Ok(())
}

/// Serves the MLflow API, and the window's pages where they are asked for, until the process is told to end.
///
/// # Errors
/// When the address cannot be listened on, or other machines could reach it without a token.
pub fn serve(app: &App, options: ServerOptions, ready: &dyn Fn(&Address)) -> Result<(), Report> {
    let host: IpAddr = match options.host.as_str() {
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        text => text.parse().map_err(|_| {
            Report::new(
                Code::Invalid,
                "server.host",
                format!("`{text}` is no address"),
            )
            .hint("use 127.0.0.1, or 0.0.0.0 with --token")
        })?,
    };
    if !host.is_loopback() && options.token.as_deref().unwrap_or_default().is_empty() {
        return Err(Report::new(
            Code::Invalid,
            "server.token",
            format!("{host} can be reached by other machines: a token is needed"),
        )
        .hint("pass --token, or set LAPWING_TOKEN"));
    }
    let listener = bind(app, SocketAddr::new(host, options.port))?;
    let url = format!("http://{}", local(&listener)?);
    let ui_folder = ui_folder(&options.ui)?;
    // The pages can start commands: they are never without a token.
    let token = options
        .token
        .clone()
        .or_else(|| ui_folder.as_ref().map(|_| RunId::random().to_string()));
    let mut hosts = std::collections::BTreeSet::from([options.host.clone(), host.to_string()]);
    if host.is_unspecified()
        && let Ok(name) = std::env::var("HOSTNAME")
    {
        hosts.insert(name);
    }
    let guard = Guard {
        token: options.token.clone(),
        hosts: hosts.clone(),
        ..Guard::default()
    };
    let mut routes = router(app.tracking().clone(), guard);
    if let Some(folder) = &ui_folder {
        let guard = Guard {
            token: token.clone(),
            hosts,
            token_in_query: Some("/ui/changes"),
            open: vec!["/pages/"],
        };
        routes = Router::new()
            .merge(guarded(pages(app, folder), guard))
            .fallback_service(routes);
    }
    let address = Address {
        ui: ui_folder.map(|_| format!("{url}/pages/#token={}", token.unwrap_or_default())),
        url: url.clone(),
    };
    watch_in_background(app, url, options.every)?;
    ready(&address);
    let ended = app.block_on(async move {
        axum::serve(listener, routes)
            .with_graceful_shutdown(told_to_end())
            .await
    })?;
    ended.map_err(|error| Report::new(Code::Failed, "server.ended", error.to_string()))
}

async fn told_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without signals there is only the end of the process.
    let _ = tokio::signal::ctrl_c().await;
}

fn ui_folder(ui: &Ui) -> Result<Option<PathBuf>, Report> {
    let folder = match ui {
        Ui::Off => return Ok(None),
        Ui::Folder(folder) => Some(folder.clone()),
        Ui::Installed => installed(),
    };
    match folder.filter(|folder| folder.join("index.html").is_file()) {
        Some(folder) => Ok(Some(folder)),
        None => Err(Report::new(
            Code::Missing,
            "server.ui",
            "the window's pages are not here",
        )
        .hint("name their folder: --ui ui/dist")),
    }
}

fn installed() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?; // Unknown: nothing lies beside it.
    let bin = program.parent()?;
    [bin.join("../lib/lapwing/ui"), bin.join("ui")]
        .into_iter()
        .find(|folder| Path::is_dir(folder))
}

fn pages(app: &App, folder: &Path) -> Router {
    Router::new()
        .route("/ui/rpc/{name}", post(rpc))
        .route("/ui/changes", get(changes))
        .nest_service("/pages", ServeDir::new(folder))
        .with_state(app.clone())
}

async fn rpc(State(app): State<App>, Segment(name): Segment<String>, body: Bytes) -> Response {
    let input = serde_json::from_slice(&body).unwrap_or(serde_json::Value::Null);
    let done = tokio::task::spawn_blocking(move || wire::dispatch(&app, &name, input)).await;
    match done {
        Ok(Ok(answer)) => axum::Json(answer).into_response(),
        Ok(Err(report)) => {
            let status = match report.code {
                Code::Invalid => StatusCode::BAD_REQUEST,
                Code::NotFound => StatusCode::NOT_FOUND,
                Code::Conflict => StatusCode::CONFLICT,
                Code::Failed | Code::Missing | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (status, axum::Json(report)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a command panicked");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The change feed as server-sent events.
async fn changes(
    State(app): State<App>,
) -> Sse<impl stream::Stream<Item = Result<Event, Infallible>>> {
    let feed = app.feed();
    let events = stream::unfold(feed, |mut feed| async move {
        loop {
            tokio::time::sleep(EVENTS).await;
            let (back, changes) = tokio::task::spawn_blocking(move || {
                let changes = feed.poll();
                (feed, changes)
            })
            .await
            .ok()?; // The process ends.
            feed = back;
            if !changes.is_empty() {
                let event =
                    Event::default().data(serde_json::to_string(&changes).unwrap_or_default());
                return Some((Ok(event), feed));
            }
        }
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
