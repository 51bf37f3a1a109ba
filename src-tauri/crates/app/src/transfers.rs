//! Pushes and pulls of data that go on in this process: how far each is, and how one is stopped.
//!
//! Nothing of it is kept: a transfer ends with its process, and the next one goes on from what has moved.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lapwing_core::{Report, Tag};
use lapwing_data::{Progress, Project};

use crate::wire::{Count, Direction, InProject, Nothing, TransferRef, TransferRow};
use crate::{App, projects};

/// What goes on, by id.
#[derive(Default)]
pub(crate) struct Transfers(Mutex<Known>);

#[derive(Default)]
struct Known {
    last: u32,
    going: BTreeMap<u32, Arc<Going>>,
}

struct Going {
    project: PathBuf,
    direction: Direction,
    remote: Option<String>,
    stop: AtomicBool,
    progress: Mutex<Progress>,
}

/// What is kept here is whole at any time, even after a thread that held it has panicked.
fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One transfer, listed for as long as this lives.
pub(crate) struct Underway<'a> {
    app: &'a App,
    id: u32,
    going: Arc<Going>,
}

impl<'a> Underway<'a> {
    pub fn begin(
        app: &'a App,
        project: &Project,
        direction: Direction,
        remote: Option<&str>,
    ) -> Self {
        let going = Arc::new(Going {
            project: project.root().to_owned(),
            direction,
            remote: remote.map(str::to_owned),
            stop: AtomicBool::new(false),
            progress: Mutex::new(Progress {
                what: "Looking at what is there".to_owned(),
                done_bytes: 0,
                total_bytes: 0,
            }),
        });
        let id = {
            let mut known = locked(&app.transfers().0);
            known.last = known.last.wrapping_add(1);
            let id = known.last;
            known.going.insert(id, Arc::clone(&going));
            id
        };
        app.announce(&[Tag::Transfers]);
        Self { app, id, going }
    }

    /// Set when somebody wants its end.
    pub fn stop(&self) -> &AtomicBool {
        &self.going.stop
    }

    pub fn tell(&self, progress: Progress) {
        locked(&self.going.progress).clone_from(&progress);
        self.app.tell(&progress);
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        locked(&self.app.transfers().0).going.remove(&self.id);
        let changed: &[Tag] = match self.going.direction {
            Direction::Push => &[Tag::Transfers],
            // One that ends early leaves what has arrived in the cache.
            Direction::Pull => &[Tag::Transfers, Tag::Data],
        };
        self.app.announce(changed);
    }
}

/// The transfers of a project that go on in this process, the first begun first. Begin and end are announced; whoever shows
/// how far they are asks again while there are any: an entry in the feed for each step would be for this process alone.
///
/// # Errors
/// When the project cannot be opened.
pub fn list(app: &App, input: InProject) -> Result<Vec<TransferRow>, Report> {
    let project = projects::project(&input.project)?;
    let known = locked(&app.transfers().0);
    Ok(known
        .going
        .iter()
        .filter(|(_, going)| going.project == project.root())
        .map(|(id, going)| row(*id, going))
        .collect())
}

fn row(id: u32, going: &Going) -> TransferRow {
    let progress = locked(&going.progress);
    TransferRow {
        id,
        direction: going.direction,
        remote: going.remote.clone(),
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
        going.stop.store(true, Ordering::Relaxed);
    }
    Ok(Nothing {})
}
