//! Paths inside the project as DVC writes them: relative to the root, with `/` on every platform.

use std::path::{Path, PathBuf};

/// Joins and normalizes: `join("sub", "../a/./b")` is `a/b`. What climbs out of the root keeps its leading `..`; the root is "".
#[must_use]
pub(crate) fn join(base: &str, path: &str) -> String {
    if is_absolute(path) {
        return normalize(path);
    }
    normalize(&format!("{base}/{path}"))
        .trim_start_matches('/')
        .to_owned()
}

fn normalize(path: &str) -> String {
    let absolute = path.starts_with('/') && !path.starts_with("//");
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    if absolute && Path::new(path).is_absolute() {
        format!("/{joined}")
    } else {
        joined
    }
}

/// Whether a path leaves the project by being absolute.
#[must_use]
pub(crate) fn is_absolute(path: &str) -> bool {
    Path::new(path).is_absolute()
}

/// A URL or a DVC reference (`remote://…`, `ds://…`): nothing on this disk.
#[must_use]
pub(crate) fn is_url(path: &str) -> bool {
    path.split_once("://").is_some_and(|(scheme, _)| {
        scheme.len() > 1
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// Where a path of the project lies on this disk.
#[must_use]
pub(crate) fn on_disk(root: &Path, path: &str) -> PathBuf {
    if is_absolute(path) {
        PathBuf::from(path)
    } else {
        let mut full = root.to_owned();
        full.extend(path.split('/').filter(|part| !part.is_empty()));
        full
    }
}

/// Whether `path` is `folder` or lies inside it.
#[must_use]
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path == folder
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// The folder of a path; "" for the root.
#[must_use]
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}
