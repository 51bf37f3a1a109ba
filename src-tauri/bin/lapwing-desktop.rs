//! The window.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

#[path = "../desktop/mod.rs"]
mod desktop;

fn main() -> std::process::ExitCode {
    desktop::main()
}
