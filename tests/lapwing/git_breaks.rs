//! Commits on a way that breaks half-way or that somebody stops: all of them arrive, or none, and the next try brings them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::cut::Cut;
use crate::elsewhere::Machine;
use crate::git_remotes::{Desk, Https, PASSWORD, helper, over_ssh};
use crate::place::{interrupted, told, until};

/// In the middle of what [`Broken::commits_much`] makes.
const HALF: i64 = 1 << 20;

/// The server, and how it is reached by another way.
enum Server {
    Https(Https),
    Ssh(Machine),
}

/// A user whose git remote lies behind a way that breaks.
struct Broken {
    desk: Desk,
    server: Server,
}

impl Broken {
    fn https() -> Self {
        let mut desk = Desk::new(&helper(PASSWORD));
        let folder = desk.place.path("tls");
        std::fs::create_dir_all(&folder).unwrap();
        Https::certificate(&folder);
        let server = Https::start_at(&folder, &desk.place.path("served"), 0);
        desk.git(&desk.bare(), &["config", "http.receivepack", "true"]);
        let ca = folder.join("cert.pem").display().to_string();
        desk.variables.push(("SSL_CERT_FILE".to_owned(), ca));
        Self {
            desk,
            server: Server::Https(server),
        }
    }

    fn ssh() -> Self {
        let (desk, machine) = over_ssh();
        Self {
            desk,
            server: Server::Ssh(machine),
        }
    }

    fn port(&self) -> u16 {
        match &self.server {
            Server::Https(https) => https.port,
            Server::Ssh(machine) => machine.port,
        }
    }

    /// From now on the server is reached through another port.
    fn goes_through(&self, port: u16) -> String {
        match &self.server {
            Server::Https(_) => format!("https://127.0.0.1:{port}/flights.git"),
            Server::Ssh(machine) => {
                machine.behind(port);
                "team:flights.git".to_owned()
            }
        }
    }

    fn dies(&mut self) -> impl FnOnce() + Send + 'static {
        let process = match &self.server {
            Server::Https(https) => https.server.id(),
            Server::Ssh(machine) => machine.process(),
        };
        let children = matches!(&self.server, Server::Ssh(_));
        move || {
            // What serves a connection of ssh is a child of its server.
            let (program, which) = if children {
                ("pkill", "-P")
            } else {
                ("kill", "--")
            };
            let ended = Command::new(program)
                .args(["-KILL", which, &process.to_string()])
                .status();
            assert!(ended.unwrap().success());
        }
    }

    fn lives_again(&mut self) {
        if let Server::Https(https) = &mut self.server {
            https.server.wait().unwrap();
            let folder = self.desk.place.path("tls");
            *https = Https::start_at(&folder, &self.desk.place.path("served"), https.port);
        }
    }

    /// A clone with a commit of several mebibytes that nothing makes smaller.
    fn commits_much(&self, address: &str) -> PathBuf {
        let folder = self.desk.place.path("flights");
        let path = folder.display().to_string();
        let home = self.desk.home();
        self.desk
            .json(&home, &["projects", "clone", address, &path]);
        self.desk.commit(&folder, "large.txt", &noise());
        folder
    }

    /// The same, there.
    fn has_much(&self) {
        let folder = self.desk.place.path("seed");
        let (bare, path) = (self.desk.bare(), folder.display().to_string());
        let (bare, home) = (bare.display().to_string(), self.desk.home());
        self.desk.git(&home, &["clone", "-q", &bare, &path]);
        self.desk.commit(&folder, "large.txt", &noise());
        self.desk.git(&folder, &["push", "-q"]);
    }

    /// What lies in the folder of clones, hidden or not.
    fn beside(&self) -> Vec<String> {
        let all = std::fs::read_dir(self.desk.place.path("clones")).unwrap();
        all.map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    fn clones_into(&self) -> String {
        let folder = self.desk.place.path("clones");
        std::fs::create_dir_all(&folder).unwrap();
        folder.join("flights").display().to_string()
    }

    /// Starts a verb, tells it to stop when the way stands still, and answers what it said. `heard` comes when it has heard.
    fn stopped(&self, folder: &std::path::Path, verb: &[&str], cut: &Cut, heard: impl FnOnce()) {
        let mut command = self.desk.place.command(folder, verb);
        self.desk.settle(&mut command);
        let going = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        until("the way to stand still", || cut.happened());
        let stopped = interrupted(going, heard);
        let said = told(&stopped);
        assert_eq!(stopped.status.code(), Some(1), "{said}");
        assert!(
            said.contains("the exchange of commits was stopped"),
            "{said}"
        );
        assert!(!said.contains("panicked"), "{said}");
    }
}

