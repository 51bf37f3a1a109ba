//! One job there, from the first greeting to its outputs at home. Every step can be done again, so that whoever comes after
//! a cut or a dead supervisor begins at the first one that is not done.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use lapwing_core::Timestamp;

use super::agent::{self, Agent, Exit, JOB, Listen, TREE, Told};
use super::environment::Talk;
use super::fetch::Wanted;
use super::host::Host;
use super::memory::Memory;
use super::tunnel::Keeper;
use super::upload::Tree;
use super::{environment, fetch, tunnel, upload};
use crate::folder::Folder;
use crate::kubernetes::{Pod, Reverse, free_port};
use crate::slurm::SlurmSpec;
use crate::state::{JobState, Outcome, set_why};
use crate::{Error, JobSpec, RemoteEnvironment, RemoteSpec, Result, slurm};

/// Between two tries to reach a host: the first is short, and none is longer than the last.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LAST_WAIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
/// For nodes where a tunnel does not end.
const RELAY: &str = include_str!("relay.py");
/// MLflow's files, in the job's folder there.
const TRACKED: &str = "mlruns";
const SERVER: &str = "MLFLOW_TRACKING_URI";
/// Stands for the Python of a container's image, where an environment is named.
const IMAGE: &str = "image";
/// A shell's code for a command that a signal ended is this and the signal's number.
const SIGNALLED: i32 = 128;
const LAST_SIGNAL: i32 = 64;

pub(crate) fn run_job(
    folder: &Folder,
    spec: &JobSpec,
    remote: &RemoteSpec,
    slurm: Option<&SlurmSpec>,
) -> Result<Outcome> {
    let job = Job {
        folder,
        spec,
        remote,
        slurm,
        agent: Agent::new(&remote.host)?,
    };
    job.run()
}

/// Removes what lies there for a job whose result is written. What cannot be removed stays, and does no harm.
pub(crate) fn discard(folder: &Folder, spec: &JobSpec, remote: &RemoteSpec) {
    let keep = matches!(
        folder.read(&folder.state()),
        Ok(Some(JobState::Ended(ended))) if matches!(ended.outcome, Outcome::NotFetched { .. })
    );
    let greeted = Memory::of(folder).is_ok_and(|memory| memory.greeted);
    if keep || !greeted {
        return;
    }
    let cleaned = Agent::new(&remote.host)
        .and_then(|agent| agent.tell("clean", &[&spec.id.to_string()], None, b""));
    if let Err(error) = cleaned {
        tracing::warn!(%error, "the job's folder stays behind on the other machine");
    }
}

struct Job<'a> {
    folder: &'a Folder,
    spec: &'a JobSpec,
    remote: &'a RemoteSpec,
    slurm: Option<&'a SlurmSpec>,
    agent: Agent,
}

