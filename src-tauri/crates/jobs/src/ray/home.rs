//! What a command made on the cluster, brought home: an archive beside the cluster's logs, whole or not at all, and each file
//! verified before it is seen in the project.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use lapwing_core::{JobId, Workspace};
use serde::{Deserialize, Serialize};

use super::job::Job;
use super::package::digest;
use crate::folder::Folder;
use crate::{Error, Result, ssh};

/// A damaged archive is fetched again so often.
const TRIES: usize = 3;
const OUTPUTS: &str = "outputs";
pub(crate) const TRACKED: &str = "mlruns";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetched {
    All,
    /// There is no result: the command was ended before it could leave one.
    Nothing,
}

/// What the script says about its archive; `job.py` writes it.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    /// The folder there.
    logs: String,
    sha256: String,
    bytes: u64,
    files: Vec<LeftFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LeftFile {
    path: String,
    sha256: String,
}

/// The folder there that has a job's result, once that is known.
pub(super) fn place(folder: &Folder) -> Result<Option<String>> {
    let left: Option<Left> = folder.read(&listed(folder))?;
    Ok(left.map(|left| left.logs))
}

fn listed(folder: &Folder) -> PathBuf {
    folder.root().join("left.json")
}

/// What a command tracked in MLflow's files instead of on our server, when it is home.
#[must_use]
pub fn tracked_files(workspace: &Workspace, id: &JobId) -> Option<PathBuf> {
    let folder = Folder::of(workspace, id).tracked();
    folder.is_dir().then_some(folder)
}

pub(super) async fn fetch(job: &Job<'_>, node: &str) -> Result<Fetched> {
    let (list, whole) = (format!("{}.json", job.id), format!("{}.tar", job.id));
    let listed = listed(job.folder);
    let cluster = job.cluster();
    let asking = cluster.log_file(node, &list, &listed, &|_| {});
    if !job.unless_cancelled(asking).await? {
        return Ok(Fetched::Nothing);
    }
    let Some(left) = job.folder.read::<Left>(&listed)? else {
        return Ok(Fetched::Nothing);
    };
    let wanted = checked(&left, &job.ray.outputs)?;
    let staging = job.folder.fetched();
    fs_err::create_dir_all(&staging)?;
    let archive = staging.join("archive.tar");
    for try_ in 1.. {
        job.say(&format!("bringing {} home", ssh::size(left.bytes)));
        // One that has arrived before a supervisor died is whole, or it is fetched again.
        if archive.exists() && digest(&archive)?.0 == left.sha256 {
            break;
        }
        if archive.exists() {
            fs_err::remove_file(&archive)?;
        }
        if try_ > TRIES {
            return Err(damaged(job, &whole));
        }
        let cluster = job.cluster();
        let fetching = cluster.log_file(node, &whole, &archive, &|_| {});
        if !job.unless_cancelled(fetching).await? {
            return Err(damaged(job, &whole));
        }
    }
    unpack(&archive, &staging)?;
    for (path, hash) in &wanted {
        if digest(&staging.join(path))?.0 != *hash {
            return Err(damaged(job, path));
        }
    }
    settle(job, &wanted, &staging)?;
    fs_err::remove_dir_all(&staging)?;
    Ok(Fetched::All)
}

fn damaged(job: &Job<'_>, path: &str) -> Error {
    Error::Damaged {
        host: job.cluster().base().to_owned(),
        path: path.to_owned(),
    }
}

/// What another machine says is checked before it becomes a path here.
fn checked<'a>(left: &'a Left, outputs: &[String]) -> Result<BTreeMap<&'a str, &'a str>> {
    let mut wanted = BTreeMap::new();
    for file in &left.files {
        let path = Path::new(&file.path);
        let plain = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let asked = match path.strip_prefix(OUTPUTS) {
            Ok(rest) => outputs.iter().any(|out| rest.starts_with(Path::new(out))),
            Err(_) => path.starts_with(TRACKED),
        };
        if !plain || !asked {
            return Err(Error::BadPath(file.path.clone()));
        }
        wanted.insert(file.path.as_str(), file.sha256.as_str());
    }
    Ok(wanted)
}

fn unpack(archive: &Path, into: &Path) -> Result<()> {
    let mut archive = tar::Archive::new(fs_err::File::open(archive)?);
    archive.set_preserve_permissions(false);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            entry.unpack_in(into)?;
        }
    }
    Ok(())
}

/// Each whole file into its place; one that is there already, byte for byte, stays as it is.
fn settle(job: &Job<'_>, wanted: &BTreeMap<&str, &str>, staging: &Path) -> Result<()> {
    for (path, hash) in wanted {
        let Ok(rest) = Path::new(path).strip_prefix(OUTPUTS) else {
            continue;
        };
        let to = job.ray.root.join(rest);
        let same = to.is_file() && digest(&to)?.0 == *hash;
        if !same {
            ssh::settle(&staging.join(path), &to)?;
        }
    }
    let tracked = staging.join(TRACKED);
    if tracked.is_dir() {
        let to = job.folder.tracked();
        if to.exists() {
            fs_err::remove_dir_all(&to)?;
        }
        fs_err::rename(tracked, to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Left, LeftFile, checked};

    #[test]
    fn only_what_was_asked_for_comes_home() {
        let left = |path: &str| Left {
            logs: String::new(),
            sha256: String::new(),
            bytes: 0,
            files: vec![LeftFile {
                path: path.to_owned(),
                sha256: String::new(),
            }],
        };
        let outputs = ["model".to_owned(), "a/b.csv".to_owned()];
        for good in ["outputs/model/x", "outputs/a/b.csv", "mlruns/0/meta.yaml"] {
            assert!(checked(&left(good), &outputs).is_ok(), "{good}");
        }
        for bad in [
            "outputs/model/../../x",
            "/outputs/model",
            "outputs/modelled",
            "outputs",
            "other/x",
            "mlruns/../x",
        ] {
            assert!(checked(&left(bad), &outputs).is_err(), "{bad}");
        }
    }
}
