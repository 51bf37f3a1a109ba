//! Models at the Hugging Face Hub: a repository for each model, a tag for each version, `v3`, a branch for each alias, and `main`
//! for the newest.

mod card;
mod revision;

use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lapwing_remote::hugging_face::{Added, Change, Content, Entry, HuggingFace, Model, Oid, Refs};
use lapwing_remote::mlflow::Which;
use lapwing_remote::{Error, digest};

use super::keeper::{Identity, MAX_FOUND, Meter, Sent, Source, There, beneath, first};
use super::package::Package;
use crate::transfers::Line;
use crate::wire::{FoundModels, RemoteModelRow};
use card::CARD;
pub(super) use revision::Revision;
use revision::{RECORD, Record};

const MAIN: &str = "main";
/// Files that are on the way at once.
const MAX_FILES: usize = 4;
/// Of what a search finds, so many of Lapwing's own are asked for their versions and aliases.
const MAX_ASKED: usize = 20;
/// Of a card that others wrote, so much is kept as the description.
const MAX_DESCRIPTION: usize = 4000;
/// The tag in a card by which search tells a model that Lapwing pushed.
const PUSHED: &str = "lapwing";
/// The commit that a version was pulled from.
const COMMIT: &str = "lapwing.hugging_face.commit";

/// The Hub, and how it is used from here.
pub(super) struct Hub {
    server: HuggingFace,
    /// Whether repositories that a push makes are private.
    private: bool,
    /// Where `huggingface_hub` keeps what it downloaded: read, never written.
    cache: Option<PathBuf>,
}

impl Hub {
    pub fn new(server: HuggingFace, private: bool, cache: Option<PathBuf>) -> Self {
        Self {
            server,
            private,
            cache,
        }
    }

    /// What the Hub has; without a text, one's own.
    pub async fn search(&self, remote: &str, text: &str) -> Result<FoundModels, Error> {
        let own = if text.is_empty() && self.server.signed_in() {
            Some(self.server.user().await?)
        } else {
            None
        };
        let most = MAX_FOUND + 1;
        let (found, more) = first(self.server.search(text, own.as_deref(), most).await?);
        let mut asked = 0;
        let mut rows = Vec::new();
        for model in found {
            let ours = model.tags.iter().any(|tag| tag == PUSHED) && asked < MAX_ASKED;
            let refs = if ours {
                asked += 1;
                self.server.refs(&model.id).await?
            } else {
                Refs::default()
            };
            rows.push(row(remote, model, &refs));
        }
        Ok(FoundModels { rows, more })
    }

    pub async fn push(&self, line: &Line, package: &Package, name: &str) -> Result<Sent, Error> {
        let repo = self.repository(name).await?;
        let head = self.head(&repo).await?;
        let refs = self.server.refs(&repo).await?;
        let mut numbers = numbers(&refs);
        numbers.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
        for (number, commit) in &numbers {
            let known = Revision::read(&self.server, &repo, commit).await?;
            if known.is(&package.files)? {
                return Ok(Sent {
                    name: repo,
                    version: number.to_string(),
                    new: false,
                    files: 0,
                    bytes: 0,
                });
            }
        }
        let own = package.version.version;
        let taken = numbers.iter().any(|(number, _)| *number == own);
        let number = match numbers.first() {
            Some((last, _)) if taken => last + 1,
            Some(_) | None => own,
        };
        let (commit, files, bytes) = self.commit(line, &repo, head, package, number).await?;
        // Last: only now is it a version.
        let message = format!("{} version {own}", package.version.name);
        let tag = format!("v{number}");
        self.server.tag(&repo, &tag, &commit, &message).await?;
        Ok(Sent {
            name: repo,
            version: number.to_string(),
            new: true,
            files,
            bytes,
        })
    }

