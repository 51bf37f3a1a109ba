//! Paths from outside are resolved beneath a root, or refused.

use std::path::{Component, Path, PathBuf};

use crate::{Error, Result};

/// `path` below `root`, without `..`, and with no link on the way that leads out.
///
/// # Errors
/// When it would leave `root`.
pub fn beneath(root: &Path, path: &Path) -> Result<PathBuf> {
    let outside = || Error::Outside {
        path: path.to_owned(),
        root: root.to_owned(),
    };
    let relative = if path.is_absolute() {
        path.strip_prefix(root).map_err(|_| outside())?
    } else {
        path
    };
    let mut clean = PathBuf::new();
    for part in relative.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !clean.pop() {
                    return Err(outside());
                }
            }
            Component::RootDir | Component::Prefix(_) => return Err(outside()),
        }
    }
    let full = root.join(&clean);
    if leads_out(root, &full) {
        Err(outside())
    } else {
        Ok(full)
    }
}

/// True when the nearest parent that exists is, with links resolved, not below the root. The last part itself may be a
/// link: DVC tracks what it points to.
fn leads_out(root: &Path, full: &Path) -> bool {
    let Ok(real_root) = root.canonicalize() else {
        return false;
    };
    full.ancestors()
        .skip(1)
        .find_map(|parent| parent.canonicalize().ok()) // A parent that does not exist yet cannot be a link.
        .is_some_and(|parent| !parent.starts_with(&real_root) && parent.starts_with(root))
        || full
            .ancestors()
            .skip(1)
            .take_while(|parent| parent.starts_with(root) && *parent != root)
            .any(|parent| {
                parent
                    .canonicalize()
                    .is_ok_and(|real| !real.starts_with(&real_root))
            })
}
