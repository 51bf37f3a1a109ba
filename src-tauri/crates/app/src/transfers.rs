//! Pushes, pulls and syncs that go on in this process, whatever they move: how far each is, and how one is stopped.
//!
//! Nothing of it is kept: a transfer ends with its process, and the next one goes on from what has moved.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lapwing_core::{Report, Tag};
use lapwing_data::Progress;
use lapwing_remote::{Error, digest};
use tokio_util::sync::CancellationToken;

use crate::error::Reported;
use crate::wire::{Cargo, Count, Direction, Nothing, TransferRef, TransferRow, TransfersOf};
use crate::{App, projects};

/// So long the last part of a transfer may take that is to stop.
const LAST_PART: Duration = Duration::from_secs(10);

/// What goes on, by id.
#[derive(Default)]
pub(crate) struct Transfers(Mutex<Known>);

#[derive(Default)]
struct Known {
    last: u32,
    /// Nothing more is to begin.
    ending: bool,
    going: BTreeMap<u32, Arc<Going>>,
}

impl Transfers {
    fn are_idle(&self) -> bool {
        locked(&self.0).going.is_empty()
    }

    /// Stops all that moves, and lets nothing more begin.
    fn end(&self) {
        let mut known = locked(&self.0);
        known.ending = true;
        for going in known.going.values() {
            going.stop();
        }
    }
}

/// What moves, and between here and where.
pub(crate) struct Journey {
    /// The project that it belongs to, where it belongs to one.
    pub project: Option<PathBuf>,
    pub direction: Direction,
    pub cargo: Cargo,
    pub name: Option<String>,
    pub remote: Option<String>,
}

struct Going {
    journey: Journey,
    stop: AtomicBool,
    /// The same for those who wait for it.
    stopped: CancellationToken,
    progress: Mutex<Progress>,
}

impl Going {
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.stopped.cancel();
    }
}

/// What is kept here is whole at any time, even after a thread that held it has panicked.
fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One transfer, listed for as long as this lives.
pub(crate) struct Underway {
    id: u32,
    line: Line,
}

/// By which a transfer says how far it is, and hears that somebody wants its end: many hands may hold one.
#[derive(Clone)]
pub(crate) struct Line {
    app: App,
    going: Arc<Going>,
}

impl Underway {
    pub fn begin(app: &App, journey: Journey) -> Self {
        let going = Arc::new(Going {
            journey,
            stop: AtomicBool::new(false),
            stopped: CancellationToken::new(),
            progress: Mutex::new(Progress {
                what: "Looking at what is there".to_owned(),
                done_bytes: 0,
                total_bytes: 0,
            }),
        });
        let id = {
            let mut known = locked(&app.transfers().0);
            if known.ending {
                going.stop();
            }
            known.last = known.last.wrapping_add(1);
            let id = known.last;
            known.going.insert(id, Arc::clone(&going));
            id
        };
        app.announce(&[Tag::Transfers]);
        let app = app.clone();
        Self {
            id,
            line: Line { app, going },
        }
    }

    pub fn line(&self) -> &Line {
        &self.line
    }
}

impl Line {
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Set when somebody wants its end.
    pub fn stop(&self) -> &AtomicBool {
        &self.going.stop
    }

    /// Fails when somebody wants its end.
    pub fn check(&self) -> Result<(), Error> {
        if self.going.stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        Ok(())
    }

    /// Waits until somebody wants its end.
    pub async fn stopped(&self) {
        self.going.stopped.cancelled().await;
    }

    pub fn tell(&self, progress: Progress) {
        locked(&self.going.progress).clone_from(&progress);
        self.app.tell(&progress);
    }

    /// Says what it is at where no bytes are counted.
    pub fn say(&self, what: &str) {
        self.tell(Progress {
            what: what.to_owned(),
            done_bytes: 0,
            total_bytes: 0,
        });
    }

    /// Does work of the layers below to its end, or until somebody wants one: then what is under way is dropped, and with it its
    /// connections.
    pub fn work<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, Report>
    where
        Result<T, E>: Reported<T>,
    {
        self.carry(work, Duration::ZERO)
    }