    /// Where the newest is now; a repository that is not there is made.
    async fn head(&self, repo: &str) -> Result<Option<Revision>, Error> {
        let found = match self.server.model(repo, MAIN).await {
            Err(Error::NotFound { .. }) => {
                self.server.create(repo, self.private).await?;
                self.server.model(repo, MAIN).await
            }
            found => found,
        };
        match found {
            Ok(Model { sha: Some(sha), .. }) => {
                Revision::read(&self.server, repo, &sha).await.map(Some)
            }
            // New, and without a first commit.
            Ok(Model { sha: None, .. }) | Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Brings `main` to the package's files. Answers the commit, and the files and bytes that went.
    async fn commit(
        &self,
        line: &Line,
        repo: &str,
        head: Option<Revision>,
        package: &Package,
        number: u32,
    ) -> Result<(String, usize, u64), Error> {
        let mut added: Vec<Added> = package.files.iter().map(on_disk).collect();
        added.push(in_memory(RECORD, Record::of(package, number).json()));
        self.settle_card(repo, head.as_ref(), package, &mut added)
            .await?;
        let mut deleted = Vec::new();
        if let Some(head) = &head {
            deleted = head.left_over(&added);
            let mut changed = Vec::new();
            for file in added {
                if !head.has(&file)? {
                    changed.push(file);
                }
            }
            added = changed;
            if added.is_empty() && deleted.is_empty() {
                // A push that was cut had come so far.
                return Ok((head.commit.clone(), 0, 0));
            }
        }
        let meter = Meter::new(line, added.iter().map(|file| file.size).sum());
        let change = Change {
            branch: MAIN,
            parent: head.as_ref().map(|head| head.commit.as_str()),
            summary: &format!(
                "{} version {}",
                package.version.name, package.version.version
            ),
            added: &added,
            deleted: &deleted,
        };
        let moved = |bytes| meter.moved(repo, bytes);
        let done = self.server.commit(repo, &change, &moved).await?;
        Ok((done.commit, done.files, done.bytes))
    }

    /// Which card the repository gets: a person's stays, then comes the model's own, then ours.
    async fn settle_card(
        &self,
        repo: &str,
        head: Option<&Revision>,
        package: &Package,
        added: &mut Vec<Added>,
    ) -> Result<(), Error> {
        let there = match head.filter(|head| head.files.iter().any(|file| file.path == CARD)) {
            Some(head) => self.server.read(repo, &head.commit, CARD).await?,
            None => None,
        };
        let foreign = there.is_some_and(|text| !card::is_ours(&text));
        if foreign {
            added.retain(|file| file.path != CARD);
        } else if added.iter().all(|file| file.path != CARD) {
            added.push(in_memory(CARD, card::card(package).into_bytes()));
        }
        Ok(())
    }

    /// The repository of a name that says no owner is one's own.
    async fn repository(&self, name: &str) -> Result<String, Error> {
        check(name)?;
        if name.contains('/') || !self.server.signed_in() {
            return Ok(name.to_owned());
        }
        Ok(format!("{}/{name}", self.server.user().await?))
    }

    /// Lets the alias's branch end at a version. A branch with commits of its own is somebody's work, and stays.
    pub async fn set_alias(&self, repo: &str, alias: &str, version: &str) -> Result<(), Error> {
        let refs = self.server.refs(repo).await?;
        let numbers = numbers(&refs);
        let commit = numbers
            .iter()
            .find(|(number, _)| number.to_string() == version)
            .map(|(_, commit)| commit)
            .ok_or_else(|| Error::NotFound {
                url: format!("version {version} of {repo}"),
            })?;
        let now = refs.branches.iter().find(|branch| branch.name == alias);
        if let Some(now) = now {
            if now.target_commit == *commit {
                return Ok(());
            }
            let theirs = alias == MAIN || numbers.iter().all(|(_, one)| *one != now.target_commit);
            if theirs {
                return Err(Error::Name {
                    name: alias.to_owned(),
                    why: format!("{repo} has a branch of that name with commits of its own"),
                });
            }
        }
        self.server.set_branch(repo, alias, commit).await
    }

    pub async fn find(&self, name: &str, which: &Which) -> Result<There, Error> {
        let wanted = match which {
            Which::Number(number) => format!("v{number}"),
            Which::Alias(alias) => alias.clone(),
            Which::Newest => MAIN.to_owned(),
        };
        let (repo, commit) = self.look_up(name, &wanted).await?;
        let revision = Revision::read(&self.server, &repo, &commit).await?;
        let refs = self.server.refs(&repo).await?;
        let number = numbers(&refs).into_iter().find(|(_, one)| *one == commit);
        let description = match &revision.record {
            Some(record) => record.description.clone(),
            None => self.description(&revision).await?,
        };
        Ok(There {
            name: repo,
            version: number.map_or_else(|| commit.clone(), |(number, _)| number.to_string()),
            description,
            identity: Identity::Contents,
            tags: vec![(COMMIT.to_owned(), commit)],
            source: Source::HuggingFace(revision),
        })
    }

    /// The repository and the commit behind a name and a revision.
    async fn look_up(&self, name: &str, revision: &str) -> Result<(String, String), Error> {
        let own = self.repository(name).await?;
        // The oldest public models have no owner in their names.
        let found = match self.server.model(&own, revision).await {
            Err(Error::NotFound { .. }) if own != name => self
                .server
                .model(name, revision)
                .await
                .map(|found| (name.to_owned(), found)),
            found => found.map(|found| (own, found)),
        };
        let (repo, model) = found?;
        let commit = model.sha.ok_or_else(|| Error::NotFound {
            url: format!("a commit of {repo}"),
        })?;
        Ok((repo, commit))
    }

    async fn description(&self, revision: &Revision) -> Result<String, Error> {
        if revision.files.iter().all(|file| file.path != CARD) {
            return Ok(String::new());
        }
        let text = self
            .server
            .read(&revision.repo, &revision.commit, CARD)
            .await?;
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        Ok(card::body(&text).chars().take(MAX_DESCRIPTION).collect())
    }

    /// Fetches what belongs to the model. What lies here with the same digest is not asked for again.
    pub async fn fetch(
        &self,
        line: &Line,
        from: &Revision,
        folder: &Path,
        here: &[digest::File],
    ) -> Result<(), Error> {
        let wanted = from.wanted();
        if wanted.iter().all(|file| file.path == CARD) {
            return Err(Error::NotFound {
                url: format!("a file of {} besides its card", from.repo),
            });
        }
        let meter = Meter::new(line, wanted.iter().map(|file| file.size).sum());
        stream::iter(
            wanted
                .iter()
                .map(|file| self.fetch_one(from, file, folder, here, &meter)),
        )
        .buffer_unordered(MAX_FILES)
        .try_collect::<Vec<()>>()
        .await?;
        Ok(())
    }

    async fn fetch_one(
        &self,
        from: &Revision,
        file: &Entry,
        folder: &Path,
        here: &[digest::File],
        meter: &Meter,
    ) -> Result<(), Error> {
        let place = beneath(folder, &file.path)?;
        if place.is_file() && file.oid.of_file(&place)? == file.oid.text() {
            meter.moved(&file.path, file.size);
            return Ok(());
        }
        if let Some(parent) = place.parent() {
            fs_err::create_dir_all(parent)?;
        }
        // Beside the folder, and for this file alone: two files may have one content.
        let of_path = digest::sha256_of(file.path.as_bytes());
        let part = folder.with_extension(format!("{}-{}", short(&of_path), short(file.oid.text())));
        for source in self.at_hand(from, file, here)? {
            fs_err::copy(&source, &part)?;
            if file.oid.of_file(&part)? == file.oid.text() {
                fs_err::rename(&part, &place)?;
                meter.moved(&file.path, file.size);
                return Ok(());
            }
            fs_err::remove_file(&part)?;
        }
        let moved = |bytes| meter.moved(&file.path, bytes);
        self.server
            .fetch(&from.repo, &from.commit, file, &part, &place, &moved)
            .await
    }

    /// Files on this machine that should have the same content: of versions that are here, and of `huggingface_hub`'s cache.
    fn at_hand(
        &self,
        from: &Revision,
        file: &Entry,
        here: &[digest::File],
    ) -> Result<Vec<PathBuf>, Error> {
        let mut found = Vec::new();
        for known in here.iter().filter(|known| known.size == file.size) {
            let same = match &file.oid {
                Oid::Lfs(sha256) => known.sha256 == *sha256,
                Oid::Git(sha1) => digest::git_blob(&known.on_disk)? == *sha1,
            };
            if same {
                found.push(known.on_disk.clone());
                break;
            }
        }
        let plain = file.oid.text().bytes().all(|b| b.is_ascii_hexdigit());
        if let Some(cache) = self.cache.as_ref().filter(|_| plain) {
            let folder = format!("models--{}", from.repo.replace('/', "--"));
            let blob = cache.join(folder).join("blobs").join(file.oid.text());
            if fs_err::metadata(&blob).is_ok_and(|blob| blob.is_file() && blob.len() == file.size) {
                found.push(blob);
            }
        }
        Ok(found)
    }
}

fn short(hex: &str) -> String {
    hex.chars().take(12).collect()
}

fn on_disk(file: &digest::File) -> Added {
    Added {
        path: file.path.clone(),
        size: file.size,
        sha256: file.sha256.clone(),
        content: Content::OnDisk(file.on_disk.clone()),
    }
}

fn in_memory(path: &str, content: Vec<u8>) -> Added {
    Added {
        path: path.to_owned(),
        size: content.len() as u64,
        sha256: digest::sha256_of(&content),
        content: Content::InMemory(content),
    }
}

/// The versions: numbers, and the commits that their tags name.
fn numbers(refs: &Refs) -> Vec<(u32, String)> {
    refs.tags
        .iter()
        .filter_map(|tag| {
            let number = tag.name.strip_prefix('v')?.parse().ok()?; // Another tag: none of a version.
            Some((number, tag.target_commit.clone()))
        })
        .collect()
}

fn row(remote: &str, model: Model, refs: &Refs) -> RemoteModelRow {
    let numbers = numbers(refs);
    let aliases = refs
        .branches
        .iter()
        .filter_map(|branch| {
            let (number, _) = numbers
                .iter()
                .find(|(_, commit)| *commit == branch.target_commit)?;
            (branch.name != MAIN).then(|| (branch.name.clone(), number.to_string()))
        })
        .collect();
    let newest = numbers.iter().map(|(number, _)| number).max();
    RemoteModelRow {
        address: format!("{remote}:{}", model.id),
        description: words(&model),
        latest: Some(newest.map_or_else(|| MAIN.to_owned(), ToString::to_string)),
        aliases,
        name: model.id,
    }
}

/// What the Hub knows of a model without its card.
fn words(model: &Model) -> String {
    let mut words: Vec<String> = Vec::new();
    words.extend(model.pipeline_tag.clone());
    words.extend(model.library_name.clone());
    if model.private {
        words.push("private".to_owned());
    }
    if model.downloads > 0 {
        words.push(format!("{} downloads", model.downloads));
    }
    words.join(", ")
}

/// What the Hub takes as a repository: checked here, because the name becomes part of an address.
fn check(name: &str) -> Result<(), Error> {
    const MAX_LENGTH: usize = 96;
    let good = |part: &str| {
        let plain = part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        plain && !part.is_empty() && part.len() <= MAX_LENGTH && !part.starts_with(['.', '-'])
    };
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() <= 2 && parts.into_iter().all(good) {
        return Ok(());
    }
    Err(Error::Name {
        name: name.to_owned(),
        why: "a repository is called OWNER/NAME, with letters, digits, `-`, `_` and `.`".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn only_what_the_hub_takes_becomes_part_of_an_address() {
        for good in ["gpt2", "org/my-model_2.0"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "a/b/c", "../x", "a b", "org/", "org/x?y", "org/.hidden"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
