//! The same command on every node of a job. The first one's log is the job's and its outputs come home; the others have a folder
//! of their own below the job's, so that each is followed from the byte on that is here. When one fails, the rest ends.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::folder::Folder;
use crate::ssh::{self, Memory};
use crate::state::Outcome;
use crate::{JobSpec, RemoteSpec, Result};

const POLL: Duration = Duration::from_millis(100);

/// Which node's end is the job's, and what it came to.
pub(super) type Verdict = (usize, Result<Outcome>);

/// Runs it to its end on all of them. What the others printed is shown afterwards, when the end of each log is here.
pub(super) fn run(folder: &Folder, spec: &JobSpec, remotes: &[RemoteSpec]) -> Result<Verdict> {
    if let [only] = remotes {
        return Ok((0, ssh::run_job(folder, spec, only, None)));
    }
    let place = place(folder);
    let stop = place.join("stop");
    fs_err::create_dir_all(&place)?;
    // Of a supervisor that died while the rest was ending: why it was is found again.
    if stop.exists() {
        fs_err::remove_file(&stop)?;
    }
    let mut folders = Vec::new();
    for rank in 0..remotes.len() {
        let own = of_node(folder, rank);
        fs_err::create_dir_all(own.root())?;
        let own = own.ended_by(&stop);
        touch(&own.output())?;
        // All of them run: what cannot be reached now is waited for.
        let mut memory = Memory::of(&own)?;
        memory.greeted = true;
        memory.keep(&own)?;
        folders.push(own);
    }
    all(folder, spec, remotes, &folders, &stop)
}

/// Behind the job's own log, what all other nodes printed.
pub(super) fn show_others(folder: &Folder, nodes: usize) -> Result<()> {
    for rank in 1..nodes {
        show(folder, rank, &of_node(folder, rank))?;
    }
    Ok(())
}

/// What is known here of one node; of the first, the job's own folder.
pub(super) fn of_node(folder: &Folder, rank: usize) -> Folder {
    match rank {
        0 => Folder::at(folder.root()),
        _ => Folder::at(&place(folder).join(rank.to_string())),
    }
}

fn place(folder: &Folder) -> PathBuf {
    folder.root().join("nodes")
}

/// The first end that is no success, or the first node's.
fn all(
    folder: &Folder,
    spec: &JobSpec,
    remotes: &[RemoteSpec],
    folders: &[Folder],
    stop: &Path,
) -> Result<Verdict> {
    let (tell, ends) = mpsc::channel();
    std::thread::scope(|scope| {
        for (rank, (remote, own)) in remotes.iter().zip(folders).enumerate() {
            let tell = tell.clone();
            scope.spawn(move || {
                // Whoever hears it waits for all.
                let _ = tell.send((rank, ssh::run_job(own, spec, remote, None)));
            });
        }
        drop(tell);
        let mut verdict = (0, Ok(Outcome::Succeeded));
        loop {
            match ends.recv_timeout(POLL) {
                Ok((_, Ok(Outcome::Succeeded))) => {}
                Ok(end) => {
                    touch(stop)?;
                    if matches!(verdict, (_, Ok(Outcome::Succeeded))) {
                        verdict = end;
                    }
                }
                Err(RecvTimeoutError::Timeout) if folder.cancel().exists() => touch(stop)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(verdict),
            }
        }
    })
}

fn show(folder: &Folder, rank: usize, own: &Folder) -> Result<()> {
    let Some(log_start) = Memory::of(own)?.log_start else {
        return Ok(());
    };
    let mut from = fs_err::File::open(own.output())?;
    if from.metadata()?.len() <= log_start {
        return Ok(());
    }
    from.seek(SeekFrom::Start(log_start))?;
    let mut to = fs_err::OpenOptions::new()
        .read(true)
        .append(true)
        .open(folder.output())?;
    let mut last = [b'\n'];
    if to.metadata()?.len() > 0 {
        to.seek(SeekFrom::End(-1))?;
        to.read_exact(&mut last)?;
    }
    let line = if last == [b'\n'] { "" } else { "\n" };
    writeln!(to, "{line}--- node {rank} ---")?;
    std::io::copy(&mut from, &mut to)?;
    Ok(())
}

fn touch(path: &Path) -> Result<()> {
    fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    Ok(())
}
