//! A working tree, sent by content: what is there already is not sent again.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{Read as _, Write};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use lapwing_core::JobId;
use sha2::{Digest as _, Sha256};

use super::agent::Agent;
use crate::{Error, Result};

/// So much goes in one piece: what has arrived stays when the connection is cut.
const BATCH_FILES: usize = 500;
const BATCH_BYTES: u64 = 64 << 20;
const TELL: Duration = Duration::from_secs(1);
const BLOCK: usize = 1 << 20;
/// Names that one question holds.
const ASKED: usize = 20_000;

/// One entry of the tree.
#[derive(Debug, Clone)]
struct Entry {
    path: String,
    hash: String,
    kind: Kind,
    size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Program,
    Link,
}

/// What an upload came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub files: usize,
    pub bytes: u64,
    /// Of all files of the tree.
    pub known: usize,
}

/// What goes there.
pub(crate) struct Tree<'a> {
    pub root: &'a Path,
    pub files: &'a [String],
    /// Made though nothing lies in them.
    pub folders: Vec<String>,
}

/// Sends the files and lays them out as the job's tree. `progress` is told the bytes that have gone and all of them.
pub(crate) fn upload(
    agent: &Agent,
    id: &JobId,
    tree: &Tree<'_>,
    cancel: &Path,
    say: &mut dyn FnMut(&str),
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Sent> {
    let root = tree.root;
    let entries = entries(root, tree.files, cancel)?;
    let missing = missing(agent, &entries, cancel)?;
    let mut by_hash: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| missing.contains(&entry.hash)) {
        by_hash.insert(&entry.hash, entry);
    }
    let wanted: Vec<&Entry> = by_hash.into_values().collect();
    let sent = Sent {
        files: wanted.len(),
        bytes: wanted.iter().map(|entry| entry.size).sum(),
        known: entries.len() - wanted.len().min(entries.len()),
    };
    say(&format!(
        "sending {} of {} files ({})",
        sent.files,
        entries.len(),
        size(sent.bytes)
    ));
    let mut gone = 0;
    for batch in batches(&wanted) {
        agent.call(
            "put",
            &[],
            Some(cancel),
            &mut |stdin| {
                let mut counted = Counted {
                    to: stdin,
                    gone,
                    told: Instant::now(),
                    tell: &|gone| progress(gone.min(sent.bytes), sent.bytes),
                };
                pack(root, batch, &mut counted)
            },
            &mut |reader| Ok(std::io::copy(reader, &mut std::io::sink()).map(|_| ())?),
        )?;
        gone += batch.iter().map(|entry| entry.size).sum::<u64>();
    }
    let mut manifest = String::new();
    for folder in &tree.folders {
        check(folder)?;
        manifest.push_str(&format!("folder - {folder}\n"));
    }
    for entry in &entries {
        let kind = match entry.kind {
            Kind::File => "file",
            Kind::Program => "program",
            Kind::Link => "link",
        };
        manifest.push_str(&format!("{kind} {} {}\n", entry.hash, entry.path));
    }
    agent.tell(
        "tree",
        &[&id.to_string()],
        Some(cancel),
        manifest.as_bytes(),
    )?;
    Ok(sent)
}

fn entries(root: &Path, files: &[String], cancel: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::with_capacity(files.len());
    for path in files {
        if cancel.exists() {
            return Err(Error::Cancelled);
        }
        check(path)?;
        entries.push(entry(root, path)?);
    }
    // A folder is made once: entries of one lie together.
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries.dedup_by(|a, b| a.path == b.path);
    Ok(entries)
}

fn check(path: &str) -> Result<()> {
    let strange = path.starts_with('/')
        || path.contains(['\n', '\0'])
        || path.split('/').any(|part| part == ".." || part.is_empty());
    if strange {
        return Err(Error::BadPath(path.to_owned()));
    }
    Ok(())
}

