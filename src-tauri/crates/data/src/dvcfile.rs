//! `.dvc` files: read whole, written so that comments and unknown keys stay.

use std::path::{Path, PathBuf};

use serde::Deserialize;

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

    /// Writes the file with `out` as the content of its only output.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(path: &Path, out: &Out) -> Result<()> {
        let text = match Self::read(path) {
            Ok(old) if old.outs.len() == 1 && !old.imported => edited(&old.text, out),
            Ok(_) | Err(Error::Io(_)) => fresh(out),
            Err(error) => return Err(error),
        };
        write_whole(path, text.as_bytes())
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The keys that adding decides, in DVC's order.
fn keys(out: &Out) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    keys.extend(out.md5.clone().map(|id| ("md5", id)));
    keys.extend(out.size.map(|size| ("size", size.to_string())));
    keys.extend(out.nfiles.map(|count| ("nfiles", count.to_string())));
    if out.isexec {
        keys.push(("isexec", "true".to_owned()));
    }
    keys.push(("hash", "md5".to_owned()));
    keys
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

/// A plain scalar where YAML takes it as the same string, else in single quotes.
fn quoted(text: &str) -> String {
    let plain = text
        .chars()
        .all(|c| c.is_alphanumeric() || "._-/ ".contains(c))
        && !text.starts_with(['-', ' ', '.'])
        && !text.ends_with(' ')
        && text.chars().any(char::is_alphabetic)
        && !["true", "false", "null"].contains(&text.to_lowercase().as_str());
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// The old text with the deciding keys of its one output replaced: comments, order and other keys stay.
fn edited(text: &str, out: &Out) -> String {
    const OURS: [&str; 5] = ["md5", "size", "nfiles", "isexec", "hash"];
    let mut lines = Vec::new();
    let mut inside = false;
    let mut written = false;
    for line in text.lines() {
        if !line.starts_with([' ', '-', '#']) && !line.is_empty() {
            inside = line.starts_with("outs:");
            lines.push(line.to_owned());
            continue;
        }
        let bare = line.trim_start_matches([' ', '-']);
        let key = bare.split(':').next().unwrap_or_default();
        let starts_item = line.trim_start().starts_with("- ");
        if inside && starts_item && !written {
            for (index, (key, value)) in keys(out).into_iter().enumerate() {
                lines.push(format!(
                    "{} {key}: {value}",
                    if index == 0 { "-" } else { " " }
                ));
            }
            written = true;
        }
        if inside && OURS.contains(&key) && !line.trim_start().starts_with('#') {
            continue;
        }
        lines.push(if inside && starts_item {
            format!("  {bare}")
        } else {
            line.to_owned()
        });
    }
    lines.join("\n") + "\n"
}
