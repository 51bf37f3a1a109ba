//! A Python environment there, from the same requirements as here, and a look at what the command's scripts import: before
//! anything waits in a queue.

use std::path::Path;

use lapwing_core::JobId;

use super::agent::{Agent, Machine};
use super::upload::hash_file;
use crate::environment::{digest, find_uv, is_package};
use crate::{Error, RemoteEnvironment, RemoteSpec, Result, requirements};

const IMPORTS: &str = include_str!("imports.py");
/// Of what uv said, the part worth showing.
const SHOWN_LINES: usize = 12;

/// How a person hears of it.
pub(super) struct Talk<'a> {
    /// What stays in the job's log.
    pub log: &'a dyn Fn(&str),
    /// What is told for as long as it goes on.
    pub now: &'a dyn Fn(&str),
}

/// Makes the environment unless it is there, and returns its name.
pub(super) fn make(
    agent: &Agent,
    machine: &Machine,
    id: &JobId,
    remote: &RemoteSpec,
    wanted: &RemoteEnvironment,
    cancel: &Path,
    talk: &Talk<'_>,
) -> Result<String> {
    if machine.uv.is_none() {
        send_uv(agent, machine, cancel, talk)?;
    }
    let kind = if wanted.requirements.ends_with(".toml") {
        "project"
    } else {
        "requirements"
    };
    let name = name(remote, wanted, kind)?;
    let python = wanted.python.as_deref().unwrap_or_default();
    if !may_name_python(python) {
        return Err(Error::Environment(format!("`{python}` names no Python")));
    }
    let mut lines: Vec<String> = Vec::new();
    let mut packages = 0_usize;
    let named = format!("{}\n{python}\n", wanted.requirements);
    let made = agent.call(
        "environment",
        &[&id.to_string(), &name, kind],
        Some(cancel),
        &mut super::host::text(named.as_bytes()),
        &mut |reader| {
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line)? > 0 {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                if is_package(&text) {
                    packages += usize::from(text.starts_with(" + "));
                } else if !text.is_empty() {
                    // The first one says what begins; the others are uv's own, and over with it.
                    let say = if lines.is_empty() { talk.log } else { talk.now };
                    say(&text);
                    lines.push(text);
                }
            }
            Ok(())
        },
    );
    match made {
        Ok(()) => {
            match packages {
                0 => {}
                1 => (talk.log)("environment: 1 package"),
                packages => (talk.log)(&format!("environment: {packages} packages")),
            }
            Ok(name)
        }
        Err(Error::There { said, .. }) => {
            lines.extend(said.lines().map(str::to_owned));
            let from = lines.len().saturating_sub(SHOWN_LINES);
            Err(Error::Environment(
                lines.get(from..).unwrap_or_default().join("\n"),
            ))
        }
        Err(error) => Err(error),
    }
}

/// A version, or what versions have to be: `3.11`, `>=3.11,<3.14`. It becomes an argument of uv's, and no option.
fn may_name_python(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_+*<>=!~, ".contains(c);
    text.chars().all(allowed) && !text.starts_with('-')
}

/// The same content has the same name, on every host.
fn name(remote: &RemoteSpec, wanted: &RemoteEnvironment, kind: &str) -> Result<String> {
    let file = remote.root.join(&wanted.requirements);
    let mut texts = if kind == "project" {
        let lock = file.with_file_name("uv.lock");
        // Without a lock file uv makes one there.
        let locked = fs_err::read_to_string(lock).unwrap_or_default();
        vec![fs_err::read_to_string(&file)?, locked]
    } else {
        requirements::texts(&file)?
    };
    texts.push(wanted.python.clone().unwrap_or_default());
    let parts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Ok(digest(&parts).chars().take(16).collect())
}

/// Gives the host our own uv, where it can run.
fn send_uv(agent: &Agent, machine: &Machine, cancel: &Path, talk: &Talk<'_>) -> Result<()> {
    let host = || agent.host.name().to_owned();
    if !machine.is_like_ours() {
        return Err(Error::NoUvThere { host: host() });
    }
    let Ok(uv) = find_uv() else {
        return Err(Error::NoUvThere { host: host() });
    };
    (talk.log)("uv is not there: sending ours");
    let (hash, _) = hash_file(&uv)?;
    agent.call(
        "tool",
        &["uv", &hash],
        Some(cancel),
        &mut |stdin| {
            std::io::copy(&mut fs_err::File::open(&uv)?, stdin)?;
            Ok(())
        },
        &mut |reader| Ok(std::io::copy(reader, &mut std::io::sink()).map(|_| ())?),
    )
}

impl Machine {
    fn is_like_ours(&self) -> bool {
        let system = match std::env::consts::OS {
            "linux" => "Linux",
            "macos" => "Darwin",
            other => other,
        };
        let architecture = match (std::env::consts::OS, std::env::consts::ARCH) {
            ("macos", "aarch64") => "arm64",
            (_, other) => other,
        };
        self.system == system && self.architecture == architecture
    }
}

/// Fails when a script that the command names imports something at its top that the environment does not offer.
pub(super) fn check_imports(
    agent: &Agent,
    id: &JobId,
    environment: &str,
    scripts: &[String],
    cancel: &Path,
) -> Result<()> {
    for script in scripts {
        // A JSON text is a Python text.
        let named = serde_json::json!(script).to_string();
        let program = format!("import sys\nsys.argv[1:] = [{named}]\n{IMPORTS}");
        let missing = agent.tell(
            "python",
            &[&id.to_string(), environment],
            Some(cancel),
            program.as_bytes(),
        )?;
        let names: Vec<String> = missing
            .split_whitespace()
            .map(|name| format!("`{name}`"))
            .collect();
        if !names.is_empty() {
            return Err(Error::Imports {
                host: agent.host.name().to_owned(),
                script: script.clone(),
                names: names.join(", "),
            });
        }
    }
    Ok(())
}

/// The scripts that a command names, relative to the root: words that end with `.py` and are among what is sent.
pub(super) fn scripts(argv: &[String], cwd: &str, files: &[String]) -> Vec<String> {
    let words = argv
        .iter()
        .flat_map(|word| word.split(|c: char| c.is_whitespace() || "'\"();&|".contains(c)));
    let mut scripts: Vec<String> = words
        .filter(|word| word.ends_with(".py"))
        .filter_map(|word| {
            let mut parts: Vec<&str> = Vec::new();
            let folder = cwd.split('/').filter(|part| !part.is_empty());
            for part in folder.chain(word.split('/')) {
                match part {
                    "." | "" => {}
                    ".." => {
                        parts.pop()?;
                    }
                    part => parts.push(part),
                }
            }
            let path = parts.join("/");
            files.contains(&path).then_some(path)
        })
        .collect();
    scripts.dedup();
    scripts
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_python_may_be_a_range_of_versions_and_is_no_option() {
        for good in ["", "3.11", ">=3.11", ">=3.11, <3.14", "~=3.12", "pypy-3.10"] {
            assert!(super::may_name_python(good), "{good}");
        }
        for bad in ["--system", "3.11\n", "/usr/bin/python3", "$(id)"] {
            assert!(!super::may_name_python(bad), "{bad}");
        }
    }

    #[test]
    fn scripts_are_found_in_shell_lines_and_in_their_folder() {
        let files = ["src/fit.py".to_owned(), "b.py".to_owned()];
        let argv = [
            "sh",
            "-c",
            "python fit.py --x && python ../b.py; echo other.py",
        ]
        .map(str::to_owned);
        assert_eq!(super::scripts(&argv, "src", &files), ["src/fit.py", "b.py"]);
    }
}