    /// As [`Line::work`], for work that looks by itself between two parts whether somebody wants the end.
    pub fn work_in_parts<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, Report>
    where
        Result<T, E>: Reported<T>,
    {
        self.carry(work, LAST_PART)
    }

    fn carry<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        patience: Duration,
    ) -> Result<T, Report>
    where
        Result<T, E>: Reported<T>,
    {
        self.app.block_on(async {
            let mut work = std::pin::pin!(work);
            tokio::select! {
                biased;
                () = self.going.stopped.cancelled() => {}
                done = &mut work => return done.reported(),
            }
            match tokio::time::timeout(patience, work).await {
                Ok(done) => done.reported(),
                Err(_) => Err(Error::Stopped.report()),
            }
        })?
    }

    /// The files below a folder with their digests, which takes its time.
    pub fn files(&self, folder: &std::path::Path) -> Result<Vec<digest::File>, Report> {
        digest::watched(folder, &|| self.check()).reported()
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let Line { app, going } = &self.line;
        locked(&app.transfers().0).going.remove(&self.id);
        // One that ends early leaves what has arrived.
        let changed: &[Tag] = match (going.journey.cargo, going.journey.direction) {
            (Cargo::Data, Direction::Pull | Direction::Sync) => &[Tag::Transfers, Tag::Data],
            (Cargo::Runs, _) => &[Tag::Transfers, Tag::Runs, Tag::Models],
            (Cargo::Data, Direction::Push) | (Cargo::Model | Cargo::Image | Cargo::Commits, _) => {
                &[Tag::Transfers]
            }
        };
        app.announce(changed);
    }
}

/// The transfers that go on in this process, the first begun first. Begin and end are announced; whoever shows how far they are asks
/// again while there are any: an entry in the feed for each step would be for this process alone.
///
/// # Errors
/// When the project cannot be opened.
pub fn list(app: &App, input: TransfersOf) -> Result<Vec<TransferRow>, Report> {
    let project = input
        .project
        .as_deref()
        .map(projects::project)
        .transpose()?;
    let root = project.as_ref().map(lapwing_data::Project::root);
    let known = locked(&app.transfers().0);
    Ok(known
        .going
        .iter()
        .filter(|(_, going)| {
            let own = going.journey.project.as_deref();
            own.is_none() || own == root
        })
        .map(|(id, going)| row(*id, going))
        .collect())
}

fn row(id: u32, going: &Going) -> TransferRow {
    let progress = locked(&going.progress);
    TransferRow {
        id,
        direction: going.journey.direction,
        cargo: going.journey.cargo,
        name: going.journey.name.clone(),
        remote: going.journey.remote.clone(),
        what: progress.what.clone(),
        done: Count(progress.done_bytes),
        total: Count(progress.total_bytes),
        stopping: going.stop.load(Ordering::Relaxed),
    }
}

/// Asks a transfer to end soon; what has moved stays. One that is over needs no stop.
///
/// # Errors
/// Never: a use case answers a `Result`.
pub fn stop(app: &App, input: TransferRef) -> Result<Nothing, Report> {
    if let Some(going) = locked(&app.transfers().0).going.get(&input.id) {
        going.stop();
    }
    Ok(Nothing {})
}

/// Ends what moves when this process gets Ctrl-C, and lets nothing more begin; `told` says that it was heard. Where nothing moves,
/// before or after, Ctrl-C ends the process as it does any other.
///
/// # Errors
/// When the operating system gives no threads.
pub fn stop_on_interrupt(app: &App, told: impl FnOnce() + Send + 'static) -> Result<(), Report> {
    let ours = app.clone();
    // Ends with the process: nobody waits for a Ctrl-C that does not come.
    app.runtime()?.spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        if ours.transfers().are_idle() {
            crate::process::leave();
        }
        told();
        ours.transfers().end();
        crate::process::leave_when_told_again().await;
    });
    Ok(())
}
