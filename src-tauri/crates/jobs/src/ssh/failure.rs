//! What `ssh` says when it cannot, in words that help. It has one exit code for all of it, so its English text is all
//! there is to go by (`ssh` is not translated).

use super::host::Host;
use crate::Error;

/// `ssh` itself failed; what ran there has other codes.
const SSH_FAILED: i32 = 255;
/// The agent's own: a digest is not what was said.
const DAMAGED: i32 = 74;
/// No `uv`, or one that does not run there.
const NO_UV: i32 = 72;
/// Slurm refused.
const SLURM: i32 = 76;
/// The agent is not there (any more).
const NO_COMMAND: [i32; 2] = [2, 127];

pub(super) fn of(host: &Host, code: Option<i32>, said: &str) -> Error {
    let name = host.name().to_owned();
    match code {
        Some(SSH_FAILED) | None if !matches!(host, Host::Pod(_)) => ssh(host, said),
        Some(_) if is_full(said) => Error::FullThere { host: name },
        Some(DAMAGED) => Error::Damaged {
            host: name,
            path: said.to_owned(),
        },
        Some(SLURM) => Error::Slurm {
            host: name,
            said: last_lines(
                &said
                    .replace("sbatch: error: ", "")
                    .replace("squeue: error: ", ""),
            ),
        },
        Some(NO_UV) => Error::NoUvThere { host: name },
        Some(code) if NO_COMMAND.contains(&code) && said.contains("agent-") => Error::NoAgent(name),
        Some(_) | None => Error::There {
            host: name,
            said: last_lines(said),
        },
    }
}

fn is_full(said: &str) -> bool {
    // GNU tar reports a write that stopped half-way without its reason.
    const WORDS: [&str; 3] = [
        "No space left on device",
        "Disk quota exceeded",
        ": Wrote only ",
    ];
    WORDS.iter().any(|words| said.contains(words))
}

fn ssh(of: &Host, said: &str) -> Error {
    let (host, by_hand) = (of.name().to_owned(), of.by_hand());
    let has = |text: &str| said.contains(text);
    if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        let line = said
            .lines()
            .find_map(|line| line.trim().strip_prefix("Offending "))
            .and_then(|line| line.split_once(" in "))
            .map(|(_, place)| place.trim().to_owned());
        Error::HostKeyChanged { host, line }
    } else if has("Host key verification failed") || has("host key is known for") {
        let by_hand = by_hand.unwrap_or_default();
        Error::HostKeyUnknown { host, by_hand }
    } else if has("Could not resolve hostname") {
        Error::NoSuchHost { host }
    } else if has("Permission denied (") || has("Too many authentication failures") {
        let by_hand = by_hand.unwrap_or_default();
        Error::Refused { host, by_hand }
    } else if has("Bad configuration option") || has("Can't open user config file") {
        Error::BadHost {
            host,
            reason: last_lines(said),
        }
    } else {
        Error::Cut {
            host,
            why: last_lines(said),
            by_hand,
        }
    }
}

fn last_lines(said: &str) -> String {
    const LINES: usize = 6;
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let from = lines.len().saturating_sub(LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}
