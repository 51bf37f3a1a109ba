//! Python environments, made by `uv`.
//!
//! A marker written last tells a finished environment from one whose making was cut; a lock keeps two processes from making
//! the same one at once.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lapwing_core::Workspace;
use sha2::{Digest as _, Sha256};

use crate::{Error, Result, requirements};

/// Of what uv said, the part worth showing.
const SHOWN_LINES: usize = 12;
const MARKER: &str = ".lapwing-complete";
/// In the marker while an environment is made anew.
const UNFINISHED: &str = "unfinished";

/// An interpreter and the folder of the programs installed beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub python: PathBuf,
    pub bin: PathBuf,
    /// Of the requirements that it was made from; empty for an interpreter that was already here.
    pub hash: String,
}

impl Environment {
    fn at(folder: &Path, hash: String) -> Self {
        let bin = folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
        Self {
            python: bin.join(if cfg!(windows) {
                "python.exe"
            } else {
                "python"
            }),
            bin,
            hash,
        }
    }
}

/// What a project says about its environment.
#[derive(Debug, Clone, Default)]
pub struct ProjectEnvironment {
    /// A requirements file, relative to the project; found by name without it.
    pub requirements: Option<String>,
    pub python: Option<String>,
}

/// `$LAPWING_UV`, then PATH, then where uv's installer puts it.
///
/// # Errors
/// [`Error::NoUv`].
pub fn find_uv() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("LAPWING_UV")
        .map(PathBuf::from)
        .filter(|path| path.is_file())
    {
        return Ok(named);
    }
    let name = if cfg!(windows) { "uv.exe" } else { "uv" };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(std::env::home_dir().map(|home| home.join(".local/bin")));
    folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or(Error::NoUv)
}

/// The interpreter on PATH.
///
/// # Errors
/// [`Error::NoPython`].
pub fn system_python() -> Result<Environment> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = if cfg!(windows) {
        ["python.exe", "python3.exe"]
    } else {
        ["python", "python3"]
    };
    for folder in std::env::split_paths(&path) {
        for name in names {
            let python = folder.join(name);
            if python.is_file() {
                return Ok(Environment {
                    python,
                    bin: folder,
                    hash: String::new(),
                });
            }
        }
    }
    Err(Error::NoPython)
}

/// The environment of a project, made from a requirements file or `pyproject.toml`, and only when these have changed. It is
/// `.venv`; where the user has a `.venv` already that is not ours, it is `.venv-lapwing`, and theirs stays as it is. A project
/// that says nothing has its own `.venv`, or the interpreter on PATH.
///
/// # Errors
/// When uv is missing, or a requirement cannot be installed.
pub fn for_project(
    root: &Path,
    wanted: &ProjectEnvironment,
    say: &dyn Fn(&str),
) -> Result<Environment> {
    let root = &std::path::absolute(root)?;
    let pyproject = root.join("pyproject.toml");
    let requirements = root.join(wanted.requirements.as_deref().unwrap_or("requirements.txt"));
    if wanted.requirements.is_some() && !requirements.is_file() {
        return Err(Error::Environment(format!(
            "there is no {}",
            requirements.display()
        )));
    }
    let own = Environment::at(&root.join(".venv"), String::new());
    let foreign = own.python.exists() && !root.join(".venv").join(MARKER).exists();
    let folder = root.join(if foreign { ".venv-lapwing" } else { ".venv" });
    let python = wanted.python.as_deref();
    let lock = project_lock(root)?;
    if requirements.is_file() {
        let texts = requirements::texts(&requirements)?;
        let mut parts: Vec<&str> = texts.iter().map(String::as_str).collect();
        parts.push(python.unwrap_or_default());
        let hash = digest(&parts);
        return made(&folder, &lock, &|| hash.clone(), say, &|uv| {
            if foreign {
                say("leaving your own .venv as it is: the packages go to .venv-lapwing");
            }
            create(uv, &folder, python, say)?;
            let named = requirements.display().to_string();
            install(uv, root, &folder, &["-r".to_owned(), named], say)
        });
    }
    if pyproject.is_file() {
        let text = fs_err::read_to_string(&pyproject)?;
        // Asked again after the work: uv writes its lock file then.
        let hash = || {
            let locked = fs_err::read_to_string(root.join("uv.lock")).unwrap_or_default();
            digest(&[&text, &locked, python.unwrap_or_default()])
        };
        return made(&folder, &lock, &hash, say, &|uv| {
            say("making the environment of pyproject.toml with uv");
            let mut command = Command::new(uv);
            command
                .arg("sync")
                .current_dir(root)
                .env_remove("VIRTUAL_ENV")
                .env("UV_PROJECT_ENVIRONMENT", &folder);
            if let Some(python) = python {
                command.args(["--python", python]);
            }
            run(&mut command, say)
        });
    }
    if foreign && std::env::var_os("VIRTUAL_ENV").is_none() {
        return Ok(own);
    }
    system_python()
}

