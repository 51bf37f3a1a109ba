//! Python environments, made by `uv`.
//!
//! A marker written last tells a finished environment from one whose making was cut; a lock keeps two processes from making
//! the same one at once.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lapwing_core::Workspace;
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// Of what uv said, the part worth showing.
const SHOWN_LINES: usize = 12;
const MARKER: &str = ".lapwing-complete";

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

/// The environment of a project: `.venv` from `pyproject.toml` or a requirements file, or the interpreter on PATH when it has
/// neither. Made only when what it is made from has changed.
///
/// # Errors
/// When uv is missing, or a requirement cannot be installed.
pub fn for_project(
    root: &Path,
    wanted: &ProjectEnvironment,
    say: &dyn Fn(&str),
) -> Result<Environment> {
    let pyproject = root.join("pyproject.toml");
    let requirements = root.join(wanted.requirements.as_deref().unwrap_or("requirements.txt"));
    if wanted.requirements.is_some() && !requirements.is_file() {
        return Err(Error::Environment(format!(
            "there is no {}",
            requirements.display()
        )));
    }
    let folder = root.join(".venv");
    if requirements.is_file() {
        let text = fs_err::read_to_string(&requirements)?;
        let hash = digest(&[&text, wanted.python.as_deref().unwrap_or_default()]);
        return made(&folder, hash, say, &|uv| {
            create(uv, &folder, wanted.python.as_deref(), say)?;
            install(
                uv,
                &folder,
                &["-r".to_owned(), requirements.display().to_string()],
                say,
            )
        });
    }
    if pyproject.is_file() {
        let lock = fs_err::read_to_string(root.join("uv.lock")).unwrap_or_default();
        let hash = digest(&[&fs_err::read_to_string(&pyproject)?, &lock]);
        return made(&folder, hash, say, &|uv| {
            say("making the environment of pyproject.toml with uv");
            run(Command::new(uv).arg("sync").current_dir(root))
        });
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
    made(&folder, hash, say, &|uv| {
        create(uv, &folder, python, say)?;
        let file = folder.join("requirements.txt");
        fs_err::write(&file, sorted.join("\n"))?;
        install(
            uv,
            &folder,
            &["-r".to_owned(), file.display().to_string()],
            say,
        )
    })
}

fn made(
    folder: &Path,
    hash: String,
    say: &dyn Fn(&str),
    make: &dyn Fn(&Path) -> Result<()>,
) -> Result<Environment> {
    let environment = Environment::at(folder, hash.clone());
    let done = || {
        fs_err::read_to_string(folder.join(MARKER)).is_ok_and(|text| text == hash)
            && environment.python.exists()
    };
    if done() {
        return Ok(environment);
    }
    let uv = find_uv()?;
    let lock = folder.with_extension("lock");
    let file = fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock)?
        .into_file();
    if file.try_lock().is_err() {
        say("another program makes this environment: waiting for it");
        file.lock()?;
    }
    if done() {
        return Ok(environment);
    }
    make(&uv)?;
    fs_err::write(folder.join(MARKER), &hash)?;
    Ok(environment)
}

fn create(uv: &Path, folder: &Path, python: Option<&str>, say: &dyn Fn(&str)) -> Result<()> {
    say("making a Python environment with uv");
    let mut command = Command::new(uv);
    command.args(["venv", "--quiet", "--clear"]).arg(folder);
    if let Some(python) = python {
        command.args(["--python", python]);
    }
    run(&mut command)
}

fn install(uv: &Path, folder: &Path, what: &[String], say: &dyn Fn(&str)) -> Result<()> {
    say("installing packages");
    run(Command::new(uv)
        .args(["pip", "install", "--quiet"])
        .args(what)
        .env("VIRTUAL_ENV", folder))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|_| Error::NoUv)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let from = lines.len().saturating_sub(SHOWN_LINES);
    Err(Error::Environment(
        lines.get(from..).unwrap_or_default().join("\n"),
    ))
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
