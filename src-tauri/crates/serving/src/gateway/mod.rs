//! One process for each deployment: takes the lock, loads, listens, and follows `gateway.json` until it is told to end.

mod guard;
mod live;
mod metrics;
mod server;
mod state;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use lapwing_core::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::predictions::log::PredictionLog;
use crate::{DeploymentFolder, Error, GatewayConfig, Result, read_config};
use live::Live;
use metrics::Metrics;
use state::{digest, lock, write_running};

pub use state::{
    Phase, Running, RunningRevision, State, detach, spawn, state, stop, wait_until_serving,
};

const POLL: Duration = Duration::from_millis(200);
/// Requests that are being answered when the end comes have this long.
const DRAIN: Duration = Duration::from_secs(10);
/// A lock that an observer holds for a moment is not another gateway.
const LOCK_TRIES: u32 = 20;

/// What all requests share.
struct Gateway {
    folder: DeploymentFolder,
    live: RwLock<Arc<Live>>,
    log: PredictionLog,
    metrics: Metrics,
    port: u16,
}

impl Gateway {
    fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Serves the deployment until SIGTERM, SIGINT or [`stop`]. `bind` replaces the configured address (in a container).
///
/// # Errors
/// When another gateway serves the folder, the address is taken, or nothing can be loaded; `running.json` then says so too.
pub async fn run(folder: &Path, bind: Option<SocketAddr>) -> Result<()> {
    let places = DeploymentFolder::at(folder);
    let lock = take_lock(&places).await?;
    let _ = fs_err::remove_file(places.stop()); // left by a stop that came too late
    let mut running = Running {
        phase: Phase::Starting,
        pid: std::process::id(),
        port: 0,
        url: String::new(),
        revisions: Vec::new(),
        started: Timestamp::now(),
        problem: None,
        config: String::new(),
    };
    write_running(&places, &running)?;
    let outcome = serve(&places, bind, &mut running).await;
    running.phase = if outcome.is_ok() {
        Phase::Stopped
    } else {
        Phase::Failed
    };
    running.problem = outcome.as_ref().err().map(|error| error.report().message);
    let _ = fs_err::remove_file(places.stop()); // there is one only when `stop` asked
    write_running(&places, &running)?;
    drop(lock);
    outcome
}

async fn take_lock(places: &DeploymentFolder) -> Result<std::fs::File> {
    fs_err::create_dir_all(places.root())?;
    let mut tries = 0;
    loop {
        match lock(places) {
            Err(Error::AlreadyRunning { .. }) if tries < LOCK_TRIES => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            outcome => return outcome,
        }
    }
}

async fn serve(
    places: &DeploymentFolder,
    bind: Option<SocketAddr>,
    running: &mut Running,
) -> Result<()> {
    let mut seen = Seen::default();
    let config = seen.read(places, bind)?;
    running.config.clone_from(&seen.digest);
    let published = config.published_port;
    let address = config.address()?;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| Error::Bind {
            address: address.to_string(),
            source,
        })?;
    let address = listener.local_addr()?;
    let end = asked_to_end(places);
    tokio::pin!(end);
    let live = tokio::select! {
        live = Live::load(places, config, None) => live?,
        () = &mut end => return Ok(()),
    };
    let gateway = Arc::new(Gateway {
        folder: places.clone(),
        live: RwLock::new(Arc::new(live)),
        log: PredictionLog::open(places)?,
        metrics: Metrics::default(),
        port: address.port(),
    });
    running.port = address.port();
    running.url = url(address, published);
    describe(&gateway.live(), running);
    running.phase = Phase::Serving;
    write_running(places, running)?;
    tracing::info!(url = running.url, "serving");

    let (stop, stopped) = watch::channel(false);
    let mut server = tokio::spawn(server::serve(listener, Arc::clone(&gateway), stopped));
    loop {
        // A model that takes minutes to load does not keep the gateway from ending.
        tokio::select! {
            () = &mut end => break,
            followed = follow(&gateway, &mut seen, bind, running) => followed?,
        }
    }
    tracing::info!("ending");
    let _ = stop.send(true); // the server holds the other end until it has ended
    let drained = tokio::time::timeout(DRAIN, &mut server).await;
    if drained.is_err() {
        tracing::warn!("some requests did not end in time");
        server.abort();
    }
    Ok(())
}

fn url(address: SocketAddr, published: Option<u16>) -> String {
    if let Some(port) = published {
        return format!("http://127.0.0.1:{port}");
    }
    if address.ip().is_unspecified() {
        return format!("http://127.0.0.1:{}", address.port());
    }
    format!("http://{address}")
}

fn describe(live: &Live, running: &mut Running) {
    let total: f64 = live
        .revisions
        .iter()
        .map(|revision| live.weight(revision.config.number))
        .sum();
    running.revisions = live
        .revisions
        .iter()
        .map(|revision| RunningRevision {
            number: revision.config.number,
            traffic: live.weight(revision.config.number) / total,
            runtime: revision.loaded.runtime.kind(),
            note: revision.loaded.note.clone(),
        })
        .collect();
}

/// Takes a changed `gateway.json` when it can be loaded; otherwise the old one stays and `running.json` says why.
async fn follow(
    gateway: &Gateway,
    seen: &mut Seen,
    bind: Option<SocketAddr>,
    running: &mut Running,
) -> Result<()> {
    tokio::time::sleep(POLL).await;
    if !seen.changed(&gateway.folder) {
        return Ok(());
    }
    let before = gateway.live();
    let outcome = match seen.read(&gateway.folder, bind) {
        Ok(config) => Live::load(&gateway.folder, config, Some(&before)).await,
        Err(error) => Err(error),
    };
    running.config.clone_from(&seen.digest);
    match outcome {
        Ok(live) => {
            running.problem = None;
            describe(&live, running);
            *gateway.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
            tracing::info!(revisions = ?running.revisions.iter().map(|r| r.number).collect::<Vec<_>>(), "switched");
        }
        Err(error) => {
            let message = error.report().message;
            tracing::error!(%message, "the new configuration is not taken; the old one stays");
            running.problem = Some(message);
        }
    }
    write_running(&gateway.folder, running)
}

/// What of `gateway.json` was last looked at.
#[derive(Default)]
struct Seen {
    modified: Option<(SystemTime, u64)>,
    digest: String,
}

impl Seen {
    fn stamp(places: &DeploymentFolder) -> Option<(SystemTime, u64)> {
        let about = fs_err::metadata(places.config()).ok()?;
        Some((about.modified().ok()?, about.len()))
    }

    fn changed(&mut self, places: &DeploymentFolder) -> bool {
        let stamp = Self::stamp(places);
        if stamp == self.modified {
            return false;
        }
        self.modified = stamp;
        fs_err::read(places.config()).is_ok_and(|bytes| digest(&bytes) != self.digest)
    }

    fn read(
        &mut self,
        places: &DeploymentFolder,
        bind: Option<SocketAddr>,
    ) -> Result<GatewayConfig> {
        self.modified = Self::stamp(places);
        self.digest = digest(&fs_err::read(places.config())?);
        let mut config = read_config(places.root())?;
        if let Some(bind) = bind {
            config.host = bind.ip().to_string();
            config.port = bind.port();
        }
        config.check()?;
        Ok(config)
    }
}

/// Resolves when a signal or [`stop`] asks for the end.
async fn asked_to_end(places: &DeploymentFolder) {
    let stop = places.stop();
    let told = async {
        while !stop.exists() {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::select! {
        () = end_signal() => {}
        () = told => {}
    }
}

#[cfg(unix)]
async fn end_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(not(unix))]
async fn end_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
