//! DVC's content ids: MD5 of a file's bytes, and of a folder's canonical listing.
//!
//! The listing is Python's `json.dumps(entries, sort_keys=True)` over `{"md5", "relpath"}`, sorted by `relpath` in code-point order
//! of the whole path.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::Metadata;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

use crate::{Error, Progress, Result, ignores};

const BUFFER: usize = 1 << 20;
/// More threads than this do not make a disk faster.
const MAX_THREADS: usize = 4;
/// DVC 2 looks at so much of a file to tell whether it is text.
const TEXT_PROBE: usize = 512;

/// One file of a folder's listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirEntry {
    pub md5: String,
    /// Relative to the folder, with forward slashes.
    pub relpath: String,
}

/// What a path contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// MD5 in hex, with `.dir` for a folder.
    pub id: String,
    pub size: u64,
    /// Only for a folder.
    pub nfiles: Option<u64>,
    /// Only ever true for a single file.
    pub isexec: bool,
    /// The folder's files; empty for a file.
    pub entries: Vec<DirEntry>,
}

/// MD5 of a file's bytes. `legacy` folds line ends of text first, as DVC 2 did.
///
/// # Errors
/// When the file cannot be read.
pub fn file_id(path: &Path, legacy: bool, progress: &mut dyn FnMut(u64)) -> Result<String> {
    let mut file = fs_err::File::open(path)?;
    // Most files of a large folder are small.
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(BUFFER);
    let mut buffer = vec![0_u8; size.clamp(1, BUFFER)];
    let mut hash = Md5::new();
    let mut fold = None;
    loop {
        let read = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        let fold = *fold.get_or_insert_with(|| legacy && is_text(bytes));
        if fold {
            hash_folded(&mut hash, bytes);
        } else {
            hash.update(bytes);
        }
        progress(read as u64);
    }
    Ok(hex(&hash.finalize()))
}

/// `\r\n` becomes `\n`, chunk by chunk, exactly as DVC 2 replaced it.
fn hash_folded(hash: &mut Md5, bytes: &[u8]) {
    let mut rest = bytes;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let (before, after) = rest.split_at(at);
        hash.update(before);
        rest = after.get(1..).unwrap_or_default();
    }
    hash.update(rest);
}

/// DVC 2's guess: no zero byte, and at most 30 % of the probe outside of printable ASCII.
fn is_text(bytes: &[u8]) -> bool {
    let probe = bytes.get(..TEXT_PROBE).unwrap_or(bytes);
    if probe.contains(&0) {
        return false;
    }
    let odd = probe
        .iter()
        .filter(|byte| !matches!(byte, 7 | 8 | 9 | 10 | 12 | 13 | 27 | 0x20..=0x7e | 0x80..))
        .count();
    odd * 10 <= probe.len() * 3
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

/// The canonical listing of a folder.
#[must_use]
pub fn listing(entries: &[DirEntry]) -> String {
    let mut sorted: Vec<&DirEntry> = entries.iter().collect();
    // UTF-8 bytes sort as code points do.
    sorted.sort_by(|a, b| a.relpath.as_bytes().cmp(b.relpath.as_bytes()));
    let mut text = String::from("[");
    for (index, entry) in sorted.into_iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str("{\"md5\": \"");
        text.push_str(&entry.md5);
        text.push_str("\", \"relpath\": ");
        python_string(&mut text, &entry.relpath);
        text.push('}');
    }
    text.push(']');
    text
}

/// A string as Python's `json.dumps` writes it: ASCII only.
fn python_string(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(letter),
            other => {
                let mut units = [0_u16; 2];
                for unit in other.encode_utf16(&mut units) {
                    write!(out, "\\u{unit:04x}").expect("writing to a String cannot fail");
                }
            }
        }
    }
    out.push('"');
}

/// The id of a folder with that listing.
#[must_use]
pub fn listing_id(listing: &str) -> String {
    format!("{}.dir", hex(&Md5::digest(listing.as_bytes())))
}

