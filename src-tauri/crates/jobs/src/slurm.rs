//! Jobs in a Slurm cluster's queue, through `sbatch` on its login node (over ssh, or here).
//!
//! The script that runs there is the one of every other machine, so it writes its own end marker: `sacct` and its database
//! are not needed. The job's comment holds our id, so that a job whose number was lost is found again. What Slurm alone
//! knows (why a job waits, that its memory or its time ran out, that its place was taken) is asked of `squeue`.

use serde::{Deserialize, Serialize};

use crate::environment::digest;
use crate::ssh::Agent;
use crate::state::Outcome;
use crate::{Error, Host, RemoteSpec, Result};

/// What a job asks of the cluster. What is not set is the cluster's own default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlurmSpec {
    /// The login node, and what travels. Its folder must be one that all nodes see.
    pub remote: RemoteSpec,
    #[serde(default)]
    pub partition: Option<String>,
    #[serde(default)]
    pub account: Option<String>,
    #[serde(default)]
    pub qos: Option<String>,
    /// `2`, or with a type `a100:2`.
    #[serde(default)]
    pub gpus: Option<String>,
    #[serde(default)]
    pub cpus: Option<u32>,
    #[serde(default)]
    pub memory_mib: Option<u64>,
    /// After so many minutes Slurm ends the job.
    #[serde(default)]
    pub minutes: Option<u64>,
    /// Options of `sbatch` as they are: `--constraint=nvlink`.
    #[serde(default)]
    pub options: Vec<String>,
    /// Its place in an array, where several jobs are alike.
    #[serde(default)]
    pub member: Option<Member>,
}

/// One task of an array, which the first one that arrives makes. All members name the same `size` and `at_once`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Letters, digits, `-` and `_`.
    pub array: String,
    /// From 1 to `size`.
    pub index: u32,
    pub size: u32,
    /// So many tasks run at the same time.
    pub at_once: u32,
}

/// Ends the tasks of an array that no job came for, and forgets the array. One that is not there is none.
///
/// # Errors
/// When the host cannot be reached, or Slurm does not answer.
pub fn disband(host: &Host, array: &str) -> Result<()> {
    let agent = Agent::new(host)?;
    agent.greet(None)?;
    agent.tell("disband", &[array], None, b"").map(|_| ())
}

impl SlurmSpec {
    /// With the cluster's own defaults.
    #[must_use]
    pub fn new(remote: RemoteSpec) -> Self {
        Self {
            remote,
            partition: None,
            account: None,
            qos: None,
            gpus: None,
            cpus: None,
            memory_mib: None,
            minutes: None,
            options: Vec::new(),
            member: None,
        }
    }

    /// Name of the array that the job is a task of. Jobs that ask for other things are in another one.
    ///
    /// # Errors
    /// When an option cannot be one.
    pub fn array(&self, title: &str) -> Result<Option<String>> {
        let Some(member) = &self.member else {
            return Ok(None);
        };
        let options: String = digest(&[&self.options(title)?]).chars().take(8).collect();
        Ok(Some(format!("{}-{options}", member.array)))
    }

    /// One option a line, as the script reads them.
    pub(crate) fn options(&self, title: &str) -> Result<String> {
        let name: String = title
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "-_.@".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let mut options = vec![format!("--job-name=lapwing-{name}")];
        let mut add = |option: &str, value: Option<String>| {
            options.extend(value.map(|value| format!("--{option}={value}")));
        };
        add("partition", self.partition.clone());
        add("account", self.account.clone());
        add("qos", self.qos.clone());
        add("gres", self.gpus.as_ref().map(|gpus| format!("gpu:{gpus}")));
        add("cpus-per-task", self.cpus.map(|cpus| cpus.to_string()));
        add("mem", self.memory_mib.map(|mib| format!("{mib}M")));
        add("time", self.minutes.map(|minutes| minutes.to_string()));
        for option in &self.options {
            if !option.starts_with('-') {
                return Err(Error::Slurm {
                    host: self.remote.host.name().to_owned(),
                    said: format!("`{option}` is no option of sbatch"),
                });
            }
        }
        options.extend(self.options.iter().cloned());
        if let Some(odd) = options.iter().find(|option| option.contains('\n')) {
            return Err(Error::Slurm {
                host: self.remote.host.name().to_owned(),
                said: format!("`{}` has a line break", odd.escape_debug()),
            });
        }
        Ok(options.join("\n") + "\n")
    }
}