fn noise() -> String {
    (0..300_000_u64)
        .map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect()
}

/// A push breaks half-way, and the next one brings all of it.
fn a_push_breaks(broken: &mut Broken, cut: &Cut, mend: impl FnOnce(&mut Broken)) {
    let address = broken.goes_through(broken.port());
    let folder = broken.commits_much(&address);
    let there = broken.goes_through(cut.port);
    broken
        .desk
        .git(&folder, &["remote", "set-url", "origin", &there]);
    let before = broken.desk.tip();
    let (name, said) = broken.desk.fails(&folder, &["projects", "push"]);
    assert!(cut.happened(), "{name}: {said}");
    assert_eq!(name, "git.unreached", "{said}");
    assert_eq!(broken.desk.tip(), before, "all or nothing: {said}");
    mend(broken);
    cut.mend();
    let pushed = broken.desk.json(&folder, &["projects", "push"]);
    assert_eq!(pushed["commits"], 1, "{pushed}");
    let head = broken.desk.git(&folder, &["rev-parse", "HEAD"]);
    assert_eq!(head, broken.desk.tip());
    broken.desk.git(&broken.desk.bare(), &["fsck", "--strict"]);
}

/// A clone breaks half-way and leaves nothing, and the next one is whole; likewise a pull.
fn a_clone_and_a_pull_break(broken: &mut Broken, cut: &Cut, mend: impl FnOnce(&mut Broken)) {
    broken.has_much();
    let address = broken.goes_through(cut.port);
    let into = broken.clones_into();
    let home = broken.desk.home();
    let clone = ["projects", "clone", &address, &into];
    let (name, said) = broken.desk.fails(&home, &clone);
    assert!(cut.happened(), "{name}: {said}");
    assert_eq!(name, "git.unreached", "{said}");
    assert_eq!(broken.beside(), [""; 0], "half a clone is none: {said}");
    mend(broken);
    cut.mend();
    broken.desk.json(&home, &clone);
    assert_eq!(broken.beside(), ["flights"]);
    let folder = PathBuf::from(&into);
    let head = broken.desk.git(&folder, &["rev-parse", "HEAD"]);
    assert_eq!(head, broken.desk.tip());
    assert_eq!(
        broken
            .desk
            .git(&folder, &["status", "--porcelain", "large.txt"]),
        ""
    );

    let seed = broken.desk.place.path("seed");
    broken
        .desk
        .commit(&seed, "more.txt", &noise().replace('0', "g"));
    broken.desk.git(&seed, &["push", "-q"]);
    let again = Cut::answers_with(broken.port(), HALF, || {});
    let there = broken.goes_through(again.port);
    broken
        .desk
        .git(&folder, &["remote", "set-url", "origin", &there]);
    let (name, said) = broken.desk.fails(&folder, &["projects", "pull"]);
    assert!(again.happened(), "{name}: {said}");
    assert_eq!(broken.desk.git(&folder, &["rev-parse", "HEAD"]), head);
    let known = broken.desk.git(&folder, &["rev-parse", "origin/main"]);
    assert_eq!(known, head, "what came half is not known: {said}");
    again.mend();
    let pulled = broken.desk.json(&folder, &["projects", "pull"]);
    assert_eq!(pulled["commits"], 1, "{pulled}");
    broken.desk.git(&folder, &["fsck", "--strict"]);
}

