//! A real Slurm cluster of one node, for one test: munge, controller and node, below a temporary folder and on ports of their
//! own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::left_out::left_out;
use crate::until;

const END: Duration = Duration::from_secs(20);

pub struct Slurm {
    pub folder: tempfile::TempDir,
    pub node: String,
    daemons: Vec<Child>,
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Slurm {
    /// Without Slurm on this machine these tests cannot say anything.
    pub fn start() -> Option<Self> {
        Self::start_as(&said("hostname", &["-s"]), false)
    }

    /// With a node that has a name of its own, as if it were another machine. That takes root's rights.
    pub fn start_elsewhere() -> Option<Self> {
        let may = Command::new("unshare").args(["--uts", "true"]).status();
        if !may.is_ok_and(|status| status.success()) {
            left_out("no right to name a node");
            return None;
        }
        Self::start_as("elsewhere", true)
    }

    fn start_as(node: &str, apart: bool) -> Option<Self> {
        let there = |name: &str| Path::new("/usr/sbin").join(name).is_file();
        if !["munged", "slurmctld", "slurmd"].into_iter().all(there) {
            left_out("there is no Slurm on this machine");
            return None;
        }
        let folder = tempfile::Builder::new()
            .prefix("lapwing-slurm")
            .tempdir()
            .unwrap();
        for name in ["run", "state", "spool", "log"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let mut slurm = Self {
            folder,
            node: node.to_owned(),
            daemons: Vec::new(),
        };
        slurm.configure();
        slurm.munge();
        slurm.daemon("/usr/sbin/slurmctld", &["-D", "-i"]);
        if apart {
            let line = format!("hostname {node} && exec /usr/sbin/slurmd -D");
            slurm.daemon("unshare", &["--uts", "sh", "-c", &line]);
        } else {
            slurm.daemon("/usr/sbin/slurmd", &["-D"]);
        }
        until("a node that is idle", || {
            slurm.ask("sinfo", &["-h", "-o", "%T"]) == "idle"
        });
        Some(slurm)
    }

    /// Its jobs run on without it.
    pub fn kill_controller(&mut self) {
        let controller = &mut self.daemons[1];
        controller.kill().unwrap();
        controller.wait().unwrap();
    }

    pub fn controller_again(&mut self) {
        let after = self.daemons.split_off(2);
        self.daemons.pop();
        self.daemon("/usr/sbin/slurmctld", &["-D", "-i"]);
        self.daemons.extend(after);
    }

    pub fn conf(&self) -> PathBuf {
        self.folder.path().join("slurm.conf")
    }

    /// What one of Slurm's own programs says.
    pub fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new("timeout")
            .args(["20", program])
            .args(arguments)
            .env("SLURM_CONF", self.conf())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn configure(&self) {
        let login = said("hostname", &["-s"]);
        let (dir, node, user) = (
            self.folder.path().display(),
            &self.node,
            said("id", &["-un"]),
        );
        let text = format!(
            "ClusterName=test\nSlurmctldHost={login}(127.0.0.1)\nSlurmctldPort={}\nSlurmdPort={}\n\
             AuthType=auth/munge\nAuthInfo=socket={dir}/run/munge.sock\nCredType=cred/munge\n\
             SlurmUser={user}\nSlurmdUser={user}\nStateSaveLocation={dir}/state\nSlurmdSpoolDir={dir}/spool\n\
             SlurmctldPidFile={dir}/run/ctld.pid\nSlurmdPidFile={dir}/run/d.pid\n\
             SlurmctldLogFile={dir}/log/ctld.log\nSlurmdLogFile={dir}/log/d.log\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSelectType=select/cons_tres\n\
             SelectTypeParameters=CR_CPU_Memory\nReturnToService=2\nMpiDefault=none\nSwitchType=switch/none\n\
             JobAcctGatherType=jobacct_gather/linux\nJobAcctGatherFrequency=task=1\nJobAcctGatherParams=OverMemoryKill\n\
             AccountingStorageType=accounting_storage/none\nJobCompType=jobcomp/none\nKillWait=3\n\
             NodeName={node} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000\n\
             PartitionName=debug Nodes={node} Default=YES MaxTime=60 State=UP\n",
            free_port(),
            free_port(),
        );
        std::fs::write(self.conf(), text).unwrap();
    }

    fn munge(&mut self) {
        use std::io::Read as _;
        use std::os::unix::fs::PermissionsExt as _;
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let key = self.folder.path().join("munge.key");
        let mut bytes = vec![0; 1024];
        let mut random = std::fs::File::open("/dev/urandom").unwrap();
        random.read_exact(&mut bytes).unwrap();
        std::fs::write(&key, bytes).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let arguments = [
            format!("--key-file={}", key.display()),
            format!("--socket={}", at("run/munge.sock")),
            format!("--pid-file={}", at("run/munged.pid")),
            format!("--log-file={}", at("log/munged.log")),
            format!("--seed-file={}", at("run/seed")),
            "--force".to_owned(),
            "--foreground".to_owned(),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.daemon("/usr/sbin/munged", &arguments);
        let socket = self.folder.path().join("run/munge.sock");
        until("munge", || socket.exists());
    }

    fn daemon(&mut self, program: &str, arguments: &[&str]) {
        let child = Command::new(program)
            .args(arguments)
            .env("SLURM_CONF", self.conf())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.daemons.push(child);
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        let user = said("id", &["-un"]);
        self.ask("scancel", &["--user", &user]);
        // Without its daemons nothing would end what runs. A test that failed must not hang here too.
        let asked = Instant::now();
        while asked.elapsed() < END && !self.ask("squeue", &["-h"]).is_empty() {
            std::thread::sleep(Duration::from_millis(100));
        }
        for mut daemon in self.daemons.drain(..).rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}