/// Reads a listing from the cache.
///
/// # Errors
/// When it is no listing, or names a path that leads out of its folder.
pub fn parse_listing(id: &str, bytes: &[u8]) -> Result<Vec<DirEntry>> {
    let entries: Vec<DirEntry> =
        serde_json::from_slice(bytes).map_err(|_| Error::BadListing(id.to_owned()))?;
    let safe = entries.iter().all(|entry| {
        is_id(&entry.md5)
            && Path::new(&entry.relpath)
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_)))
    });
    if safe {
        Ok(entries)
    } else {
        Err(Error::BadListing(id.to_owned()))
    }
}

/// True for 32 hex digits, with or without `.dir`.
pub(crate) fn is_id(text: &str) -> bool {
    let digits = text.strip_suffix(".dir").unwrap_or(text);
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Ids of files that did not change since they were last hashed: inode, time and size tell. Those of the project are known by their
/// paths in it, so that the table stays true when the project's folder moves.
pub(crate) struct Known {
    root: PathBuf,
    seen: Mutex<HashMap<String, KnownFile>>,
    dirty: Mutex<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KnownFile {
    stamp: (u64, i64, u64),
    md5: String,
}

impl Known {
    pub fn open(root: &Path) -> Self {
        // A table that cannot be read only costs time: everything is hashed again.
        let seen = fs_err::read(Self::file(root))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self {
            root: root.to_owned(),
            seen: Mutex::new(seen),
            dirty: Mutex::new(false),
        }
    }

    fn file(root: &Path) -> PathBuf {
        root.join(".dvc/tmp/lapwing-hashes.json")
    }

    fn name<'a>(&self, path: &'a Path) -> Option<&'a str> {
        path.strip_prefix(&self.root).unwrap_or(path).to_str()
    }

    fn get(&self, path: &Path, stamp: (u64, i64, u64)) -> Option<String> {
        let seen = self.seen.lock().ok()?; // A poisoned table is as good as an empty one.
        seen.get(self.name(path)?)
            .filter(|known| known.stamp == stamp)
            .map(|known| known.md5.clone())
    }

    /// What `path` holds now, from whoever made it.
    pub fn tell(&self, path: &Path, md5: &str) {
        if let Ok(meta) = fs_err::metadata(path) {
            self.put(path, stamp(&meta), md5);
        }
    }

    /// What another table knew of the file `from` before `to` became its copy. Nothing where it changed since.
    pub fn tell_copy(&self, to: &Path, other: &Self, from: &Path) {
        let meta = fs_err::metadata(from).ok();
        if let Some(md5) = meta.and_then(|meta| other.get(from, stamp(&meta))) {
            self.tell(to, &md5);
        }
    }

    fn put(&self, path: &Path, stamp: (u64, i64, u64), md5: &str) {
        let (Some(path), Ok(mut seen)) = (self.name(path), self.seen.lock()) else {
            return;
        };
        seen.insert(
            path.to_owned(),
            KnownFile {
                stamp,
                md5: md5.to_owned(),
            },
        );
        if let Ok(mut dirty) = self.dirty.lock() {
            *dirty = true;
        }
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        if !self.dirty.lock().is_ok_and(|dirty| *dirty) {
            return;
        }
        let Ok(seen) = self.seen.lock() else { return };
        let alive: HashMap<_, _> = seen
            .iter()
            .filter(|(path, _)| self.root.join(path.as_str()).exists())
            .collect();
        if let Ok(text) = serde_json::to_vec(&alive)
            && let Err(error) = crate::write_whole(&Self::file(&self.root), &text)
        {
            tracing::debug!(%error, "hashes cannot be kept for the next time");
        }
    }
}

