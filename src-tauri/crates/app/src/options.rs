//! What the process environment decides, read once at the edge.

use std::path::{Path, PathBuf};

use lapwing_core::{Code, Report};

/// Where the workspace is, and which program to start helpers with.
#[derive(Debug, Clone)]
pub struct Options {
    pub home: PathBuf,
    pub program: PathBuf,
    /// Whether credentials go to the operating system's keychain, where there is one.
    pub keychain: bool,
}

impl Options {
    /// `$LAPWING_HOME`, or the platform's data folder; the command line program beside the running one; the keychain, unless
    /// `LAPWING_KEYCHAIN=off`.
    ///
    /// # Errors
    /// When there is no home folder, or the running program cannot be found.
    pub fn from_environment() -> Result<Self, Report> {
        let home = match std::env::var_os("LAPWING_HOME").filter(|value| !value.is_empty()) {
            Some(home) => absolute(Path::new(&home))?,
            None => data_folder()?.join(if cfg!(target_os = "linux") {
                "lapwing"
            } else {
                "Lapwing"
            }),
        };
        Ok(Self {
            home,
            program: program()?,
            keychain: std::env::var_os("LAPWING_KEYCHAIN").is_none_or(|value| value != "off"),
        })
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Report> {
    std::path::absolute(path).map_err(|error| {
        Report::new(
            Code::Invalid,
            "app.home",
            format!("LAPWING_HOME={} cannot be used: {error}", path.display()),
        )
    })
}

/// The user's home folder.
///
/// # Errors
/// When the environment names none.
pub(crate) fn home_folder() -> Result<PathBuf, Report> {
    std::env::home_dir()
        .filter(|path| !path.as_os_str().is_empty())
        .ok_or_else(|| {
            Report::new(Code::Missing, "app.no_home", "this user has no home folder")
                .hint("set LAPWING_HOME to a folder")
        })
}

#[cfg(target_os = "linux")]
fn data_folder() -> Result<PathBuf, Report> {
    match std::env::var_os("XDG_DATA_HOME").filter(|value| Path::new(value).is_absolute()) {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Ok(home_folder()?.join(".local/share")),
    }
}

#[cfg(target_os = "macos")]
fn data_folder() -> Result<PathBuf, Report> {
    Ok(home_folder()?.join("Library/Application Support"))
}

#[cfg(windows)]
fn data_folder() -> Result<PathBuf, Report> {
    match std::env::var_os("APPDATA") {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Ok(home_folder()?.join("AppData").join("Roaming")),
    }
}

/// Supervisors and gateways run the command line program: the window would drag WebKit into each of them.
fn program() -> Result<PathBuf, Report> {
    let running = std::env::current_exe().map_err(|error| {
        Report::new(
            Code::Internal,
            "app.no_program",
            format!("the running program cannot be found: {error}"),
        )
    })?;
    let name = if cfg!(windows) {
        "lapwing.exe"
    } else {
        "lapwing"
    };
    let beside = running.with_file_name(name);
    let up = running
        .parent()
        .and_then(Path::parent)
        .map(|folder| folder.join(name));
    match up {
        _ if beside.is_file() => Ok(beside),
        Some(up) if up.is_file() => Ok(up),
        _ => Ok(running),
    }
}
