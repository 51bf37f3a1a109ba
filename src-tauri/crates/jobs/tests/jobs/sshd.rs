//! A real `sshd` on a port of its own, with keys of its own, for one test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lapwing_jobs::ssh::{Host, SshHost};

use crate::left_out::left_out;
use crate::until;

pub struct Sshd {
    pub folder: tempfile::TempDir,
    pub port: u16,
    server: Child,
}

fn program() -> Option<PathBuf> {
    ["/usr/sbin/sshd", "/usr/bin/sshd"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.is_file())
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

pub fn key(path: &Path) {
    let path = path.display().to_string();
    run(
        "ssh-keygen",
        &["-q", "-t", "ed25519", "-N", "", "-f", &path],
    );
}

impl Sshd {
    /// Without an `sshd` on this machine these tests cannot say anything.
    pub fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// With more lines for its configuration.
    pub fn start_with(more: &str) -> Option<Self> {
        let Some(program) = program() else {
            left_out("there is no sshd on this machine");
            return None;
        };
        let folder = tempfile::Builder::new()
            .prefix("lapwing-sshd")
            .tempdir()
            .unwrap();
        let at = |name: &str| folder.path().join(name);
        key(&at("host_key"));
        key(&at("user_key"));
        std::fs::copy(at("user_key.pub"), at("authorized_keys")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        // Root's own sshd needs it; others have no right to make it, and no need.
        let _ = std::fs::create_dir_all("/run/sshd");
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {dir}/host_key\nAuthorizedKeysFile {dir}/authorized_keys\n\
             PidFile {dir}/sshd.pid\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             StrictModes no\nPermitRootLogin yes\nMaxStartups 100\nMaxSessions 100\n{more}\n",
            dir = folder.path().display()
        );
        std::fs::write(at("sshd_config"), config).unwrap();
        let server = serve(&program, folder.path());
        let sshd = Self {
            port,
            server,
            folder,
        };
        std::fs::create_dir(sshd.at("there")).unwrap();
        sshd.know(&sshd.at("host_key.pub"));
        let config = format!(
            "Host box\n HostName 127.0.0.1\n Port {port}\n IdentityFile {dir}/user_key\n IdentitiesOnly yes\n \
             UserKnownHostsFile {dir}/known_hosts\n GlobalKnownHostsFile /dev/null\n",
            dir = sshd.folder.path().display()
        );
        std::fs::write(sshd.at("config"), config).unwrap();
        sshd.answers();
        Some(sshd)
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn answers(&self) {
        until("sshd", || {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    /// Makes a public key that of this server, as clients know it.
    pub fn know(&self, public: &Path) {
        let key = std::fs::read_to_string(public).unwrap();
        let line = format!("[127.0.0.1]:{} {key}", self.port);
        std::fs::write(self.at("known_hosts"), line).unwrap();
    }

    /// Makes `shell` what runs for everybody who comes in, with the command in `$SSH_ORIGINAL_COMMAND`.
    pub fn force(&self, shell: &str) {
        let wrapper = self.at("wrapper.sh");
        self.command(&wrapper, &format!("#!/bin/sh\n{shell}\n"));
        let key = std::fs::read_to_string(self.at("user_key.pub")).unwrap();
        let line = format!("command=\"{}\" {key}", wrapper.display());
        std::fs::write(self.at("authorized_keys"), line).unwrap();
    }

    pub fn command(&self, path: &Path, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn ssh_host(&self) -> SshHost {
        SshHost {
            config: Some(self.at("config")),
            folder: Some(self.at("there").display().to_string()),
            ..SshHost::new("box")
        }
    }

    pub fn host(&self) -> Host {
        Host::Ssh(self.ssh_host())
    }

    /// The server, and every connection that it has, at once: as if its cable were pulled.
    pub fn kill(&mut self) {
        for pid in self.children(self.server.id()) {
            // It may end by itself meanwhile.
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).output();
        }
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    pub fn again(&mut self) {
        self.server = serve(&program().unwrap(), self.folder.path());
        self.answers();
    }

    fn children(&self, parent: u32) -> Vec<u32> {
        let output = Command::new("ps")
            .args(["-o", "pid=", "--ppid", &parent.to_string()])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout)
            .split_whitespace()
            .map(|pid| pid.parse().unwrap())
            .collect()
    }
}

fn serve(program: &Path, folder: &Path) -> Child {
    Command::new(program)
        .arg("-D")
        .arg("-f")
        .arg(folder.join("sshd_config"))
        .arg("-E")
        .arg(folder.join("sshd.log"))
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.ssh_host().disconnect();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