/// An environment with these requirements, shared by everything that needs exactly these.
///
/// # Errors
/// When uv is missing, or a requirement cannot be installed.
pub fn for_requirements(
    workspace: &Workspace,
    requirements: &[String],
    python: Option<&str>,
    say: &dyn Fn(&str),
) -> Result<Environment> {
    let mut sorted = requirements.to_vec();
    sorted.sort();
    sorted.dedup();
    let hash = digest(&[&sorted.join("\n"), python.unwrap_or_default()]);
    let short: String = hash.chars().take(16).collect();
    fs_err::create_dir_all(workspace.environments())?;
    let folder = workspace.environments().join(short);
    let lock = folder.with_extension("lock");
    made(&folder, &lock, &|| hash.clone(), say, &|uv| {
        create(uv, &folder, python, say)?;
        let file = folder.join("requirements.txt");
        fs_err::write(&file, sorted.join("\n"))?;
        install(
            uv,
            &folder,
            &folder,
            &["-r".to_owned(), file.display().to_string()],
            say,
        )
    })
}

/// Where processes wait for one another, outside of what git sees: with DVC's own passing files, or in the user's cache.
fn project_lock(root: &Path) -> Result<PathBuf> {
    let dvc = root.join(".dvc/tmp");
    if dvc.is_dir() {
        return Ok(dvc.join("lapwing-venv.lock"));
    }
    let root = fs_err::canonicalize(root)?;
    let hash = digest(&[&root.to_string_lossy()]);
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("lapwing");
    fs_err::create_dir_all(&cache)?;
    Ok(cache.join(format!("venv-{hash}.lock")))
}

fn made(
    folder: &Path,
    lock: &Path,
    hash: &dyn Fn() -> String,
    say: &dyn Fn(&str),
    make: &dyn Fn(&Path) -> Result<()>,
) -> Result<Environment> {
    let marker = folder.join(MARKER);
    let done = || {
        let environment = Environment::at(folder, hash());
        let marked = fs_err::read_to_string(&marker).is_ok_and(|text| text == environment.hash);
        (marked && environment.python.exists()).then_some(environment)
    };
    if let Some(environment) = done() {
        return Ok(environment);
    }
    let uv = find_uv()?;
    let file = fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(lock)?
        .into_file();
    if file.try_lock().is_err() {
        say("another program makes this environment: waiting for it");
        file.lock()?;
    }
    if let Some(environment) = done() {
        return Ok(environment);
    }
    // What fails or is cut must not pass for complete later.
    if marker.exists() {
        fs_err::write(&marker, UNFINISHED)?;
    }
    make(&uv)?;
    let environment = Environment::at(folder, hash());
    fs_err::write(&marker, &environment.hash)?;
    Ok(environment)
}

fn create(uv: &Path, folder: &Path, python: Option<&str>, say: &dyn Fn(&str)) -> Result<()> {
    say("making a Python environment with uv");
    let mut command = Command::new(uv);
    command.args(["venv", "--quiet", "--clear"]).arg(folder);
    if let Some(python) = python {
        command.args(["--python", python]);
    }
    run(&mut command, say)
}

fn install(
    uv: &Path,
    root: &Path,
    folder: &Path,
    what: &[String],
    say: &dyn Fn(&str),
) -> Result<()> {
    say("installing packages");
    let mut command = Command::new(uv);
    command
        .args(["pip", "install"])
        .args(what)
        .current_dir(root)
        .env("VIRTUAL_ENV", folder);
    run(&mut command, say)
}

/// Runs uv, and passes on what it says, line by line; not its list of packages, a hundred lines that `uv pip list` knows too.
fn run(command: &mut Command, say: &dyn Fn(&str)) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|_| Error::NoUv)?;
    let mut lines: Vec<String> = Vec::new();
    if let Some(said) = child.stderr.take() {
        for line in BufReader::new(said).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).trim_end().to_owned();
            if line.is_empty() {
                continue;
            }
            if !is_package(&line) {
                say(&line);
            }
            lines.push(line);
        }
    }
    if child.wait()?.success() {
        return Ok(());
    }
    let from = lines.len().saturating_sub(SHOWN_LINES);
    Err(Error::Environment(
        lines.get(from..).unwrap_or_default().join("\n"),
    ))
}

/// ` + numpy==2.4.6`, or with another sign.
pub(crate) fn is_package(line: &str) -> bool {
    [" + ", " - ", " ~ "]
        .iter()
        .any(|sign| line.starts_with(sign))
}

/// SHA-256 of several texts, each with its length, so that they cannot run into one another.
pub(crate) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
            text
        })
}
