//! What lies at a path of the project, in the words of the lock: the only place that asks `lapwing-data`.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
};

use fs_err as fs;
use ignore::WalkBuilder;
use lapwing_data::{Cache, Content, Out, Overwrite, Project, checkout_out, content_of};

use crate::{Drafts, Error, Result, StageLock, lock::LockEntry, paths, template::Options};

/// Folders that hold no pipelines.
const NEVER: [&str; 3] = [".git", ".hg", ".dvc"];

/// What becomes of an output after it was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Its content goes into the cache, and the project's file becomes a link where links are configured.
    Linked,
    /// Its content goes into the cache; the file stays as it is, for git.
    Copy,
    No,
}

/// The files of one project. Each path is hashed once as long as this lives.
pub(crate) struct Files<'a> {
    project: &'a Project,
    cache: Cache,
    seen: RefCell<HashMap<(String, bool), LockEntry>>,
    drafts: Drafts,
}

impl<'a> Files<'a> {
    pub(crate) fn new(project: &'a Project) -> Self {
        Self::with(project, Drafts::default())
    }

    /// With parameter files as they would be.
    pub(crate) fn with(project: &'a Project, drafts: Drafts) -> Self {
        Self {
            project,
            cache: Cache::of(project),
            seen: RefCell::default(),
            drafts,
        }
    }

    pub(crate) fn drafts(&self) -> &Drafts {
        &self.drafts
    }

    pub(crate) fn root(&self) -> &Path {
        self.project.root()
    }

