//! Push and pull: content goes to a remote and comes back, verified, many files at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lapwing_remote::{Settings, Storage, Watch};

use crate::config::Remote;
use crate::crew::each;
use crate::{
    Cache, Error, Exclusive, Out, Overwrite, Progress, Project, Result, checkout, hash, status,
};

/// Where cut uploads stand, below the project.
const UPLOADS: &str = ".dvc/tmp/lapwing/uploads";
/// Files on a disk are hashed by so many at once.
const HASHING: usize = 4;

/// What to move, and how it is watched.
pub struct Transfer<'a> {
    /// The remote that the user named.
    pub remote: Option<&'a str>,
    /// Only what lies at or below these; everything when empty.
    pub targets: &'a [PathBuf],
    /// Outputs of stages, beside what `.dvc` files track.
    pub more: &'a [(Out, PathBuf)],
    /// Opens a remote: whoever knows its credentials.
    pub open: &'a (dyn Fn(&Remote) -> Result<Storage> + Sync),
    pub progress: &'a (dyn Fn(Progress) + Sync),
    /// Set by whoever wants the end: what has moved stays.
    pub stop: &'a AtomicBool,
}

/// A remote with what its own section says, and no other credentials.
fn plain(remote: &Remote) -> Result<Storage> {
    let settings = Settings::of(&remote.url).keys(remote.keys.clone());
    Ok(Storage::open(&settings)?)
}

impl Default for Transfer<'_> {
    fn default() -> Self {
        static NEVER: AtomicBool = AtomicBool::new(false);
        Self {
            remote: None,
            targets: &[],
            more: &[],
            open: &plain,
            progress: &|_| {},
            stop: &NEVER,
        }
    }
}

/// What a transfer did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transferred {
    /// Address of the remote.
    pub remote: String,
    pub files: u64,
    pub bytes: u64,
    /// Already there.
    pub skipped: u64,
}

/// One object on its way, for the output at `place`.
struct Item {
    id: String,
    legacy: bool,
    place: PathBuf,
    bytes: u64,
}

impl Item {
    fn path(&self) -> String {
        let (first, rest) = self.id.split_at(2);
        if self.legacy {
            format!("{first}/{rest}")
        } else {
            format!("files/md5/{first}/{rest}")
        }
    }

    fn is_listing(&self) -> bool {
        self.id.ends_with(".dir")
    }

    fn missing(&self) -> Error {
        Error::NotInCache {
            path: self.place.display().to_string(),
            id: self.id.clone(),
        }
    }
}

/// The outputs of one remote.
struct Group {
    storage: Storage,
    url: String,
    outs: Vec<(Out, PathBuf)>,
}

/// The outputs to move, by remote: an output that names its own goes there. As DVC does, a remote that the user named leaves
/// out what belongs to another.
fn groups(project: &Project, transfer: &Transfer<'_>) -> Result<Vec<Group>> {
    let mut by_name: BTreeMap<Option<String>, Vec<(Out, PathBuf)>> = BTreeMap::new();
    let cache = Cache::of(project);
    for (out, place) in wanted(project, transfer)? {
        if let Some(id) = &out.md5 {
            // From a file that anybody may have written: one that is no id is refused here, before paths are made of it.
            cache.object(id, out.is_legacy())?;
        }
        let name = match (transfer.remote, &out.remote) {
            (Some(chosen), Some(own)) if chosen != own => continue,
            (chosen, own) => own.clone().or(chosen.map(str::to_owned)),
        };
        by_name.entry(name).or_default().push((out, place));
    }
    if by_name.is_empty() {
        // Where nothing is to move, the remote that it would have gone to is named all the same.
        by_name.insert(transfer.remote.map(str::to_owned), Vec::new());
    }
    by_name
        .into_iter()
        .map(|(name, outs)| {
            let remote = remote(project, name.as_deref())?;
            Ok(Group {
                storage: (transfer.open)(&remote)?,
                url: remote.url,
                outs,
            })
        })
        .collect()
}

fn remote(project: &Project, name: Option<&str>) -> Result<Remote> {
    let mut remotes = project.config().remotes().into_iter();
    match name {
        Some(name) => remotes
            .find(|remote| remote.name == name)
            .ok_or(Error::NoRemote(name.to_owned())),
        None => remotes
            .find(|remote| remote.default)
            .ok_or(Error::NoDefaultRemote),
    }
}

