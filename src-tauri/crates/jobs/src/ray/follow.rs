//! A submission's log and state, until it has ended.

use std::io::Write as _;
use std::time::{Duration, Instant};

use lapwing_core::Timestamp;
use lapwing_remote::ray::{Job as Seen, Status};

use super::job::{Job, passes};
use crate::Result;
use crate::ssh::Memory;
use crate::state::Outcome;

const TICK: Duration = Duration::from_millis(100);
const POLL: Duration = Duration::from_secs(1);
/// An answer has the whole log: the longer it takes, the longer the next one is waited for.
const REST: u32 = 10;
/// A shell's code for a command that a signal ended is this and the signal's number.
const SIGNALLED: i32 = 128;
const LAST_SIGNAL: i32 = 64;
/// Of Ray's reasons, the part worth showing.
const SHOWN_CHARS: usize = 600;

/// How it ended, and on which node.
pub(super) struct End {
    pub outcome: Outcome,
    pub node: Option<String>,
}

/// Why it is being ended from here.
#[derive(Clone, Copy)]
enum Ending {
    Cancelled,
    TimedOut { seconds: u64 },
}

impl Job<'_> {
    /// Follows it to its end; ends it when somebody wants that, or its time is over.
    pub async fn follow(&self, log_start: u64) -> Result<End> {
        let mut ending = self.known_ending()?;
        let mut rest = POLL;
        let mut read = Instant::now();
        loop {
            let Some(seen) = self.cluster().job(&self.id).await? else {
                // The cluster was started anew, or somebody removed it there.
                return Ok(End {
                    outcome: Outcome::Lost,
                    node: None,
                });
            };
            match seen.status {
                Status::Pending => self.say(&waits(&seen)),
                Status::Running => {
                    let started = self.runs(log_start)?;
                    if ending.is_none() && !self.cancelled() {
                        ending = self.time_is_over(started)?;
                    }
                }
                Status::Stopped | Status::Succeeded | Status::Failed => {
                    if seen.driver_exit_code.is_some() {
                        self.runs(log_start)?;
                    }
                    self.take_log(log_start, Last::Yes).await?;
                    return Ok(End {
                        outcome: outcome(&seen, ending),
                        node: seen.driver_node_id,
                    });
                }
            }
            if ending.is_none() && self.cancelled() {
                ending = Some(Ending::Cancelled);
            }
            if ending.is_some() {
                self.cluster().stop(&self.id).await?;
            }
            if read.elapsed() >= rest {
                let asked = Instant::now();
                self.take_log(log_start, Last::No).await?;
                rest = POLL.max(asked.elapsed() * REST);
                read = Instant::now();
            }
            self.pause(ending.is_none()).await;
        }
    }

    /// Why it was told to end before the connection was cut, or by a supervisor before this one.
    fn known_ending(&self) -> Result<Option<Ending>> {
        let late = Memory::of(self.folder)?.timed_out;
        Ok(match self.spec.timeout_seconds {
            Some(seconds) if late => Some(Ending::TimedOut { seconds }),
            Some(_) | None => self.cancelled().then_some(Ending::Cancelled),
        })
    }

    fn time_is_over(&self, started: Timestamp) -> Result<Option<Ending>> {
        let Some(seconds) = self.spec.timeout_seconds else {
            return Ok(None);
        };
        let gone = Timestamp::now().millis_since(started);
        let over = i64::try_from(seconds.saturating_mul(1000)).is_ok_and(|limit| gone > limit); // More than time has.
        if !over {
            return Ok(None);
        }
        // Before it is told so: an answer may be lost, and this process may die.
        let mut memory = Memory::of(self.folder)?;
        memory.timed_out = true;
        memory.keep(self.folder)?;
        Ok(Some(Ending::TimedOut { seconds }))
    }

    async fn pause(&self, cancel_counts: bool) {
        let begun = Instant::now();
        while begun.elapsed() < POLL && !(cancel_counts && self.cancelled()) {
            tokio::time::sleep(TICK).await;
        }
    }

    /// Appends what is new. The answer is all of the log: what we have of it is as long as what we wrote.
    async fn take_log(&self, log_start: u64, last: Last) -> Result<()> {
        let have = self.log_size()?.saturating_sub(log_start);
        let asked = self.cluster().logs(&self.id).await;
        let text = match asked.map_err(crate::Error::from) {
            Ok(text) => text,
            Err(error) if passes(&error) => return Err(error),
            // The log is not the job: one that is too large to be asked for ends nothing.
            Err(error) => {
                tracing::warn!(%error, "the log of the job cannot be read further");
                return Ok(());
            }
        };
        let text = match last {
            Last::Yes => text.as_str(),
            // A letter that is cut in two at the end comes whole with the next answer.
            Last::No => text.trim_end_matches('\u{fffd}'),
        };
        let new = usize::try_from(have)
            .ok() // More than memory holds: nothing new.
            .and_then(|have| text.as_bytes().get(have..))
            .unwrap_or_default();
        if new.is_empty() {
            return Ok(());
        }
        let mut log = fs_err::OpenOptions::new()
            .append(true)
            .open(self.folder.output())?;
        Ok(log.write_all(new)?)
    }
}

