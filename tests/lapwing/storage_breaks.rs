//! Storage that breaks half-way: the network is cut, the server is killed, or two push the same at once. What arrived is whole, and
//! the next push sends what is missing.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::cut::Cut;
#[cfg(target_os = "linux")]
use crate::elsewhere::Machine;
use crate::place::{Place, told};
#[cfg(target_os = "linux")]
use crate::storage::own_ssh;
use crate::storage::{Web, login, program, project, run};

const FILES: usize = 62;
const LARGE: i64 = 17 << 20;
/// In the middle of the large file.
const CUT_AT: i64 = 12 << 20;

/// A project whose storage lies behind a way that breaks, and the folder where it keeps things.
struct Breaking<'a> {
    place: &'a Place,
    root: PathBuf,
    there: PathBuf,
    path: String,
    cut: &'a Cut,
}

impl Breaking<'_> {
    fn push(&self) -> Command {
        let mut push = self.place.command(&self.root, &["data", "push", "--json"]);
        push.env("HOME", self.place.path("home"))
            .env("PATH", &self.path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        push
    }

    /// Pushes into the break, mends it, and pushes again. Answers how many bytes went there the second time.
    fn breaks_and_goes_on(&self, mend: impl FnOnce()) -> i64 {
        let failed = self.push().output().unwrap();
        let said = told(&failed);
        assert_eq!(failed.status.code(), Some(3), "{said}");
        assert!(self.cut.happened(), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        mend();
        self.cut.mend();
        let arrived = objects(&self.there).len();
        let before = self.cut.passed();
        let pushed = self.push().output().unwrap();
        assert!(pushed.status.success(), "{}", told(&pushed));
        let pushed: serde_json::Value = serde_json::from_slice(&pushed.stdout).unwrap();
        assert_eq!(
            (&pushed["skipped"], &pushed["files"]),
            (&arrived.into(), &(FILES - arrived).into()),
            "what arrived before is not sent again: {pushed}"
        );
        let again = self.cut.passed() - before;
        self.is_whole();
        again
    }

    /// Everything that the project has lies there, as its name says: the names are digests.
    fn is_whole(&self) {
        assert_eq!(objects(&self.there), objects(&self.root.join(".dvc/cache")));
        let left = Command::new("find")
            .arg(&self.there)
            .args(["-name", "*.part"])
            .output()
            .unwrap();
        assert_eq!(told(&left), "exit Some(0)\n\n", "nothing is left over");
    }
}

/// The objects below a folder with what MD5 says about each. An upload in parts that nobody ends lies beside them at rclone's.
fn objects(folder: &Path) -> Vec<String> {
    let script = "find files -type f ! -name '*.part' ! -name '*.rclone_temp_*' -print0 | sort -z | xargs -0 -r md5sum";
    let listed = Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", told(&listed));
    let listed = String::from_utf8(listed.stdout).unwrap();
    for line in listed.lines() {
        let (digest, path) = line.split_once("  files/md5/").unwrap();
        let name = path.replace('/', "");
        assert_eq!(name.trim_end_matches(".dir"), digest, "it is whole");
    }
    listed.lines().map(str::to_owned).collect()
}

fn add(place: &Place, root: &Path, address: &str) {
    let kind = ["--kind", "storage", "--default"];
    let arguments = [&["remotes", "add", "store", address][..], &kind].concat();
    let added = run(place, root, &arguments, &[]);
    assert!(added.status.success(), "{}", told(&added));
}

fn kill(process: u32) {
    let killed = Command::new("kill")
        .args(["-9", &process.to_string()])
        .status();
    assert!(killed.unwrap().success());
}

fn breaking_web<'a>(place: &'a Place, there: &Path, cut: &'a Cut) -> Breaking<'a> {
    let root = project(place, "ours");
    add(place, &root, &format!("http://127.0.0.1:{}/data", cut.port));
    let signed = login(place, &root, "ada", "owl-7391");
    assert!(signed.status.success(), "{}", told(&signed));
    Breaking {
        place,
        root,
        there: there.join("data"),
        path: std::env::var("PATH").unwrap(),
        cut,
    }
}

#[test]
fn a_push_to_a_web_server_that_is_cut_goes_on() {
    let place = Place::new();
    let there = place.path("web");
    std::fs::create_dir_all(there.join("data/files")).unwrap();
    let web = Web::start_at(&there, 0);
    let cut = Cut::before(web.port, CUT_AT);
    let again = breaking_web(&place, &there, &cut).breaks_and_goes_on(|| {});
    assert!(again > 0);
}

#[test]
fn a_push_to_a_web_server_that_is_killed_goes_on() {
    let place = Place::new();
    let there = place.path("web");
    std::fs::create_dir_all(there.join("data/files")).unwrap();
    let web = Web::start_at(&there, 0);
    let (port, process) = (web.port, web.server.id());
    let cut = Cut::with(port, CUT_AT, move || kill(process));
    let mut again = None;
    breaking_web(&place, &there, &cut).breaks_and_goes_on(|| {
        drop(web);
        again = Some(Web::start_at(&there, port));
    });
}

/// A server of S3 that keeps its buckets in a folder: rclone's, which checks signatures. Ended with the test.
struct Bucket {
    server: Child,
    port: u16,
}

impl Bucket {
    /// On that port, or on a free one for 0.
    fn start_at(folder: &Path, port: u16) -> Self {
        let port = if port > 0 {
            port
        } else {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        let server = Command::new(program("rclone"))
            .args(["serve", "s3", "--auth-key", "OWL,owl-7391"])
            .args(["--addr", &format!("127.0.0.1:{port}")])
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("rclone is installed: run `make test`");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        Self { server, port }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_push_to_s3_that_is_killed_goes_on() {
    let place = Place::new();
    let store = place.path("store");
    std::fs::create_dir_all(store.join("birds/data/files")).unwrap();
    let bucket = Bucket::start_at(&store, 0);
    let (port, process) = (bucket.port, bucket.server.id());
    let cut = Cut::with(port, CUT_AT, move || kill(process));
    let root = project(&place, "ours");
    crate::storage::add(&place, &root, cut.port, "s3://birds/data");
    let broken = Breaking {
        place: &place,
        root,
        there: store.join("birds/data"),
        path: std::env::var("PATH").unwrap(),
        cut: &cut,
    };
    let signed = login(&place, &broken.root, "OWL", "another");
    assert!(signed.status.success(), "{}", told(&signed));
    // Many files are looked for by a listing, and few one by one.
    for what in [&[][..], &["large.bin"]] {
        let refused = told(&broken.push().args(what).output().unwrap());
        assert!(
            refused.contains("does not accept the credentials"),
            "{refused}"
        );
    }
    assert_eq!(objects(&broken.there), [""; 0]);
    login(&place, &broken.root, "OWL", "owl-7391");
    let mut again = None;
    broken.breaks_and_goes_on(|| {
        drop(bucket);
        again = Some(Bucket::start_at(&store, port));
    });
}

#[test]
fn half_a_file_that_a_server_kept_is_not_taken_for_the_whole() {
    let place = Place::new();
    let there = place.path("web");
    std::fs::create_dir_all(there.join("data/files")).unwrap();
    let web = Web::keeping_halves(&there);
    let cut = Cut::before(web.port, CUT_AT);
    let broken = breaking_web(&place, &there, &cut);
    let failed = broken.push().output().unwrap();
    assert!(cut.happened(), "{}", told(&failed));
    let large = ["-size", "+1M"];
    let half = || files(&broken.there, &large)[0].1;
    // It notices the cut in its own time.
    while files(&broken.there, &large).is_empty() {
        std::thread::yield_now();
    }
    assert!(half() < LARGE.unsigned_abs(), "half of it lies there");
    cut.mend();
    let push = || {
        let pushed = broken.push().output().unwrap();
        assert!(pushed.status.success(), "{}", told(&pushed));
        let pushed: serde_json::Value = serde_json::from_slice(&pushed.stdout).unwrap();
        pushed["files"].as_u64().unwrap()
    };
    assert!(push() > 0);
    broken.is_whole();

    // Likewise the listing of a folder, and a file of which nothing came.
    for which in [&["-name", "*.dir"], &large] {
        let (path, size) = files(&broken.there, which)[0].clone();
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(if which == &large { 0 } else { size / 2 })
            .unwrap();
    }
    assert_eq!(push(), 2);
    broken.is_whole();
    assert_eq!(push(), 0);
}

/// The files below a folder that `find` finds with these words, each with its size.
fn files(folder: &Path, words: &[&str]) -> Vec<(PathBuf, u64)> {
    let found = Command::new("find")
        .arg(folder)
        .args(["-type", "f", "-path", "*/files/md5/*"])
        .args(words)
        .output()
        .unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    let size = |path: &str| std::fs::metadata(path).unwrap().len();
    found
        .lines()
        .map(|path| (PathBuf::from(path), size(path)))
        .collect()
}

#[cfg(target_os = "linux")]
fn breaking_ssh<'a>(place: &'a Place, machine: &Machine, cut: &'a Cut) -> Breaking<'a> {
    let root = project(place, "ours");
    let config = machine.folder.join("config");
    let known = std::fs::read_to_string(&config).unwrap();
    // The same machine by another way.
    let (port, shaky) = (machine.port, cut.port);
    let way = format!("Host shaky\n HostKeyAlias [127.0.0.1]:{port}\n Port {shaky}\n");
    let all = known.replacen("Host box\n", &format!("{way}Host box shaky\n"), 1);
    std::fs::write(&config, all).unwrap();
    let there = machine.folder.join("there/data");
    std::fs::create_dir_all(there.join("files")).unwrap();
    add(place, &root, &format!("ssh://shaky{}", there.display()));
    Breaking {
        place,
        root,
        there,
        path: own_ssh(place, machine),
        cut,
    }
}

/// A mebibyte of what lies there is sent again, and what was on the way was lost.
#[cfg(target_os = "linux")]
const AT_MOST_AGAIN: i64 = LARGE - CUT_AT + (3 << 20);

#[cfg(target_os = "linux")]
#[test]
fn a_push_over_ssh_that_is_cut_goes_on_where_it_was() {
    let place = Place::new();
    let machine = Machine::start(&place);
    let cut = Cut::before(machine.port, CUT_AT);
    let again = breaking_ssh(&place, &machine, &cut).breaks_and_goes_on(|| {});
    assert!(again < AT_MOST_AGAIN, "{again}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_push_over_ssh_whose_server_is_killed_goes_on_where_it_was() {
    let place = Place::new();
    let machine = Machine::start(&place);
    let server = machine.process();
    // What serves a connection is a child of the server.
    let cut = Cut::with(machine.port, CUT_AT, move || {
        let killed = Command::new("pkill")
            .args(["-KILL", "-P", &server.to_string()])
            .status();
        assert!(killed.unwrap().success());
    });
    let again = breaking_ssh(&place, &machine, &cut).breaks_and_goes_on(|| {});
    assert!(again < AT_MOST_AGAIN, "{again}");
}

/// More than all small files and everything else that a push says.
#[cfg(target_os = "linux")]
const IN_THE_LARGE_FILE: i64 = 2 << 20;

#[cfg(target_os = "linux")]
#[test]
fn two_push_the_same_file_over_ssh_at_once() {
    let place = Place::new();
    let machine = Machine::start(&place);
    let way = Cut::meeting(machine.port, IN_THE_LARGE_FILE);
    let shared = breaking_ssh(&place, &machine, &way);
    let both = [
        shared.push().spawn().unwrap(),
        shared.push().spawn().unwrap(),
    ];
    for push in both {
        let ended = push.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", told(&ended));
    }
    assert_eq!(
        way.met(),
        2,
        "each was in the middle of it while the other was"
    );
    shared.is_whole();
    let pushed = shared.push().output().unwrap();
    let pushed: serde_json::Value = serde_json::from_slice(&pushed.stdout).unwrap();
    assert_eq!(pushed["skipped"], FILES, "{pushed}");
}