/// The outputs to move: those tracked by `.dvc` files at or below the targets, and those of stages likewise.
fn wanted(project: &Project, transfer: &Transfer<'_>) -> Result<Vec<(Out, PathBuf)>> {
    let targets = transfer
        .targets
        .iter()
        .map(|path| project.beneath(path))
        .collect::<Result<Vec<_>>>()?;
    let mut all: Vec<(Out, PathBuf)> = status::tracked(project)?
        .into_iter()
        .map(|(_, out, place)| (out, place))
        .collect();
    all.extend(transfer.more.iter().cloned());
    let is_named = |target: &PathBuf, place: &Path| {
        let dvc_file = PathBuf::from(format!("{}.dvc", place.display()));
        place.starts_with(target) || dvc_file == *target
    };
    for target in &targets {
        if !all.iter().any(|(_, place)| is_named(target, place)) {
            return Err(Error::NotTracked(project.relative(target)));
        }
    }
    all.retain(|(out, place)| {
        let named = targets.is_empty() || targets.iter().any(|target| is_named(target, place));
        named && out.cache && out.push && out.md5.is_some()
    });
    Ok(all)
}

/// How far a transfer is, told by many hands at once.
struct Counter<'a> {
    tell: &'a (dyn Fn(Progress) + Sync),
    stop: &'a AtomicBool,
    verb: &'static str,
    bytes: AtomicU64,
    files: AtomicU64,
    total_bytes: u64,
    total_files: u64,
}

impl<'a> Counter<'a> {
    fn new(transfer: &Transfer<'a>, verb: &'static str, files: u64, bytes: u64) -> Self {
        Self {
            tell: transfer.progress,
            stop: transfer.stop,
            verb,
            bytes: AtomicU64::new(0),
            files: AtomicU64::new(0),
            total_bytes: bytes,
            total_files: files,
        }
    }

    fn moved(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.say();
    }

    fn finished(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.say();
    }

    fn say(&self) {
        let (files, total) = (self.files.load(Ordering::Relaxed), self.total_files);
        (self.tell)(Progress {
            what: format!("{} {files} of {total} files", self.verb),
            done_bytes: self.bytes.load(Ordering::Relaxed),
            total_bytes: self.total_bytes,
        });
    }

    fn check(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(lapwing_remote::Error::Stopped.into());
        }
        Ok(())
    }
}

/// Sends what the remote does not have. A folder's files go first and its listing last, so that a listing on the remote
/// always means a whole folder.
///
/// # Errors
/// When content is not in the cache, or the remote cannot be written. What was sent stays, and is not sent again.
pub fn push(project: &Project, transfer: &Transfer<'_>) -> Result<Transferred> {
    let cache = Cache::of(project);
    let mut done = Transferred::default();
    let mut urls = BTreeSet::new();
    for group in groups(project, transfer)? {
        let items = objects(&cache, &group.outs)?;
        let missing = not_there(&group.storage, &cache, items, &mut done)?;
        let missing = measured(&cache, missing)?;
        let total = missing.iter().map(|item| item.bytes).sum();
        let counter = Counter::new(transfer, "Pushed", missing.len() as u64, total);
        counter.say();
        let memory = project.root().join(UPLOADS);
        let (listings, files): (Vec<Item>, Vec<Item>) =
            missing.into_iter().partition(Item::is_listing);
        for batch in [&files, &listings] {
            each(batch, group.storage.hands(), &|item| {
                send(&group.storage, &cache, item, &memory, &counter)
            })?;
        }
        done.files += counter.files.into_inner();
        done.bytes += total;
        urls.insert(group.url);
    }
    done.remote = urls.into_iter().collect::<Vec<_>>().join(", ");
    Ok(done)
}