/// `None` when the command runs; else why it waits, in words.
pub(crate) fn waits(words: &str) -> Option<String> {
    let (state, reason) = words.split_once(' ').unwrap_or((words, ""));
    let why = match (state, reason) {
        ("UNREACHABLE", _) => "Slurm does not answer".to_owned(),
        ("PENDING", "None" | "") => "in Slurm's queue".to_owned(),
        ("PENDING", reason) => format!("in Slurm's queue: {}", meaning(reason)),
        ("CONFIGURING", _) => "its node is being made ready".to_owned(),
        ("SUSPENDED" | "STOPPED", _) => "suspended by Slurm".to_owned(),
        ("REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "SPECIAL_EXIT", _) => {
            format!("back in Slurm's queue ({state})")
        }
        _ => return None,
    };
    Some(why)
}

/// Slurm's reasons that people meet, with their own word behind.
fn meaning(reason: &str) -> String {
    let known = match reason {
        "Resources" => "waiting for free resources",
        "Priority" => "jobs of a higher priority go first",
        "Dependency" => "another job has to end first",
        "QOSMaxJobsPerUserLimit" | "AssocMaxJobsLimit" => "you have as many jobs as you may",
        "PartitionTimeLimit" => {
            "it asks for more time than the partition gives: it will never start"
        }
        "PartitionNodeLimit" | "PartitionConfig" => {
            "it asks for more than the partition has: it will never start"
        }
        "ReqNodeNotAvail" | "Nodes_required_for_job_are_DOWN" => "the nodes it needs are down",
        "JobArrayTaskLimit" => "as many of its array run as may at once",
        "JobHeldUser" | "JobHeldAdmin" => "it is held",
        _ if reason.contains("GRES")
            || reason.contains("GrpTRES")
            || reason.contains("MaxTRES") =>
        {
            "a quota is used up"
        }
        _ => return reason.to_owned(),
    };
    format!("{known} ({reason})")
}

/// What Slurm's last state makes of the outcome that the command itself left (`None`: it left none, and `said` is what Slurm
/// wrote into its log).
pub(crate) fn outcome(own: Option<Outcome>, words: &str, said: &str, spec: &SlurmSpec) -> Outcome {
    let state = words.split([' ', '+']).next().unwrap_or_default();
    match state {
        "OUT_OF_MEMORY" => Outcome::OutOfMemory,
        "TIMEOUT" | "DEADLINE" => Outcome::TimedOut {
            seconds: spec.minutes.unwrap_or_default().saturating_mul(60),
        },
        "CANCELLED" => Outcome::Cancelled,
        "PREEMPTED" | "NODE_FAIL" | "BOOT_FAIL" | "REVOKED" => Outcome::Evicted {
            state: state.to_owned(),
        },
        _ => match own {
            // Its own end marker says more than `FAILED`.
            Some(own) => own,
            // Without cgroups Slurm kills for memory as for anything else, and writes why.
            None if said.contains("memory limit") => Outcome::OutOfMemory,
            None if state == "FAILED" => Outcome::Evicted {
                state: state.to_owned(),
            },
            None => Outcome::Lost,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{SlurmSpec, outcome, waits};
    use crate::state::Outcome;
    use crate::{Host, RemoteSpec};

    #[test]
    fn the_last_word_of_slurm_counts_more_than_a_signal() {
        let spec = SlurmSpec {
            minutes: Some(2),
            ..SlurmSpec::new(RemoteSpec::new(Host::Here { folder: None }, "/".into()))
        };
        let killed = || Some(Outcome::Signalled { signal: 15 });
        let of = |own, words| outcome(own, words, "", &spec);
        assert_eq!(
            of(killed(), "TIMEOUT TimeLimit"),
            Outcome::TimedOut { seconds: 120 }
        );
        assert_eq!(
            of(killed(), "OUT_OF_MEMORY OutOfMemory"),
            Outcome::OutOfMemory
        );
        let preempted = of(killed(), "PREEMPTED None");
        assert!(
            preempted.to_string().contains("more important"),
            "{preempted}"
        );
        assert_eq!(of(killed(), "CANCELLED by 0"), Outcome::Cancelled);
        let code = Outcome::Failed { code: 3 };
        assert_eq!(of(Some(code.clone()), "FAILED NonZeroExitCode"), code);
        assert_eq!(of(None, "UNKNOWN"), Outcome::Lost);
    }

    #[test]
    fn a_waiting_job_says_why_and_a_running_one_nothing() {
        assert_eq!(
            waits("PENDING Resources").as_deref(),
            Some("in Slurm's queue: waiting for free resources (Resources)")
        );
        assert_eq!(waits("PENDING None").as_deref(), Some("in Slurm's queue"));
        assert_eq!(
            waits("PENDING NewReason").as_deref(),
            Some("in Slurm's queue: NewReason"),
            "a reason that we do not know is passed on"
        );
        assert_eq!(waits("RUNNING None"), None);
    }
}