impl Job<'_> {
    fn run(&self) -> Result<Outcome> {
        let mut memory = Memory::of(self.folder)?;
        if memory.log_start.is_none() {
            if !memory.greeted {
                // The first time a person waits for the answer: what is wrong is said at once.
                self.say_why(&format!("connecting to {}", self.agent.host.name()))?;
                let machine = self.agent.greet(Some(&self.folder.cancel()))?;
                if self.slurm.is_some() && machine.slurm.is_none() {
                    return Err(Error::NoSlurm(self.agent.host.name().to_owned()));
                }
                memory.greeted = true;
                memory.keep(self.folder)?;
            }
            self.patiently(Until::Cancelled, || self.prepare(&mut memory))?;
            memory.log_start = Some(self.log_size()?);
            memory.keep(self.folder)?;
        }
        let log_start = memory.log_start.unwrap_or_default();
        // From here on it may run: whoever cancels it has to reach it.
        let tunnels = match &self.agent.host {
            Host::Ssh(host) => Some(Way::Ssh(Keeper::start(host, &memory.tunnels))),
            Host::Pod(pod) => Some(Way::Pod(Reverse::start(pod, &memory.tunnels)?)),
            Host::Here { .. } => None,
        };
        let outcome = self.patiently(Until::Done, || self.watch(log_start))?;
        drop(tunnels);
        Ok(self.bring_home(outcome))
    }

    fn id(&self) -> String {
        self.spec.id.to_string()
    }

    fn prepare(&self, memory: &mut Memory) -> Result<()> {
        let cancel = self.folder.cancel();
        let (id, argv) = (self.id(), &self.spec.command.argv);
        let machine = self.agent.greet(Some(&cancel))?;
        let say = |text: &str| self.tell_and_log(text);
        // A word for people: what cannot be written shows when the state is written.
        let now = |text: &str| {
            let _ = self.say_why(text);
        };
        let cwd = self.spec.cwd.strip_prefix(&self.remote.root);
        let cwd = cwd.map_err(|_| Error::BadPath(self.spec.cwd.display().to_string()))?;
        let cwd = slashes(cwd);
        let tree = Tree {
            root: &self.remote.root,
            files: &self.remote.files,
            folders: folders(&cwd, &self.remote.outputs),
        };
        upload::upload(
            &self.agent,
            &self.spec.id,
            &tree,
            &cancel,
            &mut |text| say(text),
            &|gone, all| {
                let (gone, all) = (upload::size(gone), upload::size(all));
                now(&format!("sent {gone} of {all}"));
            },
        )?;
        let mut made = None;
        let wanted = self.remote.environment.as_ref();
        if wanted.is_some_and(|wanted| self.is_in_image(wanted)) {
            say("the image has what the requirements ask for");
            let scripts = environment::scripts(argv, &cwd, &self.remote.files);
            environment::check_imports(&self.agent, &self.spec.id, IMAGE, &scripts, &cancel)?;
        } else if let Some(wanted) = wanted {
            let index = agent::exports(&self.index_env());
            self.agent
                .tell("file", &[&id, "index.sh"], Some(&cancel), &index)?;
            let name = environment::make(
                &self.agent,
                &machine,
                &self.spec.id,
                self.remote,
                wanted,
                &cancel,
                &Talk {
                    log: &say,
                    now: &now,
                },
            )?;
            let scripts = environment::scripts(argv, &cwd, &self.remote.files);
            environment::check_imports(&self.agent, &self.spec.id, &name, &scripts, &cancel)?;
            made = Some(name);
        }
        self.open_tunnels(memory)?;
        let command = agent::command(&cwd, &self.env(memory), made.as_deref(), argv);
        self.agent
            .tell("file", &[&id, "command.sh"], Some(&cancel), &command)?;
        Ok(())
    }

    /// A pod's image may hold everything already. A project's environment is made by uv alone, which knows its lock file.
    fn is_in_image(&self, wanted: &RemoteEnvironment) -> bool {
        let Host::Pod(_) = &self.agent.host else {
            return false;
        };
        let named = format!("{}\n", wanted.requirements);
        let cancel = self.folder.cancel();
        // One that cannot say it has not.
        !wanted.requirements.ends_with(".toml")
            && self
                .agent
                .tell("satisfied", &[&self.id()], Some(&cancel), named.as_bytes())
                .is_ok_and(|answer| answer.trim() == "yes")
    }

    /// What the job says about where packages come from.
    fn index_env(&self) -> BTreeMap<String, String> {
        const PREFIXES: [&str; 3] = ["UV_", "PIP_", "SSL_CERT_"];
        let mut env = self.env(&Memory::default());
        env.retain(|name, _| PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
        env
    }

    fn open_tunnels(&self, memory: &mut Memory) -> Result<()> {
        let wanted = tunnel::ports(&self.spec.env, &self.remote.tunnels);
        match &self.agent.host {
            Host::Ssh(host) => tunnel::open(host, &wanted, memory)?,
            Host::Pod(pod) => self.open_into(pod, &wanted, memory)?,
            // They lie here already.
            Host::Here { .. } => {
                memory.tunnels = wanted.iter().map(|port| (*port, *port)).collect()
            }
        }
        memory.keep(self.folder)?;
        if self.slurm.is_some() && !memory.tunnels.is_empty() {
            let ports: String = memory
                .tunnels
                .values()
                .map(|port| format!("{port}\n"))
                .collect();
            let cancel = self.folder.cancel();
            for (name, content) in [("relay.py", RELAY), ("tunnels", &ports)] {
                self.agent.tell(
                    "file",
                    &[&self.id(), name],
                    Some(&cancel),
                    content.as_bytes(),
                )?;
            }
        }
        Ok(())
    }

    /// Some port there for each of `wanted`.
    fn open_into(&self, pod: &Pod, wanted: &[u16], memory: &mut Memory) -> Result<()> {
        for port in wanted {
            if memory.tunnels.contains_key(port) {
                continue;
            }
            match free_port(pod)? {
                Some(there) => {
                    memory.tunnels.insert(*port, there);
                }
                None => self.track_in_files(memory)?,
            }
        }
        Ok(())
    }

    /// Without a way to our server.
    fn track_in_files(&self, memory: &mut Memory) -> Result<()> {
        let plain = |run: &&String| run.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let Some(run) = self.spec.env.get("MLFLOW_RUN_ID").filter(plain) else {
            self.tell_and_log("there is no python3 in the image: nothing there can report");
            return Ok(());
        };
        let cancel = self.folder.cancel();
        self.agent
            .tell("store", &[&self.id(), run], Some(&cancel), b"")?;
        memory.tracked_in_files = true;
        self.tell_and_log(
            "there is no python3 in the image to report with: metrics come home as files, when the command has ended",
        );
        Ok(())
    }

    /// Paths into the project become paths into the tree there.
    fn env(&self, memory: &Memory) -> BTreeMap<String, String> {
        let root = &self.remote.root;
        let there = |name: &String, value: &String| match Path::new(value).strip_prefix(root) {
            Ok(rest) if rest.as_os_str().is_empty() => TREE.to_owned(),
            Ok(rest) => format!("{TREE}/{}", slashes(rest)),
            Err(_) if memory.tracked_in_files && name == SERVER => {
                format!("file://{JOB}/{TRACKED}")
            }
            Err(_) if self.remote.tunnels.contains(name) => {
                tunnel::moved_with(value, &memory.tunnels, agent::relayed)
            }
            Err(_) => value.clone(),
        };
        let named = |name: &str| {
            let mut letters = name.chars();
            letters
                .next()
                .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let mut env: BTreeMap<String, String> = self
            .spec
            .env
            .iter()
            // What no shell can set is of a shell's own (`BASH_FUNC_x%%`).
            .filter(|(name, _)| named(name))
            .map(|(name, value)| (name.clone(), there(name, value)))
            .collect();
        if memory.tracked_in_files {
            env.remove("MLFLOW_TRACKING_TOKEN");
            // MLflow asks that this is said since its files get no new features.
            env.insert("MLFLOW_ALLOW_FILE_STORE".to_owned(), "true".to_owned());
        }
        env
    }

    /// Starts it unless it was, and follows it to its end.
    fn watch(&self, log_start: u64) -> Result<Outcome> {
        let id = self.id();
        let cancel = self.folder.cancel();
        if cancel.exists() {
            return self.cancel(log_start);
        }
        self.agent.greet(None)?;
        self.begin(&id)?;
        if self.slurm.is_none() {
            self.runs(log_start)?;
        }
        match self.follow(log_start, Some(&cancel)) {
            Ok(told) => self.outcome(&told, log_start),
            Err(Error::Cancelled) => self.cancel(log_start),
            Err(error) => Err(error),
        }
    }

    /// Done twice, it changes nothing.
    fn begin(&self, id: &str) -> Result<()> {
        let limit = self.spec.timeout_seconds.unwrap_or_default().to_string();
        match self.slurm {
            None => self.agent.tell("start", &[id, &limit], None, b"")?,
            Some(slurm) => {
                let options = slurm.options(&self.spec.title)?;
                let array = slurm.array(&self.spec.title)?;
                match slurm.member.as_ref().zip(array) {
                    None => self
                        .agent
                        .tell("submit", &[id, &limit], None, options.as_bytes())?,
                    Some((member, array)) => {
                        let index = member.index.to_string();
                        let arguments = [id, &limit, &array, &index];
                        let text = format!("1-{}%{}\n{options}", member.size, member.at_once);
                        self.agent
                            .tell("member", &arguments, None, text.as_bytes())?
                    }
                }
            }
        };
        Ok(())
    }

    fn follow(&self, log_start: u64, cancel: Option<&Path>) -> Result<Told> {
        let mut log = Log::open(self.folder)?;
        let offset = self.log_size()?.saturating_sub(log_start);
        let mut listener = Listener {
            job: self,
            log: &mut log,
            log_start,
        };
        self.agent
            .follow(&self.spec.id, offset, cancel, &mut listener)
    }

    /// Ends it there, and reads the log's tail.
    fn cancel(&self, log_start: u64) -> Result<Outcome> {
        self.agent.greet(None)?;
        self.agent.tell("stop", &[&self.id()], None, b"")?;
        self.follow(log_start, None)?;
        Ok(Outcome::Cancelled)
    }

    fn outcome(&self, told: &Told, log_start: u64) -> Result<Outcome> {
        let (own, state) = match told {
            Told::Exit(exit, state) => (Some(self.own_outcome(*exit)), state),
            Told::Gone(state) => (None, state),
        };
        let said = match &own {
            Some(Outcome::Cancelled) => String::new(),
            // A short one may have ended before the scheduler was asked again.
            Some(_) => self.runs(log_start).map(|()| String::new())?,
            None => self.explain()?,
        };
        Ok(match self.slurm {
            Some(slurm) => slurm::outcome(own, state, &said, slurm),
            None => own.unwrap_or(Outcome::Lost),
        })
    }

    fn own_outcome(&self, exit: Exit) -> Outcome {
        match exit {
            Exit::Code(0) => Outcome::Succeeded,
            Exit::Code(code) if (SIGNALLED + 1..=SIGNALLED + LAST_SIGNAL).contains(&code) => {
                Outcome::Signalled {
                    signal: code - SIGNALLED,
                }
            }
            Exit::Code(code) => Outcome::Failed { code },
            Exit::TimedOut => Outcome::TimedOut {
                seconds: self.spec.timeout_seconds.unwrap_or_default(),
            },
            Exit::Cancelled => Outcome::Cancelled,
        }
    }

    /// What the scheduler or the shell said about a command that left no end.
    fn explain(&self) -> Result<String> {
        let said = self.agent.tell("explain", &[&self.id()], None, b"")?;
        if !said.trim().is_empty() {
            Log::open(self.folder)?.log(said.as_bytes())?;
        }
        Ok(said)
    }

    /// The outputs of everything that ended by itself: a failed training's files are worth as much as they are here.
    fn bring_home(&self, outcome: Outcome) -> Outcome {
        match &outcome {
            Outcome::Cancelled | Outcome::Lost => return outcome,
            _ => {}
        }
        let fetched = self.patiently(Until::Cancelled, || {
            let outputs = Wanted {
                folder: "tree",
                paths: &self.remote.outputs,
                root: &self.remote.root,
                staging: &self.folder.fetched(),
            };
            fetch::fetch(&self.agent, &self.spec.id, &outputs)?;
            self.bring_tracked()
        });
        match fetched {
            Ok(()) => outcome,
            Err(error) => Outcome::NotFetched {
                why: error.to_string(),
            },
        }
    }

    /// What was tracked in files. Of several nodes it is the first one's, as the outputs are.
    fn bring_tracked(&self) -> Result<()> {
        let is_first = match &self.agent.host {
            Host::Pod(pod) => pod.node.as_ref().is_none_or(|node| node.rank == 0),
            Host::Ssh(_) | Host::Here { .. } => true,
        };
        if !is_first || !Memory::of(self.folder)?.tracked_in_files {
            return Ok(());
        }
        let tracked = Wanted {
            folder: TRACKED,
            // The only experiment of a run that reaches no server.
            paths: &["0".to_owned()],
            root: &self.folder.tracked(),
            staging: &self.folder.fetched(),
        };
        fetch::fetch(&self.agent, &self.spec.id, &tracked).map(|_| ())
    }

    /// Does `work` again for as long as it fails because the host cannot be reached, and says so in the job's state.
    fn patiently<T>(&self, until: Until, mut work: impl FnMut() -> Result<T>) -> Result<T> {
        let mut wait = FIRST_WAIT;
        loop {
            let begun = Instant::now();
            let error = match work() {
                Ok(done) => {
                    self.say_nothing()?;
                    return Ok(done);
                }
                Err(error) if error.passes() => error,
                Err(error) => return Err(error),
            };
            if begun.elapsed() > LAST_WAIT {
                wait = FIRST_WAIT; // It went well for a while.
            }
            self.say_why(&error.to_string())?;
            let asked = Instant::now();
            while asked.elapsed() < wait {
                let cancelled = self.folder.cancel().exists();
                match until {
                    Until::Cancelled if cancelled => return Err(Error::Cancelled),
                    // Somebody waits: try at once, and then as often as at first.
                    Until::Done if cancelled && asked.elapsed() > FIRST_WAIT => break,
                    Until::Cancelled | Until::Done => std::thread::sleep(POLL),
                }
            }
            wait = (wait * 2).min(LAST_WAIT);
        }
    }

    fn log_size(&self) -> Result<u64> {
        Ok(fs_err::metadata(self.folder.output())?.len())
    }

    fn tell_and_log(&self, text: &str) {
        // Talk for people: what cannot be written shows when the state is written.
        let _ = self.say_why(text);
        if let Ok(mut log) = Log::open(self.folder) {
            let _ = log.log(format!("{text}\n").as_bytes());
        }
    }

    fn runs(&self, log_start: u64) -> Result<()> {
        let written = self.folder.read(&self.folder.state())?;
        let started = match written {
            Some(JobState::Running { why: None, .. }) => return Ok(()),
            Some(JobState::Running { started, .. }) => started,
            Some(JobState::Queued { .. } | JobState::Ended(_)) | None => Timestamp::now(),
        };
        self.folder.write(
            &self.folder.state(),
            &JobState::Running {
                pid: 0,
                started,
                born: None,
                log_start: Some(log_start),
                why: None,
            },
        )
    }

    fn say_why(&self, text: &str) -> Result<()> {
        set_why(self.folder, Some(text.to_owned()))
    }

    fn say_nothing(&self) -> Result<()> {
        set_why(self.folder, None)
    }
}

/// What keeps the tunnels open. Nothing is asked of it: it closes them when it goes.
#[expect(dead_code, reason = "it is held for its drop")]
enum Way {
    Ssh(Keeper),
    Pod(Reverse),
}

/// How long a host that cannot be reached is waited for.
#[derive(Clone, Copy)]
enum Until {
    Cancelled,
    /// A command runs there: only the host itself can end it.
    Done,
}

impl Error {
    /// True when the same may work later: a connection that was cut, a host that sleeps, a full disk here.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Cut { .. }
            | Self::NoSuchHost { .. }
            | Self::Refused { .. }
            | Self::HostKeyUnknown { .. }
            | Self::HostKeyChanged { .. }
            | Self::NoAgent(_)
            | Self::ClusterUnreachable { .. }
            | Self::ClusterRefuses { .. }
            | Self::ClusterForbids { .. }
            | Self::ClusterTls { .. }
            | Self::ClusterSignIn { .. } => true,
            Self::Io(error) => error.kind() == std::io::ErrorKind::StorageFull,
            _ => false,
        }
    }
}