/// Every object of the outputs once: the files of folders, and their listings.
fn objects(cache: &Cache, outs: &[(Out, PathBuf)]) -> Result<Vec<Item>> {
    let mut seen = BTreeSet::new();
    let mut items = Vec::new();
    for (out, place) in outs {
        let (Some(id), legacy) = (&out.md5, out.is_legacy()) else {
            continue;
        };
        let mut ids = Vec::new();
        if out.is_dir() {
            let entries = cache.entries(id, legacy)?;
            ids.extend(entries.into_iter().map(|entry| entry.md5));
        }
        ids.push(id.clone());
        for id in ids {
            if seen.insert((id.clone(), legacy)) {
                items.push(Item {
                    id,
                    legacy,
                    place: place.clone(),
                    bytes: 0,
                });
            }
        }
    }
    Ok(items)
}

/// Without those that lie on the remote already. A file of another size is what a server kept of an upload that was cut: it counts
/// as not there.
fn not_there(
    storage: &Storage,
    cache: &Cache,
    items: Vec<Item>,
    done: &mut Transferred,
) -> Result<Vec<Item>> {
    let paths: Vec<String> = items.iter().map(Item::path).collect();
    let known = storage.known(&paths)?;
    let all = items.len();
    let mut missing = Vec::new();
    for item in items {
        let is_there = match known.get(&item.path()) {
            None => false,
            Some(None) => true,
            Some(Some(there)) => {
                let object = cache.object(&item.id, item.legacy)?;
                // What is not here cannot be told from what is there.
                fs_err::metadata(object).map_or(true, |here| here.len() == *there)
            }
        };
        if !is_there {
            missing.push(item);
        }
    }
    done.skipped += (all - missing.len()) as u64;
    Ok(missing)
}

/// With the size of each, so that the whole is known before anything moves.
fn measured(cache: &Cache, items: Vec<Item>) -> Result<Vec<Item>> {
    items
        .into_iter()
        .map(|item| {
            let object = cache.object(&item.id, item.legacy)?;
            let meta = fs_err::metadata(object).map_err(|_| item.missing())?;
            Ok(Item {
                bytes: meta.len(),
                ..item
            })
        })
        .collect()
}

fn send(
    storage: &Storage,
    cache: &Cache,
    item: &Item,
    memory: &Path,
    counter: &Counter<'_>,
) -> Result<()> {
    counter.check()?;
    if !cache.sound(&item.id, item.legacy)? {
        return Err(item.missing());
    }
    let object = cache.object(&item.id, item.legacy)?;
    let watch = Watch {
        moved: &|bytes| counter.moved(bytes),
        stop: counter.stop,
    };
    storage.send(&object, &item.path(), memory, watch)?;
    counter.finished();
    Ok(())
}

/// Fetches what the cache does not have, verifies it, and checks the outputs out.
///
/// # Errors
/// When the remote does not have it, or has something else under its name: then nothing of it becomes visible. What has
/// arrived whole stays in the cache.
pub fn pull(project: &Project, transfer: &Transfer<'_>) -> Result<Transferred> {
    let cache = Cache::of(project);
    let mut done = Transferred::default();
    let mut urls = BTreeSet::new();
    for group in groups(project, transfer)? {
        let hands = group.storage.hands();
        // The listings of folders first: they say what else is to come.
        let listings = heads(&group.outs, Out::is_dir);
        let listings = not_here(&cache, listings, &mut done)?;
        let counter = Counter::new(transfer, "Listed", listings.len() as u64, 0);
        each(&listings, hands, &|item| {
            fetch(&group.storage, &cache, item, &counter)
        })?;
        done.files += listings.len() as u64;
        done.bytes += counter.bytes.into_inner();

        let mut items = objects(&cache, &group.outs)?;
        items.retain(|item| !item.is_listing());
        let (all, have) = (sizes(&group.outs), present(&cache, &group.outs)?);
        let items = not_here(&cache, items, &mut done)?;
        let total = all.saturating_sub(have);
        let counter = Counter::new(transfer, "Pulled", items.len() as u64, total);
        counter.say();
        each(&items, hands, &|item| {
            fetch(&group.storage, &cache, item, &counter)
        })?;
        done.files += counter.files.into_inner();
        done.bytes += counter.bytes.into_inner();
        for (out, place) in &group.outs {
            let _lock = Exclusive::take(project.root())?;
            checkout::checkout_out(project, out, place, Overwrite::Refuse)?;
        }
        urls.insert(group.url);
    }
    done.remote = urls.into_iter().collect::<Vec<_>>().join(", ");
    Ok(done)
}