/// Ctrl-C in the middle of a push and of a clone, on a way that stands still.
fn both_are_stopped(broken: &Broken, mends: bool) {
    let address = broken.goes_through(broken.port());
    let folder = broken.commits_much(&address);
    let before = broken.desk.tip();
    let cut = Cut::holding(broken.port(), HALF);
    let there = broken.goes_through(cut.port);
    let set = |url: &str| {
        broken
            .desk
            .git(&folder, &["remote", "set-url", "origin", url])
    };
    set(&there);
    let mend = |cut: &Cut| {
        if mends {
            cut.mend();
        }
    };
    broken.stopped(&folder, &["projects", "push"], &cut, || mend(&cut));
    assert_eq!(broken.desk.tip(), before, "all or nothing");
    let address = broken.goes_through(broken.port());
    set(&address);
    let pushed = broken.desk.json(&folder, &["projects", "push"]);
    assert_eq!(pushed["commits"], 1, "{pushed}");
    cut.mend();

    let cut = Cut::holding_answers(broken.port(), HALF);
    let there = broken.goes_through(cut.port);
    let (home, into) = (broken.desk.home(), broken.clones_into());
    let clone = ["projects", "clone", &there, &into];
    broken.stopped(&home, &clone, &cut, || mend(&cut));
    assert_eq!(broken.beside(), [""; 0], "half a clone is none");
    let address = broken.goes_through(broken.port());
    broken
        .desk
        .json(&home, &["projects", "clone", &address, &into]);
    let head = broken
        .desk
        .git(&PathBuf::from(&into), &["rev-parse", "HEAD"]);
    assert_eq!(head, broken.desk.tip());
    cut.mend();
}

#[test]
fn a_push_over_https_that_is_cut_changes_nothing_and_is_sent_again() {
    let mut broken = Broken::https();
    let cut = Cut::before(broken.port(), HALF);
    a_push_breaks(&mut broken, &cut, |_| {});
}

#[test]
fn a_push_over_https_whose_server_is_killed_changes_nothing_and_is_sent_again() {
    let mut broken = Broken::https();
    let cut = Cut::with(broken.port(), HALF, broken.dies());
    a_push_breaks(&mut broken, &cut, Broken::lives_again);
}

#[test]
fn a_push_over_ssh_whose_server_is_killed_changes_nothing_and_is_sent_again() {
    let mut broken = Broken::ssh();
    let cut = Cut::with(broken.port(), HALF, broken.dies());
    a_push_breaks(&mut broken, &cut, |_| {});
}

#[test]
fn commits_from_https_that_are_cut_come_with_the_next_try() {
    let mut broken = Broken::https();
    let cut = Cut::answers_with(broken.port(), HALF, || {});
    a_clone_and_a_pull_break(&mut broken, &cut, |_| {});
}

#[test]
fn commits_from_https_whose_server_is_killed_come_with_the_next_try() {
    let mut broken = Broken::https();
    let cut = Cut::answers_with(broken.port(), HALF, broken.dies());
    a_clone_and_a_pull_break(&mut broken, &cut, Broken::lives_again);
}

#[test]
fn commits_over_ssh_that_are_cut_come_with_the_next_try() {
    let mut broken = Broken::ssh();
    let cut = Cut::answers_with(broken.port(), HALF, || {});
    a_clone_and_a_pull_break(&mut broken, &cut, |_| {});
}

#[test]
fn commits_over_https_that_are_stopped_leave_nothing_half_done() {
    both_are_stopped(&Broken::https(), true);
}

#[test]
fn commits_over_ssh_that_are_stopped_leave_nothing_half_done() {
    both_are_stopped(&Broken::ssh(), false);
}

#[test]
fn a_stop_does_not_wait_for_a_way_that_stands_still() {
    both_are_stopped(&Broken::https(), false);
}
