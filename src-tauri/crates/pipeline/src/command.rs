//! How a stage's command is started: shell, arguments and environment, as DVC does it. Starting it is the app's.

use std::path::{Path, PathBuf};

use crate::{paths, stage::Stage};

/// One line of a stage's command, ready to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The line as people know it.
    pub line: String,
}

/// The commands of a stage in order; the first that fails ends the stage. `shell` is `$SHELL`, if it is set.
#[must_use]
pub fn commands(stage: &Stage, shell: Option<&str>) -> Vec<Command> {
    stage
        .cmd
        .lines()
        .into_iter()
        .map(|line| Command {
            argv: shell_argv(shell, &line),
            line,
        })
        .collect()
}

/// `$SHELL -c LINE` without the user's start files, so that a run depends on the project only.
#[must_use]
pub fn shell_argv(shell: Option<&str>, line: &str) -> Vec<String> {
    if cfg!(windows) {
        return vec!["cmd".to_owned(), "/C".to_owned(), line.to_owned()];
    }
    let shell = shell.filter(|shell| !shell.is_empty()).unwrap_or("/bin/sh");
    let name = Path::new(shell)
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let quiet: &[&str] = match name.as_str() {
        "bash" => &["--noprofile", "--norc"],
        "zsh" => &["--no-rcs"],
        "fish" => &["--no-config"],
        _ => &[],
    };
    let mut argv = vec![shell.to_owned()];
    argv.extend(quiet.iter().map(|&flag| flag.to_owned()));
    argv.extend(["-c".to_owned(), line.to_owned()]);
    argv
}

/// What every command of a stage finds in its environment besides the usual.
#[must_use]
pub fn stage_env(root: &Path, stage: &Stage) -> Vec<(String, String)> {
    vec![
        ("DVC_ROOT".to_owned(), root.display().to_string()),
        ("DVC_STAGE".to_owned(), stage.address.clone()),
    ]
}

/// The folder in which a stage's commands run.
#[must_use]
pub fn stage_folder(root: &Path, stage: &Stage) -> PathBuf {
    paths::on_disk(root, &stage.wdir)
}