    fn at(&self, path: &str) -> PathBuf {
        paths::on_disk(self.root(), path)
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    /// Whether a path stays in the project, with every link on the way resolved.
    pub(crate) fn is_inside(&self, path: &str) -> bool {
        !paths::is_absolute(path)
            && !paths::is_url(path)
            && lapwing_data::beneath(self.root(), Path::new(path)).is_ok()
    }

    /// The id of what lies at a path. `legacy` folds line ends as DVC 2 did.
    pub(crate) fn id(&self, path: &str, legacy: bool) -> Result<Option<String>> {
        Ok(self.hashed(path, legacy)?.md5)
    }

    /// What lies at a path, under the name that a stage gives it.
    pub(crate) fn entry(&self, path: &str, written: &str) -> Result<LockEntry> {
        Ok(LockEntry {
            path: written.to_owned(),
            ..self.hashed(path, false)?
        })
    }

    fn hashed(&self, path: &str, legacy: bool) -> Result<LockEntry> {
        let key = (path.to_owned(), legacy);
        if let Some(entry) = self.seen.borrow().get(&key) {
            return Ok(entry.clone());
        }
        let content = content_of(self.project, &self.at(path), legacy)?;
        let entry = to_entry(path, &content);
        self.seen.borrow_mut().insert(key, entry.clone());
        Ok(entry)
    }

    pub(crate) fn in_cache(&self, id: &str, legacy: bool) -> bool {
        self.cache.has(id, legacy)
    }

    /// Hashes what lies at a path now and keeps it as told.
    pub(crate) fn save(&self, path: &str, written: &str, keep: Keep) -> Result<LockEntry> {
        let full = self.at(path);
        let content = content_of(self.project, &full, false)?;
        let entry = to_entry(written, &content);
        if keep != Keep::No {
            self.cache.save(&full, &content)?;
        }
        if keep == Keep::Linked && self.has_links() && self.cache.has(&content.id, false) {
            remove(&full)?;
            self.checkout(path, &entry, true)?;
        }
        Ok(entry)
    }

    /// Whether files of the project are links into the cache.
    fn has_links(&self) -> bool {
        let kinds = self.project.config().get("cache", "type");
        kinds.is_some_and(|kinds| kinds.contains("hardlink") || kinds.contains("symlink"))
    }

    /// Makes a path what an entry says; `cached` outputs may be links, others are for git and become plain files.
    pub(crate) fn checkout(&self, path: &str, entry: &LockEntry, cached: bool) -> Result<()> {
        let out = Out {
            md5: entry.md5.clone(),
            size: entry.size,
            nfiles: entry.nfiles,
            isexec: entry.isexec,
            hash: entry.hash.clone(),
            path: path.to_owned(),
            cache: true,
            ..Out::default()
        };
        let full = self.at(path);
        checkout_out(self.project, &out, &full, Overwrite::Force)?;
        if !cached && self.has_links() {
            unlink(&full)?;
        }
        Ok(())
    }

    /// Makes plain files of links into the cache, so that a command may write them.
    pub(crate) fn unlink(&self, path: &str) -> Result<()> {
        unlink(&self.at(path))
    }

    pub(crate) fn is_tracked(&self, path: &str) -> Result<bool> {
        Ok(self.has_git() && self.project.is_tracked_by_git(path)?)
    }

    /// DVC also works without git (`core.no_scm`).
    fn has_git(&self) -> bool {
        self.root()
            .ancestors()
            .any(|folder| folder.join(".git").exists())
    }

    /// Keeps a path out of git.
    pub(crate) fn ignore(&self, path: &str) -> Result<()> {
        if self.has_git() {
            lapwing_data::ignore(self.project, &self.at(path))?;
        }
        Ok(())
    }

    /// Where run-cache entries lie.
    pub(crate) fn runs(&self) -> PathBuf {
        self.cache.root().join("runs")
    }

    /// Every `dvc.yaml`, the root's first; not of projects inside the project, nor of ignored folders.
    pub(crate) fn pipeline_files(&self) -> Vec<String> {
        let root = self.root().to_owned();
        let mut walk = WalkBuilder::new(&root);
        walk.standard_filters(false)
            .git_ignore(true)
            .require_git(false)
            .add_custom_ignore_filename(".dvcignore")
            .filter_entry(move |entry| {
                let never = NEVER.iter().any(|name| entry.file_name() == *name);
                let other_project = entry.path() != root && entry.path().join(".dvc").is_dir();
                !never && !other_project
            });
        let mut files: Vec<String> = walk
            .build()
            .filter_map(std::result::Result::ok) // What may not be read holds nothing for this user.
            .filter(|entry| entry.file_name() == "dvc.yaml" && entry.path().is_file())
            .map(|entry| self.project.relative(entry.path()))
            .collect();
        let main = "dvc.yaml";
        if self.at(main).is_file() && !files.iter().any(|file| file == main) {
            files.push(main.to_owned());
        }
        files.sort_by_key(|file| (file != main, file.clone()));
        files
    }

    /// DVC's `[parsing]` section.
    pub(crate) fn options(&self) -> Options {
        let is = |key: &str, value: &str| self.project.config().get("parsing", key) == Some(value);
        Options {
            negated_flags: is("bool", "boolean_optional"),
            repeated_lists: is("list", "append"),
        }
    }

    /// The record of every output of an entry that is in the cache.
    pub(crate) fn has_outs(&self, record: &StageLock) -> bool {
        record.outs.iter().all(|entry| {
            let id = entry.md5.as_deref().unwrap_or_default();
            self.in_cache(id, entry.hash.is_none())
        })
    }
}

fn to_entry(written: &str, content: &Content) -> LockEntry {
    LockEntry {
        path: written.to_owned(),
        hash: Some("md5".to_owned()),
        md5: Some(content.id.clone()),
        size: Some(content.size),
        nfiles: content.nfiles,
        isexec: content.isexec,
        rest: Vec::new(),
    }
}

/// Deletes a file, link or folder; what is not there is gone already.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(fs::remove_dir_all(path)?),
        Ok(_) => Ok(fs::remove_file(path)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn unlink(path: &Path) -> Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            unlink(&entry?.path())?;
        }
        return Ok(());
    }
    // A link of either kind into the cache cannot be written: objects are read-only.
    if metadata.is_symlink() || metadata.permissions().readonly() {
        let content = fs::read(path)?;
        fs::remove_file(path)?;
        fs::write(path, content).map_err(Error::from)?;
    }
    Ok(())
}