fn entry(root: &Path, path: &str) -> Result<Entry> {
    let place = root.join(path);
    let meta = fs_err::symlink_metadata(&place)?;
    if meta.is_symlink() && stays_in_tree(path, &place) {
        let target = link_target(&place)?;
        return Ok(Entry {
            path: path.to_owned(),
            hash: hex(Sha256::digest(&target).as_slice()),
            kind: Kind::Link,
            size: target.len() as u64,
        });
    }
    // A link into DVC's cache, or out of the project, goes as what it leads to.
    let meta = fs_err::metadata(&place)?;
    if !meta.is_file() {
        return Err(Error::BadPath(path.to_owned()));
    }
    let (hash, size) = hash_file(&place)?;
    Ok(Entry {
        path: path.to_owned(),
        hash,
        kind: if is_program(&meta) {
            Kind::Program
        } else {
            Kind::File
        },
        size,
    })
}

/// True for a relative link to something that lies beside it in the project.
fn stays_in_tree(path: &str, place: &Path) -> bool {
    let Ok(target) = fs_err::read_link(place) else {
        return false;
    };
    let mut depth = path.split('/').count() - 1;
    for part in target.components() {
        match part {
            Component::Normal(name) if name == ".dvc" => return false,
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

fn link_target(place: &Path) -> Result<Vec<u8>> {
    let target = fs_err::read_link(place)?;
    Ok(target.to_string_lossy().into_owned().into_bytes())
}

#[cfg(unix)]
fn is_program(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_program(_: &std::fs::Metadata) -> bool {
    false
}

pub(super) fn hash_file(place: &Path) -> Result<(String, u64)> {
    let mut file = fs_err::File::open(place)?;
    let (mut hash, mut size, mut block) = (Sha256::new(), 0, vec![0; BLOCK]);
    loop {
        let read = file.read(&mut block)?;
        let Some(bytes) = block.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok((hex(hash.finalize().as_slice()), size));
        };
        hash.update(bytes);
        size += read as u64;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn missing(agent: &Agent, entries: &[Entry], cancel: &Path) -> Result<HashSet<String>> {
    let mut hashes: Vec<&str> = entries.iter().map(|entry| entry.hash.as_str()).collect();
    hashes.sort_unstable();
    hashes.dedup();
    let mut missing = HashSet::new();
    for asked in hashes.chunks(ASKED) {
        let list = asked.join("\n") + "\n";
        let answer = agent.tell("have", &[], Some(cancel), list.as_bytes())?;
        missing.extend(answer.lines().map(str::to_owned));
    }
    Ok(missing)
}

fn batches<'a>(wanted: &'a [&'a Entry]) -> Vec<&'a [&'a Entry]> {
    let (mut batches, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (at, entry) in wanted.iter().enumerate() {
        if at > from && (at - from >= BATCH_FILES || bytes + entry.size > BATCH_BYTES) {
            batches.push(wanted.get(from..at).unwrap_or_default());
            (from, bytes) = (at, 0);
        }
        bytes += entry.size;
    }
    if from < wanted.len() {
        batches.push(wanted.get(from..).unwrap_or_default());
    }
    batches
}

/// Tells how far a long upload is.
struct Counted<'a> {
    to: &'a mut dyn Write,
    gone: u64,
    told: Instant,
    tell: &'a dyn Fn(u64),
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.gone += written as u64;
        if self.told.elapsed() > TELL {
            (self.tell)(self.gone);
            self.told = Instant::now();
        }
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

fn pack(root: &Path, batch: &[&Entry], to: &mut dyn Write) -> Result<()> {
    let mut archive = tar::Builder::new(to);
    for entry in batch {
        let place: PathBuf = root.join(&entry.path);
        let mut header = tar::Header::new_gnu();
        header.set_size(entry.size);
        header.set_mode(0o600);
        header.set_cksum();
        if entry.kind == Kind::Link {
            let target = link_target(&place)?;
            archive.append_data(&mut header, &entry.hash, target.as_slice())?;
        } else {
            // Its length is that of the header even when the file grows meanwhile; its digest then tells.
            let file = File::open(&place)?.take(entry.size);
            archive.append_data(&mut header, &entry.hash, file)?;
        }
    }
    archive.into_inner()?;
    Ok(())
}

/// `1.5 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1000.0, "kB");
    for next in UNITS.into_iter().skip(1) {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    format!("{value:.1} {unit}")
}
