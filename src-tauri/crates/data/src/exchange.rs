//! Commits to and from git remotes: clone, fetch, pull, push, and how far apart the two sides are.
//!
//! A pull only goes forward: what would need a merge, or would overwrite a file that was changed here, changes nothing.

use git2::build::CheckoutBuilder;
use git2::{
    BranchType, CheckoutNotificationType, Direction, FetchOptions, Oid, PushOptions, Repository,
};

use crate::exchange_login::{Access, Connecting, explain};
use crate::exchange_watch::{Stop, received, sent, stoppable};
use crate::git::open;
use crate::{Error, Progress, Project, Result, git_ssh};

/// Of the files in the way, so many are named.
const MAX_NAMED: usize = 5;

/// A git remote of the project, and where it is; without a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRemote {
    pub name: String,
    pub url: String,
}

/// Where the branch that is checked out stands, as of the last exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub branch: String,
    pub remote: String,
    /// `origin/main`; `None` when the branch is not there yet.
    pub upstream: Option<String>,
    /// Commits that are only here, and only there.
    pub ahead: usize,
    pub behind: usize,
}

/// An exchange with a git remote: with which, and how it is let in, told and ended.
pub struct Exchange<'a> {
    /// The one that the user named.
    pub remote: Option<&'a str>,
    pub access: &'a Access,
    /// Told in objects of git, not in bytes.
    pub progress: &'a dyn Fn(Progress),
    pub stop: &'a Stop,
}

/// What an exchange did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchanged {
    /// Afterwards.
    pub position: Position,
    /// So many went, or came.
    pub commits: usize,
    /// One of them names other data than before.
    pub data: bool,
}