/// The objects that the outputs themselves name.
fn heads(outs: &[(Out, PathBuf)], which: fn(&Out) -> bool) -> Vec<Item> {
    let mut seen = BTreeSet::new();
    outs.iter()
        .filter(|(out, _)| which(out))
        .filter_map(|(out, place)| {
            let (id, legacy) = (out.md5.clone()?, out.is_legacy());
            seen.insert((id.clone(), legacy)).then(|| Item {
                id,
                legacy,
                place: place.clone(),
                bytes: 0,
            })
        })
        .collect()
}

/// Without those that lie in the cache already, whole.
fn not_here(cache: &Cache, items: Vec<Item>, done: &mut Transferred) -> Result<Vec<Item>> {
    let here = std::sync::Mutex::new(BTreeSet::new());
    each(&items, HASHING, &|item| {
        if cache.sound(&item.id, item.legacy)?
            && let Ok(mut here) = here.lock()
        {
            here.insert((item.id.clone(), item.legacy));
        }
        Ok(())
    })?;
    let here = here.into_inner().unwrap_or_default();
    done.skipped += here.len() as u64;
    Ok(items
        .into_iter()
        .filter(|item| !here.contains(&(item.id.clone(), item.legacy)))
        .collect())
}

/// The bytes of all outputs, as the project's files say.
fn sizes(outs: &[(Out, PathBuf)]) -> u64 {
    outs.iter().filter_map(|(out, _)| out.size).sum()
}

/// How many of those bytes the cache has.
fn present(cache: &Cache, outs: &[(Out, PathBuf)]) -> Result<u64> {
    let size = |id: &str, legacy: bool| -> Result<u64> {
        // What is not there has no size here.
        Ok(fs_err::metadata(cache.object(id, legacy)?).map_or(0, |meta| meta.len()))
    };
    let mut bytes = 0;
    for (out, _) in outs {
        let (Some(id), legacy) = (&out.md5, out.is_legacy()) else {
            continue;
        };
        if !out.is_dir() {
            bytes += size(id, legacy)?;
            continue;
        }
        for entry in cache.entries(id, legacy)? {
            bytes += size(&entry.md5, legacy)?;
        }
    }
    Ok(bytes)
}

fn fetch(storage: &Storage, cache: &Cache, item: &Item, counter: &Counter<'_>) -> Result<()> {
    counter.check()?;
    let to = cache.object(&item.id, item.legacy)?;
    let folder = to.parent().unwrap_or(cache.root());
    fs_err::create_dir_all(folder)?;
    let (part, _lock) = part(folder, item)?;
    let path = item.path();
    let watch = Watch {
        moved: &|bytes| counter.moved(bytes),
        stop: counter.stop,
    };
    match storage.fetch(&path, &part, watch) {
        Ok(()) => {}
        Err(lapwing_remote::Error::NotFound { .. }) => return Err(item.missing()),
        Err(lapwing_remote::Error::NoFolder { path }) => return Err(Error::NoFolder(path)),
        Err(error) => return Err(error.into()),
    }
    let part = tempfile::TempPath::try_from_path(part)?;
    let found = hash::file_id(&part, item.legacy && !item.is_listing(), &mut |_| {})?;
    if found != item.id.trim_end_matches(".dir") {
        // The part goes with its path: the next try begins anew.
        return Err(Error::Corrupt { what: path });
    }
    cache.finish(part, &to)?;
    counter.finished();
    Ok(())
}

/// Where an object arrives, beside its place: the same file after a cut, and another one while somebody else is at it.
fn part(folder: &Path, item: &Item) -> Result<(PathBuf, std::fs::File)> {
    let open = |path: &Path| {
        fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map(fs_err::File::into_file)
    };
    let (_, rest) = item.id.split_at(2);
    let usual = folder.join(format!(".lapwing-{rest}.part"));
    let file = open(&usual)?;
    // Whoever held it may have given it its final name meanwhile.
    if file.try_lock().is_ok() && usual.exists() {
        return Ok((usual, file));
    }
    let own = tempfile::Builder::new()
        .prefix(".lapwing-")
        .suffix(".part")
        .tempfile_in(folder)?
        .into_temp_path()
        .keep()
        .map_err(|error| Error::Io(error.error))?;
    let file = open(&own)?;
    Ok((own, file))
}
