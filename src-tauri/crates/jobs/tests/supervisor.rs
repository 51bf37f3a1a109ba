//! A program that can supervise, as `lapwing` can: `supervisor __supervise FOLDER`.

#![allow(clippy::print_stderr, reason = "a supervisor says why it ends")]

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = std::env::args_os()
        .nth(2)
        .map(PathBuf::from)
        .unwrap_or_default();
    match lapwing_jobs::supervise(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
