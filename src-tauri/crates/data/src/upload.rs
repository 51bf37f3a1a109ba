//! Which files of a project travel to another machine: known, with the reason for each, before anything is sent.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{Repository, StatusOptions};
use serde::Serialize;
use specta::Type;

use crate::{Error, Project, Result, git, ignores};

/// A list that nobody can read and that no job needs is a mistake: a data folder that is not ignored.
const MAX_FILES: usize = 200_000;

/// Why a file goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Git tracks it.
    Tracked,
    /// It is new, and nothing ignores it.
    New,
    /// It is one of the inputs that were asked for, though git ignores it.
    Input,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Type)]
pub struct UploadFile {
    /// Relative to the project, with slashes.
    pub path: String,
    #[specta(type = f64)]
    pub size: u64,
    pub why: Why,
}

/// Why something stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Stays {
    /// `.gitignore` leaves it out, and it is no input.
    Ignored,
    /// A repository of its own.
    Submodule,
    /// Its name has a line break.
    Name,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Type)]
pub struct LeftOut {
    /// A folder that stays as a whole ends with a slash.
    pub path: String,
    pub why: Stays,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Type)]
pub struct UploadList {
    pub files: Vec<UploadFile>,
    #[specta(type = f64)]
    pub bytes: u64,
    pub left_out: Vec<LeftOut>,
    /// Inputs that are not in the folder: to be pulled or made first.
    pub missing: Vec<String>,
}

/// What a command needs that reads `inputs` (files and folders, relative to the project): what git tracks, with its
/// uncommitted changes, what is new and not ignored, and the inputs themselves. History, cache and environments stay.
///
/// # Errors
/// When the repository is damaged, a folder cannot be read, or there are too many files.
pub fn upload_list(project: &Project, inputs: &[String]) -> Result<UploadList> {
    let repository = git::open(project)?;
    let prefix = project.in_repository(&repository, "")?;
    let mut list = Lister {
        project,
        prefix: prefix.trim_end_matches('/').to_owned(),
        files: BTreeMap::new(),
        left_out: Vec::new(),
    };
    list.tracked(&repository)?;
    list.by_status(&repository)?;
    let mut missing = Vec::new();
    for input in inputs {
        let place = project.beneath(Path::new(input))?;
        if place.exists() {
            list.input(&place)?;
        } else {
            missing.push(input.clone());
        }
    }
    let files: Vec<UploadFile> = list.files.into_values().collect();
    let mut left_out = list.left_out;
    // A folder that is ignored, but holds nothing else than inputs, does not stay.
    left_out.retain(|out| !inputs.contains(&out.path.trim_end_matches('/').to_owned()));
    left_out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(UploadList {
        bytes: files.iter().map(|file| file.size).sum(),
        files,
        left_out,
        missing,
    })
}

struct Lister<'a> {
    project: &'a Project,
    /// Of the project in its repository.
    prefix: String,
    files: BTreeMap<String, UploadFile>,
    left_out: Vec<LeftOut>,
}

impl Lister<'_> {
    fn tracked(&mut self, repository: &Repository) -> Result<()> {
        const SUBMODULE: u32 = 0o160_000;
        for entry in repository.index()?.iter() {
            let Some(path) = self.own(&String::from_utf8_lossy(&entry.path)) else {
                continue;
            };
            if entry.mode == SUBMODULE {
                self.stays(path, Stays::Submodule);
            } else {
                self.add(path, Why::Tracked)?;
            }
        }
        Ok(())
    }

    fn by_status(&mut self, repository: &Repository) -> Result<()> {
        let mut options = StatusOptions::new();
        options
            .include_untracked(true)
            .recurse_untracked_dirs(true)
            .include_ignored(true)
            .exclude_submodules(true);
        if !self.prefix.is_empty() {
            options.pathspec(&self.prefix);
        }
        for entry in repository.statuses(Some(&mut options))?.iter() {
            let Some(path) = self.own(&String::from_utf8_lossy(entry.path_bytes())) else {
                continue;
            };
            if entry.status().is_ignored() {
                self.stays(path, Stays::Ignored);
            } else if entry.status().is_wt_new() {
                if path.ends_with('/') {
                    self.stays(path, Stays::Submodule);
                } else {
                    self.add(path, Why::New)?;
                }
            }
        }
        Ok(())
    }

    fn input(&mut self, place: &Path) -> Result<()> {
        let files = if place.is_dir() {
            ignores::files(place)?
        } else {
            vec![place.to_owned()]
        };
        for file in files {
            let path = self.project.relative(&file);
            self.left_out.retain(|out| out.path != path);
            self.add(path, Why::Input)?;
        }
        Ok(())
    }

    /// A path of the repository as one of the project; `None` outside of it.
    fn own(&self, path: &str) -> Option<String> {
        if self.prefix.is_empty() {
            return Some(path.to_owned());
        }
        let path = path.strip_prefix(&self.prefix)?.strip_prefix('/')?;
        (!path.is_empty()).then(|| path.to_owned())
    }

    fn stays(&mut self, path: String, why: Stays) {
        self.left_out.push(LeftOut { path, why });
    }

    fn add(&mut self, path: String, why: Why) -> Result<()> {
        if path.contains('\n') {
            self.stays(path, Stays::Name);
            return Ok(());
        }
        // Tracked, but deleted and not committed: it is not there either way.
        let Ok(meta) = fs_err::symlink_metadata(self.project.root().join(&path)) else {
            return Ok(());
        };
        if meta.is_dir() || self.files.contains_key(&path) {
            return Ok(());
        }
        if self.files.len() >= MAX_FILES {
            return Err(Error::TooManyFiles(MAX_FILES));
        }
        // A link into the cache goes as what it leads to.
        let size =
            fs_err::metadata(self.project.root().join(&path)).map_or(meta.len(), |m| m.len());
        self.files
            .insert(path.clone(), UploadFile { path, size, why });
        Ok(())
    }
}
