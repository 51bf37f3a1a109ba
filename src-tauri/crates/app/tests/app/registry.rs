//! The real `docker-registry` in a folder of its own, ended with the test; also for the tests of the whole program.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Who may come in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Everyone,
    /// `ada` with [`PASSWORD`].
    Password,
}

pub const PASSWORD: &str = "canary-of-the-registry";

pub struct Registry {
    pub server: Child,
    pub port: u16,
}

impl Registry {
    pub fn start(folder: &Path, access: Access) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self::start_at(folder, access, port)
    }

    /// With what one that ran before has left.
    pub fn start_at(folder: &Path, access: Access, port: u16) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let mut config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: \"{}/data\"}}, delete: {{enabled: true}}}}\nhttp: {{addr: \"127.0.0.1:{port}\"}}\n",
            folder.display()
        );
        if access == Access::Password {
            let known = Command::new("htpasswd")
                .args(["-Bbn", "ada", PASSWORD])
                .output()
                .expect("htpasswd is installed: run `make test`");
            let file = folder.join("htpasswd");
            std::fs::write(&file, known.stdout).unwrap();
            let path = file.display();
            config += &format!("auth: {{htpasswd: {{realm: test, path: \"{path}\"}}}}\n");
        }
        std::fs::write(folder.join("config.yml"), config).unwrap();
        let mut server = Command::new("docker-registry")
            .args(["serve", "config.yml"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is installed: run `make test`");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.try_wait().unwrap();
            assert!(ended.is_none(), "the registry does not come up: {ended:?}");
            std::thread::yield_now();
        }
        Self { server, port }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have been killed by its test.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