/// What a command finds at home even when nothing in it travels: where it starts, and where its outputs go.
pub(crate) fn folders(cwd: &str, outputs: &[String]) -> Vec<String> {
    let above = outputs
        .iter()
        .filter_map(|output| output.trim_end_matches('/').rsplit_once('/'))
        .map(|(folder, _)| folder.to_owned());
    let mut folders: Vec<String> = above
        .chain((!cwd.is_empty()).then(|| cwd.to_owned()))
        .collect();
    folders.sort();
    folders.dedup();
    folders
}

pub(crate) fn slashes(path: &Path) -> String {
    path.components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

struct Log {
    file: fs_err::File,
}

impl Log {
    fn open(folder: &Folder) -> Result<Self> {
        Ok(Self {
            file: fs_err::OpenOptions::new()
                .create(true)
                .append(true)
                .open(folder.output())?,
        })
    }

    fn log(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.file.write_all(bytes)?)
    }
}

struct Listener<'a> {
    job: &'a Job<'a>,
    log: &'a mut Log,
    log_start: u64,
}

impl Listen for Listener<'_> {
    fn log(&mut self, bytes: &[u8]) -> Result<()> {
        self.log.log(bytes)
    }

    fn state(&mut self, words: &str) -> Result<()> {
        match slurm::waits(words) {
            Some(why) => self.job.say_why(&why),
            None => self.job.runs(self.log_start),
        }
    }
}
