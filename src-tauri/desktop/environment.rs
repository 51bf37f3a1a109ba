//! What must be in the environment before GTK and WebKit start.
//!
//! What the user set is respected.

use std::path::Path;

/// Starts the log, and sets `LANG`, `PATH` and the renderer that this machine needs. Call it before there is another thread:
/// a variable that is set while another one reads is undefined behaviour on Unix.
pub fn prepare() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LAPWING_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    set(wanted());
}

fn wanted() -> Vec<(&'static str, String)> {
    let mut wanted = Vec::new();
    if cfg!(target_os = "linux") {
        if is_c_locale() {
            // With a C locale `navigator.language` is "C", and `Intl` throws while pages load.
            wanted.push(("LANG", "en_US.UTF-8".to_owned()));
            wanted.push(("LC_ALL", String::new()));
        }
        if std::env::var_os("WEBKIT_DISABLE_DMABUF_RENDERER").is_none() && !has_render_node() {
            // Without a GPU the other renderer is lighter and faster.
            wanted.push(("WEBKIT_DISABLE_DMABUF_RENDERER", "1".to_owned()));
        }
    }
    if let Some(path) = login_path() {
        wanted.push(("PATH", path));
    }
    wanted
}

fn is_c_locale() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL")
        .or_else(|| set("LC_MESSAGES"))
        .or_else(|| set("LANG"))
        .unwrap_or_default();
    locale.is_empty() || locale == "C" || locale == "POSIX" || locale.starts_with("C.")
}

fn has_render_node() -> bool {
    (128..136).any(|number| Path::new(&format!("/dev/dri/renderD{number}")).exists())
}

/// The login shell's PATH, when the program was started from a desktop launcher: without it conda, pyenv, uv and
/// docker are not found. A terminal has it already.
fn login_path() -> Option<String> {
    use std::io::IsTerminal as _;
    let from_launcher = !std::io::stdin().is_terminal() && std::env::var_os("SHLVL").is_none();
    if !from_launcher || cfg!(windows) {
        return None;
    }
    let shell = std::env::var("SHELL").ok()?;
    let output = std::process::Command::new(shell)
        .args(["-lc", "printf '%s' \"$PATH\""])
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .output()
        .ok()?; // No login shell: the PATH that we have is the one there is.
    let path = String::from_utf8(output.stdout).ok()?; // A PATH that is no text cannot be passed on.
    (!path.is_empty()).then_some(path)
}

// GLib's own call, which its programs set their variables with: starting again with the right ones loads WebKit twice.
#[cfg(target_os = "linux")]
fn set(wanted: Vec<(&'static str, String)>) {
    for (name, value) in wanted {
        if value.is_empty() {
            glib::unsetenv(name);
        } else if let Err(error) = glib::setenv(name, &value, true) {
            tracing::warn!(%error, name, "the window goes on with the environment as it is");
        }
    }
}

/// Elsewhere there is no safe call for it, and the program starts itself again with the right ones.
#[cfg(all(unix, not(target_os = "linux")))]
fn set(wanted: Vec<(&'static str, String)>) {
    use std::os::unix::process::CommandExt as _;
    const PREPARED: &str = "LAPWING_DESKTOP_PREPARED";
    if wanted.is_empty() || std::env::var_os(PREPARED).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut command = std::process::Command::new(program);
    command.args(std::env::args_os().skip(1)).env(PREPARED, "1");
    command.envs(wanted);
    let error = command.exec();
    tracing::warn!(%error, "the program goes on with the environment as it is");
}

#[cfg(not(unix))]
fn set(_wanted: Vec<(&'static str, String)>) {}
