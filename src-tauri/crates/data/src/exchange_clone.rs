//! A clone of a git repository: nothing of it is seen before all of it is there.

use std::path::{Path, PathBuf};

use git2::FetchOptions;
use git2::build::{CheckoutBuilder, RepoBuilder};
use tempfile::TempDir;

use crate::exchange::shown;
use crate::exchange_login::{Access, Connecting, explain};
use crate::exchange_watch::{Stop, received};
use crate::{Error, Progress, Result, git_ssh};

/// Clones into a folder that is not there, or is empty.
pub(crate) fn clone(
    url: &str,
    into: &Path,
    progress: &dyn Fn(Progress),
    stop: &Stop,
) -> Result<()> {
    let shown = shown(url);
    // Of a folder that is not there, libgit2 says that its protocol is unknown.
    let is_path = Path::new(url).is_absolute() || !url.contains(':');
    if is_path && !Path::new(url).exists() {
        return Err(Error::NoFolder(url.into()));
    }
    let arriving = Arriving::beside(into)?;
    stop.arrives_in(arriving.folder.path());
    let connecting = Connecting::of_user(&Access::default())?;
    let (cloned, said) = git_ssh::with(connecting.ssh_command(), stop, || {
        let mut callbacks = connecting.callbacks();
        received(&mut callbacks, progress, stop);
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks);
        let mut checkout = CheckoutBuilder::new();
        checkout.progress(|_, done, total| {
            progress(Progress {
                what: format!("Wrote {done} of {total} files"),
                done_bytes: done as u64,
                total_bytes: total as u64,
            });
        });
        RepoBuilder::new()
            .fetch_options(options)
            .with_checkout(checkout)
            .clone(url, arriving.folder.path())
            .map(|_| ())
    });
    if stop.is_wanted() {
        return Err(Error::GitStopped);
    }
    cloned.map_err(|error| explain(&shown, &error, &said))?;
    arriving.appear(into)
}

/// Where a clone arrives, on the same disk as its place. Gone with this, unless it has appeared.
struct Arriving {
    folder: TempDir,
    /// The place is an empty folder already: it may be where somebody stands, so it stays the same one.
    inside: bool,
}

impl Arriving {
    fn beside(into: &Path) -> Result<Self> {
        let inside = into.is_dir();
        let near = match into.parent() {
            _ if inside => into,
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        fs_err::create_dir_all(near)?;
        let mut folder = tempfile::Builder::new();
        folder.prefix(".lapwing-clone-");
        // Whoever may look into a folder is the user's own setting, not that of temporary files.
        #[cfg(unix)]
        folder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        Ok(Self {
            folder: folder.tempdir_in(near)?,
            inside,
        })
    }

    fn appear(self, into: &Path) -> Result<()> {
        let from = self.folder.path();
        if !self.inside {
            fs_err::rename(from, into)?;
            // It has another name now.
            let _ = self.folder.keep();
            return Ok(());
        }
        let mut names: Vec<PathBuf> = fs_err::read_dir(from)?
            .map(|entry| Ok(entry?.file_name().into()))
            .collect::<Result<_>>()?;
        // Without `.git` it is no repository: that comes last.
        names.sort_by_key(|name| name.as_os_str() == ".git");
        for name in names {
            fs_err::rename(from.join(&name), into.join(&name))?;
        }
        Ok(())
    }
}
