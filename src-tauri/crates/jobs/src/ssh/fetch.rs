//! What the command made there, brought home: file by file verified, and into its place only when whole.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use lapwing_core::JobId;

use super::agent::Agent;
use super::upload::hash_file;
use crate::{Error, Result};

/// One tar holds so many files: what has arrived stays when the connection is cut.
const BATCH: usize = 200;
/// A file whose digest is wrong is asked for again so often.
const TRIES: usize = 3;

/// What a fetch came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub files: usize,
    pub bytes: u64,
}

/// What is brought home.
pub(crate) struct Wanted<'a> {
    /// Of the job's folder there: `tree`.
    pub folder: &'a str,
    /// Files and folders below it.
    pub paths: &'a [String],
    /// Where they go.
    pub root: &'a Path,
    /// Keeps what has arrived until all of it has.
    pub staging: &'a Path,
}

/// Brings files home.
pub(crate) fn fetch(agent: &Agent, id: &JobId, all: &Wanted<'_>) -> Result<Fetched> {
    if all.paths.is_empty() {
        return Ok(Fetched::default());
    }
    let (root, staging) = (all.root, all.staging);
    let there = listing(agent, id, all)?;
    let changed: BTreeMap<&str, &str> = there
        .iter()
        .filter(|(path, hash)| !is(&root.join(path), hash))
        .map(|(path, hash)| (path.as_str(), hash.as_str()))
        .collect();
    fs_err::create_dir_all(staging)?;
    for try_ in 1.. {
        let wanted: Vec<&str> = changed
            .iter()
            .filter(|(path, hash)| !is(&staging.join(path), hash))
            .map(|(path, _)| *path)
            .collect();
        let Some(first) = wanted.first() else { break };
        if try_ > TRIES {
            return Err(Error::Damaged {
                host: agent.host.name().to_owned(),
                path: (*first).to_owned(),
            });
        }
        for batch in wanted.chunks(BATCH) {
            receive(agent, id, all, batch)?;
        }
    }
    let mut fetched = Fetched::default();
    for path in changed.keys() {
        fetched.files += 1;
        fetched.bytes += settle(&staging.join(path), &root.join(path))?;
    }
    fs_err::remove_dir_all(staging)?;
    Ok(fetched)
}

fn is(place: &Path, hash: &str) -> bool {
    hash_file(place).is_ok_and(|(own, _)| own == hash)
}

fn listing(agent: &Agent, id: &JobId, all: &Wanted<'_>) -> Result<BTreeMap<String, String>> {
    let outputs = all.paths;
    for path in outputs {
        if !is_beneath(path) || path.contains('\n') {
            return Err(Error::BadPath(path.clone()));
        }
    }
    let answer = agent.tell(
        "outs",
        &[&id.to_string(), all.folder],
        None,
        (outputs.join("\n") + "\n").as_bytes(),
    )?;
    let mut listing = BTreeMap::new();
    for line in answer.lines() {
        // GNU's tool marks a name with a backslash or a newline by a backslash in front of the line.
        let (line, escaped) = match line.strip_prefix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        let Some((hash, path)) = line.split_once("  ") else {
            continue;
        };
        let path = path.strip_prefix("./").unwrap_or(path);
        // What another machine says is checked before it becomes a path here.
        let beneath = outputs
            .iter()
            .any(|out| Path::new(path).starts_with(Path::new(out)));
        if escaped || !is_beneath(path) || !beneath {
            return Err(Error::BadPath(path.to_owned()));
        }
        listing.insert(path.to_owned(), hash.to_owned());
    }
    Ok(listing)
}

fn is_beneath(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

fn receive(agent: &Agent, id: &JobId, all: &Wanted<'_>, batch: &[&str]) -> Result<()> {
    // In front of a name that begins with a dash, `./` keeps tar from reading an option.
    let list: String = batch.iter().map(|path| format!("./{path}\n")).collect();
    agent.call(
        "get",
        &[&id.to_string(), all.folder],
        None,
        &mut super::host::text(list.as_bytes()),
        &mut |reader| unpack(reader, all.staging),
    )
}

fn unpack(reader: &mut dyn std::io::BufRead, staging: &Path) -> Result<()> {
    let mut archive = tar::Archive::new(&mut *reader);
    archive.set_preserve_permissions(false);
    let entries = archive.entries()?;
    for entry in entries {
        // A cut ends the archive in the middle; ssh's own exit code then says so.
        let Ok(mut entry) = entry else { break };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        match entry.unpack_in(staging) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error.into()),
        }
    }
    // Padding behind the end, so that the sender does not break on a closed pipe.
    std::io::copy(reader, &mut std::io::sink())?;
    Ok(())
}

/// Moves a whole file into its place, from another file system too.
pub(crate) fn settle(from: &Path, to: &Path) -> Result<u64> {
    let folder: PathBuf = to.parent().map(Path::to_owned).unwrap_or_default();
    fs_err::create_dir_all(&folder)?;
    let size = fs_err::metadata(from)?.len();
    let temporary = tempfile::Builder::new()
        .prefix(".lapwing-")
        .tempfile_in(&folder)?;
    std::io::copy(&mut fs_err::File::open(from)?, &mut temporary.as_file())?;
    temporary.as_file().sync_all()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if fs_err::metadata(from)?.permissions().mode() & 0o100 != 0 {
            0o755
        } else {
            0o644
        };
        temporary
            .as_file()
            .set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    temporary.persist(to).map_err(|error| error.error)?;
    Ok(size)
}
