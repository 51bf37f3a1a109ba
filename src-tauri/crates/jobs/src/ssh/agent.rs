//! What is asked of the other machine: one shell script that is put there, and a verb for each need.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _, Write as _};
use std::path::Path;

use lapwing_core::JobId;

use super::host::{BEGIN, Feed, Host, Take, text};
use crate::environment::digest;
use crate::{Error, Result};

const SCRIPT: &str = include_str!("agent.sh");
/// A piece of a log that is handed on at once.
const PIECE: usize = 64 << 10;
/// One line of an answer; a log comes in counted bytes and not in lines.
const MAX_LINE: u64 = 1 << 20;

/// A host that has our script.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub host: Host,
    script: String,
}

/// What the host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// `Linux`, as `uname -s` says.
    pub system: String,
    /// `x86_64`, as `uname -m` says.
    pub architecture: String,
    /// The first line of `uv --version`, where there is one.
    pub uv: Option<String>,
    /// `slurm 22.05.8`, where `sbatch` is there.
    pub slurm: Option<String>,
}

/// What happened to the command there, since a byte of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// The command's own end, and the scheduler's word about it.
    Exit(Exit, String),
    /// It left no end: the machine was started anew, or somebody removed it. What the scheduler says, if there is one.
    Gone(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    TimedOut,
    Cancelled,
}

/// Where a frame of [`Agent::follow`] goes.
pub(crate) trait Listen {
    fn log(&mut self, bytes: &[u8]) -> Result<()>;
    /// A word about a job that waits or runs: a Slurm state with its reason.
    fn state(&mut self, words: &str) -> Result<()>;
}

impl Agent {
    pub fn new(host: &Host) -> Result<Self> {
        host.check()?;
        let short: String = digest(&[SCRIPT]).chars().take(12).collect();
        Ok(Self {
            host: host.clone(),
            script: format!("{}/bin/agent-{short}.sh", host.folder()),
        })
    }

    /// Puts the script there, and learns what the machine is.
    pub fn greet(&self, cancel: Option<&Path>) -> Result<Machine> {
        let script = format!(
            "umask 077\n\
             cd \"$HOME\" && mkdir -p '{folder}/bin' '{folder}/files' '{folder}/jobs' '{folder}/environments' && cd \"$HOME\" || exit 70\n\
             for tool in tar head tail find xargs; do command -v $tool >/dev/null || {{ echo \"there is no $tool\" >&2; exit 70; }}; done\n\
             if [ ! -s '{script}' ]; then\ncat >'{script}'.$$ <<'LAPWING_AGENT_ENDS' || exit 70\n{SCRIPT}LAPWING_AGENT_ENDS\n\
             mv -f '{script}'.$$ '{script}' || exit 70\nfi\n\
             echo {BEGIN}\nuname -s\nuname -m\n\
             PATH=$PATH:$HOME/.local/bin:$HOME/.cargo/bin:'{folder}'/bin\n\
             uv --version 2>/dev/null || echo -\n\
             sbatch --version 2>/dev/null || command -v sbatch || echo -\n",
            folder = self.host.folder(),
            script = self.script,
        );
        let mut answer = String::new();
        self.host.call(
            "sh -s",
            cancel,
            &mut text(script.as_bytes()),
            &mut |reader| Ok(reader.read_to_string(&mut answer).map(|_| ())?),
        )?;
        let mut lines = answer.lines().map(str::to_owned);
        let mut next = || lines.next().unwrap_or_default();
        let (system, architecture, uv, slurm) = (next(), next(), next(), next());
        let known = |line: String| (line != "-" && !line.is_empty()).then_some(line);
        Ok(Machine {
            system,
            architecture,
            uv: known(uv),
            slurm: known(slurm),
        })
    }

    /// Runs one verb of the script. Arguments are plain: letters, digits and `._/-`.
    pub fn call(
        &self,
        verb: &str,
        arguments: &[&str],
        cancel: Option<&Path>,
        feed: Feed<'_>,
        take: Take<'_>,
    ) -> Result<()> {
        let mut line = format!("sh {} {} {verb}", self.script, self.host.folder());
        for argument in arguments {
            debug_assert!(is_plain(argument), "{argument} would be read by a shell");
            line.push(' ');
            line.push_str(argument);
        }
        self.host.call(&line, cancel, feed, take)
    }