/// A file written this recently may change again within the clock's grain.
#[cfg(unix)]
fn stamp(meta: &Metadata) -> (u64, i64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (
        meta.ino(),
        meta.mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(meta.mtime_nsec()),
        meta.len(),
    )
}

#[cfg(not(unix))]
fn stamp(meta: &Metadata) -> (u64, i64, u64) {
    let at = meta
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()); // No clock: no stamp.
    (
        0,
        at.map_or(0, |at| i64::try_from(at.as_nanos()).unwrap_or(0)),
        meta.len(),
    )
}

fn known_id(
    path: &Path,
    meta: &Metadata,
    known: &Known,
    legacy: bool,
    progress: &mut dyn FnMut(u64),
) -> Result<String> {
    if legacy {
        return file_id(path, true, progress);
    }
    let stamp = stamp(meta);
    if let Some(id) = known.get(path, stamp) {
        progress(meta.len());
        return Ok(id);
    }
    let id = file_id(path, false, progress)?;
    known.put(path, stamp, &id);
    Ok(id)
}

/// What lies at `path` now.
///
/// # Errors
/// When it is not there or cannot be read.
pub(crate) fn scan(
    root: &Path,
    path: &Path,
    legacy: bool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Content> {
    scan_with(&Known::open(root), path, legacy, progress)
}

/// The same with a table that is open already.
pub(crate) fn scan_with(
    known: &Known,
    path: &Path,
    legacy: bool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Content> {
    let meta = fs_err::metadata(path).map_err(|_| Error::NoFile(path.to_owned()))?;
    if meta.is_dir() {
        return scan_folder(path, known, legacy, progress);
    }
    let (what, total, mut done) = (path.display().to_string(), meta.len(), 0);
    let id = known_id(path, &meta, known, legacy, &mut |bytes| {
        done += bytes;
        progress(Progress {
            what: what.clone(),
            done_bytes: done,
            total_bytes: total,
        });
    })?;
    Ok(Content {
        id,
        size: meta.len(),
        nfiles: None,
        isexec: is_exec(&meta),
        entries: Vec::new(),
    })
}

fn scan_folder(
    folder: &Path,
    known: &Known,
    legacy: bool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Content> {
    let mut files = Vec::new();
    for path in ignores::files(folder)? {
        let meta = fs_err::metadata(&path)?;
        files.push((path, meta));
    }
    let total: u64 = files.iter().map(|(_, meta)| meta.len()).sum();
    let done = std::sync::atomic::AtomicU64::new(0);
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MAX_THREADS);
    let share = files.len().div_ceil(threads).max(1);
    let hash = |(path, meta): &(PathBuf, Metadata)| -> Result<DirEntry> {
        let md5 = known_id(path, meta, known, legacy, &mut |bytes| {
            let done_bytes = done.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed) + bytes;
            progress(Progress {
                what: path.display().to_string(),
                done_bytes,
                total_bytes: total,
            });
        })?;
        let relpath = path
            .strip_prefix(folder)
            .unwrap_or(path)
            .to_string_lossy()
            .replace('\\', "/");
        Ok(DirEntry { md5, relpath })
    };
    let parts: Vec<Result<Vec<DirEntry>>> = std::thread::scope(|scope| {
        let hash = &hash;
        let workers: Vec<_> = files
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(hash).collect()))
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker.join().unwrap_or_else(|_| {
                    Err(Error::Io(std::io::Error::other("a hashing thread ended")))
                })
            })
            .collect()
    });
    let mut entries = Vec::with_capacity(files.len());
    for part in parts {
        entries.extend(part?);
    }
    entries.sort_by(|a, b| a.relpath.as_bytes().cmp(b.relpath.as_bytes()));
    let id = listing_id(&listing(&entries));
    Ok(Content {
        id,
        size: total,
        nfiles: Some(entries.len() as u64),
        isexec: false,
        entries,
    })
}

#[cfg(unix)]
fn is_exec(meta: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_exec(_meta: &Metadata) -> bool {
    false
}