impl Project {
    /// The git remotes, in the order of their names.
    ///
    /// # Errors
    /// When the repository is damaged.
    pub fn git_remotes(&self) -> Result<Vec<GitRemote>> {
        let repository = open(self)?;
        let mut all = Vec::new();
        for name in repository.remotes()?.iter() {
            let Some(name) = name? else { continue };
            let remote = repository.find_remote(name)?;
            all.push(GitRemote {
                name: name.to_owned(),
                url: shown(remote.url().unwrap_or_default()),
            });
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// Where the branch stands; `None` without a branch, a commit or a git remote. Asks nobody else.
    ///
    /// # Errors
    /// When the repository is damaged.
    pub fn position(&self) -> Result<Option<Position>> {
        let repository = open(self)?;
        match Side::new(&repository, None) {
            Ok(side) => Ok(Some(side.position(&repository)?)),
            Err(Error::Git(error)) => Err(Error::Git(error)),
            Err(_) => Ok(None),
        }
    }

    /// How many commits that name data are only here: what they name may be on the storage, and nobody could find it.
    ///
    /// # Errors
    /// When the repository is damaged.
    pub fn unpushed_data(&self) -> Result<usize> {
        let Some(position) = self.position()?.filter(|position| position.ahead > 0) else {
            return Ok(0);
        };
        let repository = open(self)?;
        let there = match &position.upstream {
            Some(name) => Some(repository.find_branch(name, BranchType::Remote)?),
            None => None,
        };
        let there = there.and_then(|branch| branch.get().target());
        let head = repository.head()?.peel_to_commit()?.id();
        Ok(if names_data(&repository, there, head)? {
            position.ahead
        } else {
            0
        })
    }

    /// Brings the commits of a remote here, and changes no file.
    ///
    /// # Errors
    /// When there is no such remote, or it cannot be reached.
    pub fn git_fetch(&self, exchange: &Exchange<'_>) -> Result<Exchanged> {
        let repository = open(self)?;
        let side = Side::new(&repository, exchange.remote)?;
        let before = side.position(&repository)?.behind;
        fetch(&repository, &side.remote, exchange)?;
        let position = side.position(&repository)?;
        Ok(Exchanged {
            commits: position.behind.saturating_sub(before),
            position,
            data: false,
        })
    }

    /// Fetches, and goes forward to what the remote has.
    ///
    /// # Errors
    /// As [`Project::git_fetch`]; when both sides have commits of their own, or a file that would change was changed here. No file and
    /// no branch is changed then.
    pub fn git_pull(&self, exchange: &Exchange<'_>) -> Result<Exchanged> {
        let repository = open(self)?;
        let side = Side::new(&repository, exchange.remote)?;
        fetch(&repository, &side.remote, exchange)?;
        let position = side.position(&repository)?;
        let Some(upstream) = &position.upstream else {
            return Err(Error::NoUpstream {
                remote: position.remote,
                branch: position.branch,
            });
        };
        if position.behind > 0 && position.ahead > 0 {
            return Err(Error::Diverged {
                branch: position.branch,
                upstream: upstream.clone(),
                ahead: position.ahead,
                behind: position.behind,
            });
        }
        let there = repository.find_branch(upstream, BranchType::Remote)?;
        let there = there.get().peel_to_commit()?.id();
        let here = repository.head().ok().and_then(|head| head.target()); // No commit yet: everything is new.
        let data = position.behind > 0 && names_data(&repository, here, there)?;
        if position.behind > 0 {
            forward(&repository, &side.branch, here, there)?;
        }
        Ok(Exchanged {
            commits: position.behind,
            position: side.position(&repository)?,
            data,
        })
    }

    /// Sends the commits of the branch to the branch of that name there, and remembers it as its upstream.
    ///
    /// # Errors
    /// When there is no such remote, it cannot be reached, has commits that are not here, or does not take these.
    pub fn git_push(&self, exchange: &Exchange<'_>) -> Result<Exchanged> {
        let repository = open(self)?;
        let side = Side::new(&repository, exchange.remote)?;
        if repository.head().is_err() {
            return Err(Error::NoCommit);
        }
        let before = side.position(&repository)?;
        push(&repository, &side, exchange)?;
        let upstream = format!("{}/{}", side.remote, side.there);
        if before.upstream.is_none() {
            repository
                .find_branch(&side.branch, BranchType::Local)?
                .set_upstream(Some(&upstream))?;
        }
        Ok(Exchanged {
            commits: before.ahead,
            position: side.position(&repository)?,
            data: false,
        })
    }

    /// Connects to a git remote, and says what is there: `git repository with 2 branches`.
    ///
    /// # Errors
    /// When there is no such remote, or it cannot be reached.
    pub fn git_greet(&self, name: &str, access: &Access) -> Result<String> {
        let repository = open(self)?;
        let url = address(&repository, name)?;
        let connecting = Connecting::new(&repository, access)?;
        let (branches, said) = git_ssh::with(connecting.ssh_command(), &Stop::default(), || {
            let mut remote = repository.find_remote(name)?;
            let connection =
                remote.connect_auth(Direction::Fetch, Some(connecting.callbacks()), None)?;
            let heads = connection.list()?;
            Ok(heads
                .iter()
                .filter(|head| head.name().starts_with("refs/heads/"))
                .count())
        });
        match branches.map_err(|error| explain(&url, &error, &said))? {
            0 => Ok("git repository without branches".to_owned()),
            1 => Ok("git repository with 1 branch".to_owned()),
            more => Ok(format!("git repository with {more} branches")),
        }
    }
}

/// The two ends of an exchange: a branch here, and a branch of a remote.
struct Side {
    branch: String,
    remote: String,
    /// The branch's name there.
    there: String,
}

impl Side {
    /// The remote is the named one, else the branch's own, else `origin`, else the only one.
    fn new(repository: &Repository, named: Option<&str>) -> Result<Self> {
        let head = repository.find_reference("HEAD")?;
        let full = head.symbolic_target()?.ok_or(Error::NoBranch)?.to_owned();
        let branch = full
            .strip_prefix("refs/heads/")
            .ok_or(Error::NoBranch)?
            .to_owned();
        let config = repository.config()?;
        let setting = |key: &str| config.get_string(&format!("branch.{branch}.{key}")).ok(); // Not set: not said.
        let own = setting("remote");
        let names = remote_names(repository)?;
        let remote = match named.map(str::to_owned).or_else(|| own.clone()) {
            Some(name) if names.contains(&name) => name,
            Some(name) => return Err(Error::NoGitRemote(name)),
            None => match names.as_slice() {
                [] => return Err(Error::NoGitRemotes),
                [only] => only.clone(),
                several if several.iter().any(|name| name == "origin") => "origin".to_owned(),
                several => return Err(Error::ManyGitRemotes(several.join(", "))),
            },
        };
        let merge = setting("merge").filter(|_| own.as_ref() == Some(&remote));
        let there = merge
            .as_deref()
            .and_then(|name| name.strip_prefix("refs/heads/"))
            .unwrap_or(&branch)
            .to_owned();
        Ok(Self {
            branch,
            remote,
            there,
        })
    }

    fn position(&self, repository: &Repository) -> Result<Position> {
        let upstream = format!("{}/{}", self.remote, self.there);
        let there = match repository.find_branch(&upstream, BranchType::Remote) {
            Ok(branch) => branch.get().target(),
            Err(error) if error.code() == git2::ErrorCode::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let here = repository.head().ok().and_then(|head| head.target()); // No commit yet.
        let (ahead, behind) = match (here, there) {
            (Some(here), Some(there)) => repository.graph_ahead_behind(here, there)?,
            (Some(here), None) => (count(repository, here, Some(&self.remote))?, 0),
            (None, Some(there)) => (0, count(repository, there, None)?),
            (None, None) => (0, 0),
        };
        Ok(Position {
            branch: self.branch.clone(),
            remote: self.remote.clone(),
            upstream: there.map(|_| upstream),
            ahead,
            behind,
        })
    }
}

fn remote_names(repository: &Repository) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for name in repository.remotes()?.iter() {
        names.extend(name?.map(str::to_owned));
    }
    Ok(names)
}

/// Commits up to `from` that no branch of `known` has.
fn count(repository: &Repository, from: Oid, known: Option<&str>) -> Result<usize> {
    let mut walk = repository.revwalk()?;
    walk.push(from)?;
    if let Some(remote) = known {
        walk.hide_glob(&format!("refs/remotes/{remote}/*"))?;
    }
    Ok(walk.count())
}

fn address(repository: &Repository, name: &str) -> Result<String> {
    match repository.find_remote(name) {
        Ok(remote) => Ok(shown(remote.url().unwrap_or_default())),
        Err(error) if error.code() == git2::ErrorCode::NotFound => {
            Err(Error::NoGitRemote(name.to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

/// An address without a password, which some write into it.
#[must_use]
pub fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}@{host}"),
            None => authority.to_owned(),
        },
        None => authority.to_owned(),
    };
    format!("{scheme}://{authority}{path}")
}

fn fetch(repository: &Repository, name: &str, exchange: &Exchange<'_>) -> Result<()> {
    let url = address(repository, name)?;
    let connecting = Connecting::new(repository, exchange.access)?;
    let (done, said) = git_ssh::with(connecting.ssh_command(), exchange.stop, || {
        let mut callbacks = connecting.callbacks();
        received(&mut callbacks, exchange.progress, exchange.stop);
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks);
        let mut remote = repository.find_remote(name)?;
        remote.fetch::<&str>(&[], Some(&mut options), None)
    });
    if exchange.stop.is_wanted() {
        return Err(Error::GitStopped);
    }
    done.map_err(|error| explain(&url, &error, &said))
}

fn push(repository: &Repository, side: &Side, exchange: &Exchange<'_>) -> Result<()> {
    let url = address(repository, &side.remote)?;
    let connecting = Connecting::new(repository, exchange.access)?;
    let mut refused = None;
    let (done, said) = git_ssh::with(connecting.ssh_command(), exchange.stop, || {
        let mut callbacks = connecting.callbacks();
        sent(&mut callbacks, exchange.progress, exchange.stop);
        callbacks.push_update_reference(|_, status| {
            refused = status.map(str::to_owned);
            Ok(())
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks);
        let mut remote = repository.find_remote(&side.remote)?;
        let way = format!("refs/heads/{}:refs/heads/{}", side.branch, side.there);
        stoppable(|| remote.push(&[way], Some(&mut options)))
    });
    let upstream = format!("{}/{}", side.remote, side.there);
    match done {
        Err(error) if error.code() == git2::ErrorCode::NotFastForward => {
            return Err(Error::Behind { upstream });
        }
        Err(_) if exchange.stop.is_wanted() => return Err(Error::GitStopped),
        Err(error) => return Err(explain(&url, &error, &said)),
        Ok(()) => {}
    }
    match refused {
        // Somebody was quicker between its listing and our commits.
        Some(why) if why.contains("fast-forward") || why.contains("fetch first") => {
            Err(Error::Behind { upstream })
        }
        Some(why) => Err(Error::Rejected { upstream, why }),
        None => Ok(()),
    }
}

/// Moves the branch and the files from a commit, or from none, to one that lies ahead of it. Files that were changed here, and a branch
/// that has moved meanwhile, stop it before anything is changed: from the look at the branch to its move, git itself keeps others off.
fn forward(repository: &Repository, branch: &str, from: Option<Oid>, to: Oid) -> Result<()> {
    let name = format!("refs/heads/{branch}");
    let moved = || Error::Moved {
        branch: branch.to_owned(),
    };
    let mut change = repository.transaction()?;
    change.lock_ref(&name).map_err(|error| match error.code() {
        git2::ErrorCode::Locked => moved(),
        _ => error.into(),
    })?;
    let now = match repository.refname_to_id(&name) {
        Ok(now) => Some(now),
        Err(error) if error.code() == git2::ErrorCode::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    if now != from {
        return Err(moved());
    }
    check_out(repository, to)?;
    change.set_target(&name, to, None, "pull: Fast-forward")?;
    Ok(change.commit()?)
}

/// Brings the files to a commit. Those that were changed here stop it before anything is changed.
fn check_out(repository: &Repository, to: Oid) -> Result<()> {
    let commit = repository.find_commit(to)?;
    let mut in_the_way = Vec::new();
    let mut checkout = CheckoutBuilder::new();
    checkout
        .safe()
        .notify_on(CheckoutNotificationType::CONFLICT)
        .notify(|_, path, _, _, _| {
            in_the_way.extend(path.map(|path| path.to_string_lossy().into_owned()));
            true
        });
    let done = repository.checkout_tree(commit.as_object(), Some(&mut checkout));
    drop(checkout);
    if !in_the_way.is_empty() {
        let more = in_the_way.len().saturating_sub(MAX_NAMED);
        in_the_way.truncate(MAX_NAMED);
        let mut files = in_the_way.join(", ");
        if more > 0 {
            files.push_str(&format!(" and {more} more"));
        }
        return Err(Error::InTheWay { files });
    }
    Ok(done?)
}

/// True when two commits differ in what names data.
fn names_data(repository: &Repository, from: Option<Oid>, to: Oid) -> Result<bool> {
    let tree = |id: Oid| -> Result<git2::Tree<'_>> { Ok(repository.find_commit(id)?.tree()?) };
    let before = from.map(tree).transpose()?;
    let diff = repository.diff_tree_to_tree(before.as_ref(), Some(&tree(to)?), None)?;
    Ok(diff.deltas().any(|delta| {
        [delta.old_file(), delta.new_file()]
            .iter()
            .filter_map(git2::DiffFile::path)
            .any(|path| {
                path.extension().is_some_and(|end| end == "dvc")
                    || path.file_name().is_some_and(|name| name == "dvc.lock")
            })
    }))
}

#[cfg(test)]
mod tests {
    use git2::Repository;

    use super::{forward, shown};
    use crate::Error;

    #[test]
    #[expect(
        clippy::unwrap_used,
        reason = "a step that fails here is a failed test"
    )]
    fn a_branch_that_moves_while_its_remote_is_asked_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init(folder.path()).unwrap();
        let who = git2::Signature::now("Ada", "ada@example.org").unwrap();
        let file = folder.path().join("a.txt");
        let commit = |text: &str, name: Option<&str>, parents: &[git2::Oid]| {
            let blob = repository.blob(text.as_bytes()).unwrap();
            let mut tree = repository.treebuilder(None).unwrap();
            tree.insert("a.txt", blob, 0o100_644).unwrap();
            let tree = repository.find_tree(tree.write().unwrap()).unwrap();
            let parents: Vec<_> = parents
                .iter()
                .map(|id| repository.find_commit(*id).unwrap())
                .collect();
            let parents: Vec<_> = parents.iter().collect();
            repository
                .commit(name, &who, &who, text, &tree, &parents)
                .unwrap()
        };
        let head = || repository.head().unwrap().target().unwrap();
        let branch = repository.find_reference("HEAD").unwrap();
        let branch = branch.symbolic_target().unwrap().unwrap().to_owned();
        let branch = branch.strip_prefix("refs/heads/").unwrap();

        let first = commit("first", None, &[]);
        forward(&repository, branch, None, first).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "first");

        // Another program commits between our look at the branch and its move.
        let theirs = commit("theirs", None, &[first]);
        let meanwhile = commit("meanwhile", Some("HEAD"), &[first]);
        let refused = forward(&repository, branch, Some(first), theirs).unwrap_err();
        assert!(matches!(refused, Error::Moved { .. }), "{refused}");
        assert_eq!(head(), meanwhile, "the new commit is still the branch's");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "first");

        // It is about to: git's own lock says so.
        let lock = repository.path().join(format!("refs/heads/{branch}.lock"));
        std::fs::write(&lock, "").unwrap();
        let next = commit("next", None, &[meanwhile]);
        let refused = forward(&repository, branch, Some(meanwhile), next).unwrap_err();
        assert!(matches!(refused, Error::Moved { .. }), "{refused}");
        std::fs::remove_file(&lock).unwrap();
        std::fs::write(&file, "meanwhile").unwrap();
        forward(&repository, branch, Some(meanwhile), next).unwrap();
        assert_eq!(head(), next);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "next");
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(
            shown("https://ada:secret@x.org/a@b:c"),
            "https://ada@x.org/a@b:c"
        );
        assert_eq!(shown("ssh://git@x.org:22/a"), "ssh://git@x.org:22/a");
        assert_eq!(shown("git@x.org:a:b"), "git@x.org:a:b");
    }
}