    /// One verb with a text for it; its answer is a text.
    pub fn tell(
        &self,
        verb: &str,
        arguments: &[&str],
        cancel: Option<&Path>,
        input: &[u8],
    ) -> Result<String> {
        let mut answer = String::new();
        self.call(verb, arguments, cancel, &mut text(input), &mut |reader| {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes)?;
            answer = String::from_utf8_lossy(&bytes).into_owned();
            Ok(())
        })?;
        Ok(answer)
    }

    /// Hands on the log from byte `offset`, until the command has ended or the connection is cut.
    pub fn follow(
        &self,
        id: &JobId,
        offset: u64,
        cancel: Option<&Path>,
        to: &mut dyn Listen,
    ) -> Result<Told> {
        let (id, offset) = (id.to_string(), offset.to_string());
        let mut told = None;
        self.call(
            "follow",
            &[&id, &offset],
            cancel,
            &mut |_| Ok(()),
            &mut |reader| {
                told = frames(reader, to)?;
                Ok(())
            },
        )?;
        told.ok_or_else(|| Error::Cut {
            host: self.host.name().to_owned(),
            why: "its answer was cut".to_owned(),
            by_hand: self.host.by_hand(),
        })
    }
}

fn frames(reader: &mut dyn BufRead, to: &mut dyn Listen) -> Result<Option<Told>> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut *reader).take(MAX_LINE).read_until(b'\n', &mut line)?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        let (word, rest) = text
            .trim_end()
            .split_once(' ')
            .unwrap_or((text.trim_end(), ""));
        match word {
            "log" => {
                let Ok(size) = rest.parse::<u64>() else {
                    return Ok(None);
                };
                if !copy(reader, size, to)? {
                    return Ok(None);
                }
            }
            "state" => to.state(rest)?,
            "exit" => {
                let (code, state) = rest.split_once(' ').unwrap_or((rest, ""));
                return Ok(exit(code).map(|exit| Told::Exit(exit, state.to_owned())));
            }
            "gone" => return Ok(Some(Told::Gone(rest.to_owned()))),
            // `alive`, and what a later version may say.
            _ => {}
        }
    }
}

/// False when the rest did not come.
fn copy(reader: &mut dyn BufRead, mut size: u64, to: &mut dyn Listen) -> Result<bool> {
    while size > 0 {
        let ready = reader.fill_buf()?;
        if ready.is_empty() {
            return Ok(false);
        }
        let take = ready
            .len()
            .min(PIECE)
            .min(usize::try_from(size).unwrap_or(PIECE));
        to.log(ready.get(..take).unwrap_or_default())?;
        reader.consume(take);
        size -= take as u64;
    }
    Ok(true)
}

fn exit(word: &str) -> Option<Exit> {
    match word {
        "timeout" => Some(Exit::TimedOut),
        "cancelled" => Some(Exit::Cancelled),
        code => code.parse().ok().map(Exit::Code), // Neither: cut, or not ours.
    }
}

fn is_plain(argument: &str) -> bool {
    argument
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._/-".contains(c))
}

/// `command.sh`: variables and arguments as they are, whatever they hold.
pub(crate) fn command(
    folder: &str,
    env: &BTreeMap<String, String>,
    environment: Option<&str>,
    argv: &[String],
) -> Vec<u8> {
    let mut script = b"tree=$(pwd -P)/tree\nexport PYTHONUNBUFFERED=1\n\
        [ ! -e ports.sh ] || . ./ports.sh\n"
        .to_vec();
    script.extend(exports(env));
    let mut line = |text: &str| {
        // Writing to a Vec cannot fail.
        let _ = writeln!(script, "{text}");
    };
    if let Some(environment) = environment {
        line(&format!(
            "export VIRTUAL_ENV=\"$(cd ../../environments/{environment} && pwd -P)\""
        ));
        line("export PATH=\"$VIRTUAL_ENV/bin:$PATH\"");
        // The project itself is not installed: its environment is shared, and its code is that of this job.
        line(
            "[ ! -d \"$tree/src\" ] || export PYTHONPATH=\"$tree/src${PYTHONPATH:+:$PYTHONPATH}\"",
        );
    }
    line(&format!("cd -- \"$tree\"/{} || exit 126", quoted(folder)));
    let argv: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
    line(&format!("exec {}", argv.join(" ")));
    script
}

/// `export` lines.
pub(crate) fn exports(env: &BTreeMap<String, String>) -> Vec<u8> {
    env.iter()
        .flat_map(|(name, value)| format!("export {name}={}\n", in_tree(value)).into_bytes())
        .collect()
}

/// Stands for the working tree in a value. No variable holds a NUL of its own.
pub(crate) const TREE: &str = "\0tree\0";

/// Stands for the job's own folder, beside the tree.
pub(crate) const JOB: &str = "\0job\0";

/// Stands for the port of a tunnel, which may be another one on the node where the command runs.
pub(crate) fn relayed(port: u16) -> String {
    format!("\0{port}\0")
}

fn in_tree(value: &str) -> String {
    value
        .split('\0')
        .enumerate()
        .map(|(at, part)| match (at % 2, part) {
            (0, text) => quoted(text),
            (_, "tree") => "\"$tree\"".to_owned(),
            (_, "job") => "\"${tree%/tree}\"".to_owned(),
            (_, port) => format!("\"${{relayed_{port}:-{port}}}\""),
        })
        .collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
