//! What a job printed, piece by piece.

use std::io::{Read as _, Seek as _, SeekFrom};

use lapwing_core::{JobId, Workspace};

use crate::folder::Folder;
use crate::state::{JobState, state};
use crate::{Error, Result};

/// One piece of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// Bytes that are no UTF-8 appear as `\u{fffd}`; no letter is cut in two between pieces.
    pub text: String,
    /// Where the next piece begins.
    pub next: u64,
    /// Nothing will follow.
    pub ended: bool,
}

/// At most `max` bytes from the byte offset `from`.
///
/// # Errors
/// When there is no such job, or its log cannot be read.
pub fn log(workspace: &Workspace, id: &JobId, from: u64, max: usize) -> Result<LogChunk> {
    let folder = Folder::of(workspace, id);
    // Asked before reading: what is written until the end is then in the file.
    let over = matches!(state(workspace, id)?, JobState::Ended(_));
    let mut file = fs_err::File::open(folder.output())?;
    let size = file.metadata()?.len();
    let from = from.min(size);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(max as u64).read_to_end(&mut bytes)?;
    let at_end = from + bytes.len() as u64 >= size;
    if !(over && at_end) {
        bytes.truncate(whole_letters(&bytes));
    }
    let next = from + bytes.len() as u64;
    Ok(LogChunk {
        text: String::from_utf8_lossy(&bytes).into_owned(),
        next,
        ended: over && next >= size,
    })
}

/// Bytes of the log so far.
///
/// # Errors
/// When there is no such job.
pub fn log_size(workspace: &Workspace, id: &JobId) -> Result<u64> {
    let path = Folder::of(workspace, id).output();
    fs_err::metadata(path)
        .map(|meta| meta.len())
        .map_err(|_| Error::Unknown(id.to_string()))
}

/// How many bytes end with a whole UTF-8 letter. Only an unfinished last letter is held back.
fn whole_letters(bytes: &[u8]) -> usize {
    const LONGEST: usize = 4;
    for back in 1..=LONGEST.min(bytes.len()) {
        let at = bytes.len() - back;
        let Some(byte) = bytes.get(at) else { break };
        let needed = match byte {
            0x00..=0x7f => 1,
            0x80..=0xbf => continue,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
        };
        return if needed > back && bytes.len() > back {
            at
        } else {
            bytes.len()
        };
    }
    bytes.len()
}
