//! `.dvc` files: read whole, written so that comments and unknown keys stay.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::edit::{edited, keys};
use crate::{Error, Out, Project, Result, ignores, write_whole};

/// One `.dvc` file.
#[derive(Debug, Clone, PartialEq)]
pub struct DvcFile {
    /// Absolute.
    pub path: PathBuf,
    pub outs: Vec<Out>,
    /// An import from elsewhere: updated by `dvc`, not by adding.
    pub imported: bool,
    wdir: Option<String>,
    text: String,
}

#[derive(Debug, Deserialize)]
struct Wire {
    #[serde(default)]
    outs: Vec<Out>,
    #[serde(default)]
    deps: Vec<serde_json::Value>,
    #[serde(default)]
    wdir: Option<String>,
}

/// All `.dvc` files of a project, sorted.
#[must_use]
pub fn find(project: &Project) -> Vec<PathBuf> {
    ignores::named(project.root(), |path| {
        path.extension().is_some_and(|extension| extension == "dvc")
    })
}

impl DvcFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not what a `.dvc` file is: the message names the place.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(path)?;
        Self::parse(path, text)
    }

    /// Reads the text of a file, from a commit say.
    ///
    /// # Errors
    /// When it is not what a `.dvc` file is.
    pub fn parse(path: &Path, text: String) -> Result<Self> {
        let bad = |reason: String| Error::BadDvcFile {
            path: path.display().to_string(),
            reason,
        };
        let wire: Wire =
            serde_saphyr::from_str(&text).map_err(|error| bad(first_line(&error.to_string())))?;
        if let Some(out) = wire.outs.iter().find(|out| out.path.is_empty()) {
            return Err(bad(format!(
                "an output has no path (content {})",
                out.md5.as_deref().unwrap_or("unknown")
            )));
        }
        if let Some(id) = wire
            .outs
            .iter()
            .filter_map(|out| out.md5.as_ref())
            .find(|id| !crate::hash::is_id(id))
        {
            return Err(bad(format!("`{id}` is no content id")));
        }
        Ok(Self {
            path: path.to_owned(),
            outs: wire.outs,
            imported: !wire.deps.is_empty(),
            wdir: wire.wdir,
            text,
        })
    }

    /// Where an output lies, beneath the project's root.
    ///
    /// # Errors
    /// When the file names a place outside.
    pub fn place(&self, project: &Project, out: &Out) -> Result<PathBuf> {
        let folder = self.path.parent().unwrap_or(project.root());
        let base = self
            .wdir
            .as_ref()
            .map_or_else(|| folder.to_owned(), |wdir| folder.join(wdir));
        crate::beneath(project.root(), &base.join(&out.path))
    }

    /// Writes the file with `out` as the content of the output with that path; other outputs stay.
    ///
    /// # Errors
    /// When the file is there but does not track that path, its layout cannot be edited, or it cannot be written.
    pub fn write(path: &Path, out: &Out) -> Result<()> {
        let text = match Self::read(path) {
            Ok(old) => old.with(out)?,
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => fresh(out),
            Err(error) => return Err(error),
        };
        write_whole(path, text.as_bytes())
    }

    /// The text with the content of the output at `out.path` replaced.
    pub(crate) fn with(&self, out: &Out) -> Result<String> {
        let bad = |reason: String| Error::BadDvcFile {
            path: self.path.display().to_string(),
            reason,
        };
        let index = self
            .outs
            .iter()
            .position(|old| same_path(&old.path, &out.path))
            .ok_or_else(|| bad(format!("it tracks other paths than `{}`", out.path)))?;
        let says_so = |text: &String| {
            let same_rest = rest(text, index) == rest(&self.text, index);
            let read = Self::parse(&self.path, text.clone());
            let new = read.ok().and_then(|file| file.outs.into_iter().nth(index));
            same_rest
                && new.is_some_and(|new| {
                    (&new.md5, new.size, new.nfiles, new.isexec, &new.hash)
                        == (&out.md5, out.size, out.nfiles, out.isexec, &out.hash)
                })
        };
        edited(&self.text, index, out)
            .filter(says_so)
            .ok_or_else(|| bad("its list of outputs is not written one key a line".to_owned()))
    }
}

fn same_path(one: &str, other: &str) -> bool {
    let plain = |path: &str| {
        path.trim_start_matches("./")
            .trim_end_matches('/')
            .to_owned()
    };
    plain(one) == plain(other)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn fresh(out: &Out) -> String {
    let mut text = String::from("outs:\n");
    for (index, (key, value)) in keys(out).into_iter().enumerate() {
        let mark = if index == 0 { "-" } else { " " };
        text.push_str(&format!("{mark} {key}: {value}\n"));
    }
    text.push_str(&format!("  path: {}\n", quoted(&out.path)));
    text
}

/// A plain scalar where any YAML reader takes it as the same string, else in single quotes.
fn quoted(text: &str) -> String {
    const WORDS: [&str; 11] = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf",
    ];
    let plain = text
        .chars()
        .all(|c| c.is_alphanumeric() || "._-/ ".contains(c))
        && !text.starts_with(['-', ' ', '.'])
        && !text.ends_with(' ')
        && !may_be_number(text)
        && !WORDS.contains(&text.to_lowercase().as_str());
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// True when a digit comes first and nothing rules out a number of some base, or a date.
fn may_be_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_numeric())
        && !text.chars().any(|c| {
            c == '/' || (c.is_alphabetic() && !"abcdefxotz".contains(c.to_ascii_lowercase()))
        })
}

/// The file without what adding decides about the output number `index`, to tell whether an edit changed anything else.
fn rest(text: &str, index: usize) -> Option<serde_json::Value> {
    let mut value: serde_json::Value = serde_saphyr::from_str(text).ok()?; // Not YAML: no rest either.
    let out = value.get_mut("outs")?.get_mut(index)?.as_object_mut()?;
    for key in ["md5", "size", "nfiles", "isexec", "hash"] {
        out.remove(key);
    }
    Some(value)
}