#[derive(Clone, Copy)]
enum Last {
    Yes,
    No,
}

/// Why it waits, in Ray's words.
fn waits(seen: &Seen) -> String {
    const FIRST: &str = "Job has not started yet.";
    let said = seen.message.as_deref().unwrap_or_default();
    let said = said.strip_prefix(FIRST).unwrap_or(said).trim();
    match said {
        "" => "in Ray's queue".to_owned(),
        why => format!("in Ray's queue: {why}"),
    }
}

fn outcome(seen: &Seen, ending: Option<Ending>) -> Outcome {
    let said = seen.message.as_deref().unwrap_or_default();
    match (seen.status, ending) {
        (Status::Succeeded, _) => Outcome::Succeeded,
        (_, Some(Ending::Cancelled)) => Outcome::Cancelled,
        (_, Some(Ending::TimedOut { seconds })) => Outcome::TimedOut { seconds },
        (Status::Stopped, None) => Outcome::Evicted {
            state: "STOPPED".to_owned(),
        },
        (Status::Failed | Status::Pending | Status::Running, None) => match seen.driver_exit_code {
            Some(code) if code < 0 => Outcome::Signalled { signal: -code },
            Some(code) if (SIGNALLED + 1..=SIGNALLED + LAST_SIGNAL).contains(&code) => {
                Outcome::Signalled {
                    signal: code - SIGNALLED,
                }
            }
            Some(code) => Outcome::Failed { code },
            None if said.contains("runtime_env") => Outcome::NotStarted {
                why: shown(said),
                hint: Some("see its log; correct what it cannot install".to_owned()),
            },
            None if said.contains("OutOfMemory") => Outcome::OutOfMemory,
            None => Outcome::Evicted { state: shown(said) },
        },
    }
}

/// Ray's reasons are whole tracebacks: their end says something.
fn shown(said: &str) -> String {
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let skipped = words.chars().count().saturating_sub(SHOWN_CHARS);
    match skipped {
        0 => words,
        _ => format!("…{}", words.chars().skip(skipped).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use lapwing_remote::ray::{Job as Seen, Status};

    use super::{Ending, outcome, waits};
    use crate::state::Outcome;

    fn seen(status: Status, code: Option<i32>, message: &str) -> Seen {
        Seen {
            status,
            message: Some(message.to_owned()),
            driver_exit_code: code,
            driver_node_id: None,
        }
    }

    #[test]
    fn ray_states_become_outcomes() {
        let of = |code, message| outcome(&seen(Status::Failed, code, message), None);
        assert_eq!(of(Some(3), "failed"), Outcome::Failed { code: 3 });
        assert_eq!(of(Some(-9), "failed"), Outcome::Signalled { signal: 9 });
        assert_eq!(of(Some(139), "failed"), Outcome::Signalled { signal: 11 });
        let unmade = of(None, "runtime_env setup failed: no such package");
        assert!(matches!(unmade, Outcome::NotStarted { .. }), "{unmade}");
        assert_eq!(of(None, "x OutOfMemoryError"), Outcome::OutOfMemory);
        let gone = of(None, "the node died");
        assert!(gone.to_string().contains("the node died"), "{gone}");
        let stopped = seen(Status::Stopped, None, "");
        assert!(matches!(outcome(&stopped, None), Outcome::Evicted { .. }));
        let ours = outcome(&stopped, Some(Ending::Cancelled));
        assert_eq!(ours, Outcome::Cancelled);
        let won = seen(Status::Succeeded, Some(0), "");
        let late = outcome(&won, Some(Ending::Cancelled));
        assert_eq!(late, Outcome::Succeeded, "it was quicker");
    }

    #[test]
    fn a_waiting_job_says_why() {
        let why = "Job has not started yet. It may be waiting for resources.";
        assert_eq!(
            waits(&seen(Status::Pending, None, why)),
            "in Ray's queue: It may be waiting for resources."
        );
    }
}
