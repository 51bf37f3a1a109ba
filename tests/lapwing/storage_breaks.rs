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
/// More than is said beside the files themselves.
const TALK: i64 = 1 << 20;
/// In the middle of the large file.
pub const CUT_AT: i64 = 12 << 20;

type By<'a> = Box<dyn Fn(&Path, u16) + 'a>;

/// A project whose storage lies behind a way that breaks, and the folder where it keeps things.
pub struct Breaking<'a> {
    pub place: &'a Place,
    pub root: PathBuf,
    pub there: PathBuf,
    pub path: String,
    pub cut: &'a Cut,
    /// Makes the way by that port the project's.
    pub by: By<'a>,
    /// Shows in the folder what is kept there, where it is kept in another form.
    pub look: Box<dyn Fn() + 'a>,
}

impl<'a> Breaking<'a> {
    /// With the project's storage behind `cut`.
    pub fn new(
        (place, root): (&'a Place, PathBuf),
        there: PathBuf,
        cut: &'a Cut,
        by: impl Fn(&Path, u16) + 'a,
    ) -> Self {
        by(&root, cut.port);
        Self {
            place,
            root,
            there,
            path: std::env::var("PATH").unwrap(),
            cut,
            by: Box::new(by),
            look: Box::new(|| {}),
        }
    }

    fn data(&self, verb: &str) -> Command {
        let mut data = self.place.command(&self.root, &["data", verb, "--json"]);
        data.env("HOME", self.place.path("home"))
            .env("PATH", &self.path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        data
    }

    pub fn push(&self) -> Command {
        self.data("push")
    }

    /// What a verb does that ends well: how many files it moved, and how many were there.
    fn done(&self, verb: &str) -> (u64, u64) {
        let done = self.data(verb).output().unwrap();
        assert!(done.status.success(), "{}", told(&done));
        let done: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        let count = |key: &str| done[key].as_u64().unwrap();
        (count("files"), count("skipped"))
    }

    /// A verb that runs into the break, and says so. Where the way stands still, the laptop is closed, and its battery runs out.
    fn breaks(&self, verb: &str, cut: &Cut) {
        if cut.holds() {
            let mut begun = self.data(verb).spawn().unwrap();
            while !cut.happened() {
                assert!(begun.try_wait().unwrap().is_none(), "it is on its way");
                std::thread::yield_now();
            }
            begun.kill().unwrap();
            begun.wait().unwrap();
            return cut.snap();
        }
        let failed = self.data(verb).output().unwrap();
        let said = told(&failed);
        assert_eq!(failed.status.code(), Some(3), "{said}");
        assert!(cut.happened(), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        let words = ["broke off", "nothing listens", "does not answer", "by ssh"];
        assert!(words.iter().any(|words| said.contains(words)), "{said}");
    }

    /// Everything that the project has.
    fn here(&self) -> Vec<String> {
        objects(&self.root.join(".dvc/cache"))
    }

    pub fn arrived(&self) -> Vec<String> {
        (self.look)();
        objects(&self.there)
    }

    /// Pushes into the break, mends it, and pushes again. Answers how many bytes went there the second time.
    pub fn breaks_and_goes_on(&self, mend: impl FnOnce()) -> i64 {
        self.breaks("push", self.cut);
        mend();
        self.cut.mend();
        let arrived = self.arrived().len() as u64;
        let before = self.cut.passed();
        let (files, skipped) = self.done("push");
        assert_eq!(files + skipped, self.here().len() as u64);
        assert!(
            skipped >= arrived,
            "what arrived before is not sent again: {skipped}, {arrived}"
        );
        let again = self.cut.passed() - before;
        self.is_whole();
        again
    }

    /// Forgets the data here and gets it back through `cut`, which breaks, is mended, and is used again.
    pub fn comes_back(&self, cut: &Cut, mend: impl FnOnce()) {
        (self.by)(&self.root, cut.port);
        let (all, whole) = (self.here(), self.bytes_here());
        let large = self.root.join("large.bin");
        let content = std::fs::read(&large).unwrap();
        std::fs::remove_dir_all(self.root.join(".dvc/cache")).unwrap();
        std::fs::remove_dir_all(self.root.join("small")).unwrap();
        std::fs::remove_file(&large).unwrap();
        self.breaks("pull", cut);
        assert!(!large.exists(), "half of it is not shown");
        let (came, lies) = (self.here().len(), self.bytes_here());
        assert!(came < all.len());
        mend();
        cut.mend();
        let before = cut.passed();
        let (files, skipped) = self.done("pull");
        assert_eq!(
            (files, skipped),
            ((all.len() - came) as u64, came as u64),
            "what came before is not fetched again"
        );
        assert_eq!(self.here(), all);
        assert!(std::fs::read(&large).unwrap() == content);
        let more = cut.passed() - before;
        let most = whole - lies + TALK;
        assert!(
            more < most,
            "it went on behind what lay here: {more}, {most}"
        );
    }

    /// The bytes of everything in the cache, also of what has not come whole.
    fn bytes_here(&self) -> i64 {
        let sizes = files(&self.root.join(".dvc/cache"), &[]);
        let bytes: u64 = sizes.iter().map(|(_, bytes)| bytes).sum();
        i64::try_from(bytes).unwrap()
    }

    /// Everything that the project has lies there, as its name says: the names are digests.
    pub fn is_whole(&self) {
        assert_eq!(self.arrived(), self.here());
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

pub fn kill(process: u32) {
    let killed = Command::new("kill")
        .args(["-9", &process.to_string()])
        .status();
    assert!(killed.unwrap().success());
}

fn breaking_web<'a>(place: &'a Place, there: &Path, cut: &'a Cut) -> Breaking<'a> {
    let root = project(place, "ours");
    Breaking::new((place, root), there.join("data"), cut, |root, port| {
        add(place, root, &format!("http://127.0.0.1:{port}/data"));
        let signed = login(place, root, "ada", "owl-7391");
        assert!(signed.status.success(), "{}", told(&signed));
    })
}

#[test]
fn a_push_to_and_a_pull_from_a_web_server_that_are_cut_go_on() {
    let place = Place::new();
    let there = place.path("web");
    std::fs::create_dir_all(there.join("data/files")).unwrap();
    let web = Web::start_at(&there, 0);
    let cut = Cut::before(web.port, CUT_AT);
    let broken = breaking_web(&place, &there, &cut);
    assert!(broken.breaks_and_goes_on(|| {}) > 0);
    broken.comes_back(&Cut::answers_with(web.port, CUT_AT, || {}), || {});
}

#[test]
fn a_push_to_and_a_pull_from_a_web_server_go_on_after_the_laptop_was_closed() {
    let place = Place::new();
    let there = place.path("web");
    std::fs::create_dir_all(there.join("data/files")).unwrap();
    let web = Web::start_at(&there, 0);
    let cut = Cut::holding(web.port, CUT_AT);
    let broken = breaking_web(&place, &there, &cut);
    broken.breaks_and_goes_on(|| {});
    broken.comes_back(&Cut::holding_answers(web.port, CUT_AT), || {});
}

#[test]
fn a_push_to_and_a_pull_from_a_web_server_that_is_killed_go_on() {
    let place = Place::new();
    let there = place.path("web");
    std::fs::create_dir_all(there.join("data/files")).unwrap();
    let web = Web::start_at(&there, 0);
    let (port, process) = (web.port, web.server.id());
    let cut = Cut::with(port, CUT_AT, move || kill(process));
    let mut again = None;
    let broken = breaking_web(&place, &there, &cut);
    broken.breaks_and_goes_on(|| {
        drop(web);
        again = Some(Web::start_at(&there, port));
    });
    let web = again.unwrap();
    let process = web.server.id();
    let cut = Cut::answers_with(port, CUT_AT, move || kill(process));
    let mut last = None;
    broken.comes_back(&cut, || {
        drop(web);
        last = Some(Web::start_at(&there, port));
    });
}

/// A server of S3 that keeps its buckets in a folder: rclone's. Ended with the test.
pub struct Bucket {
    pub server: Child,
    pub port: u16,
}

impl Bucket {
    /// On that port, or on a free one for 0. It checks signatures.
    fn start_at(folder: &Path, port: u16) -> Self {
        Self::start_with(folder, port, &["--auth-key", "OWL,owl-7391"])
    }

    /// One that asks nobody who they are.
    pub fn open(folder: &Path) -> Self {
        Self::start_with(folder, 0, &[])
    }

    fn start_with(folder: &Path, port: u16, more: &[&str]) -> Self {
        let port = if port > 0 {
            port
        } else {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        let server = Command::new(program("rclone"))
            .args(["serve", "s3"])
            .args(more)
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

fn breaking_s3<'a>(place: &'a Place, store: &Path, cut: &'a Cut) -> Breaking<'a> {
    let root = project(place, "ours");
    let there = store.join("birds/data");
    Breaking::new((place, root), there, cut, |root, port| {
        crate::storage::add(place, root, port, "s3://birds/data");
        let signed = login(place, root, "OWL", "owl-7391");
        assert!(signed.status.success(), "{}", told(&signed));
    })
}

#[test]
fn a_push_to_and_a_pull_from_s3_go_on_after_the_laptop_was_closed() {
    let place = Place::new();
    let store = place.path("store");
    std::fs::create_dir_all(store.join("birds/data/files")).unwrap();
    let bucket = Bucket::start_at(&store, 0);
    let cut = Cut::holding(bucket.port, CUT_AT);
    let broken = breaking_s3(&place, &store, &cut);
    let again = broken.breaks_and_goes_on(|| {});
    assert!(again < CUT_AT, "the first part is not sent again: {again}");
    broken.comes_back(&Cut::holding_answers(bucket.port, CUT_AT), || {});
}

#[test]
fn a_push_to_and_a_pull_from_s3_that_is_killed_go_on() {
    let place = Place::new();
    let store = place.path("store");
    std::fs::create_dir_all(store.join("birds/data/files")).unwrap();
    let bucket = Bucket::start_at(&store, 0);
    let (port, process) = (bucket.port, bucket.server.id());
    let cut = Cut::with(port, CUT_AT, move || kill(process));
    let broken = breaking_s3(&place, &store, &cut);
    login(&place, &broken.root, "OWL", "another");
    // Many files are looked for by a listing, and few one by one.
    for what in [&[][..], &["large.bin"]] {
        let refused = told(&broken.push().args(what).output().unwrap());
        assert!(
            refused.contains("does not accept the credentials"),
            "{refused}"
        );
    }
    assert_eq!(broken.arrived(), [""; 0]);
    login(&place, &broken.root, "OWL", "owl-7391");
    let mut again = None;
    broken.breaks_and_goes_on(|| {
        drop(bucket);
        again = Some(Bucket::start_at(&store, port));
    });
    let bucket = again.unwrap();
    let process = bucket.server.id();
    let cut = Cut::answers_with(port, CUT_AT, move || kill(process));
    let mut last = None;
    broken.comes_back(&cut, || {
        drop(bucket);
        last = Some(Bucket::start_at(&store, port));
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
    let push = || broken.done("push").0;
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
fn breaking_ssh<'a>(place: &'a Place, machine: &'a Machine, cut: &'a Cut) -> Breaking<'a> {
    let there = machine.folder.join("there/data");
    std::fs::create_dir_all(there.join("files")).unwrap();
    let config = machine.folder.join("config");
    let known = std::fs::read_to_string(&config).unwrap();
    let (port, address) = (machine.port, format!("ssh://shaky{}", there.display()));
    let by = move |root: &Path, shaky| {
        // The same machine by another way.
        let way = format!("Host shaky\n HostKeyAlias [127.0.0.1]:{port}\n Port {shaky}\n");
        let all = known.replacen("Host box\n", &format!("{way}Host box shaky\n"), 1);
        std::fs::write(&config, all).unwrap();
        add(place, root, &address);
    };
    let root = project(place, "ours");
    Breaking {
        path: own_ssh(place, machine),
        ..Breaking::new((place, root), there, cut, by)
    }
}

#[cfg(target_os = "linux")]
/// A mebibyte of what lies there is sent again, and what was on the way was lost.
const AT_MOST_AGAIN: i64 = LARGE - CUT_AT + (3 << 20);

#[cfg(target_os = "linux")]
#[test]
fn a_push_and_a_pull_over_ssh_that_are_cut_go_on_where_they_were() {
    let place = Place::new();
    let machine = Machine::start(&place);
    let cut = Cut::before(machine.port, CUT_AT);
    let broken = breaking_ssh(&place, &machine, &cut);
    let again = broken.breaks_and_goes_on(|| {});
    assert!(again < AT_MOST_AGAIN, "{again}");
    let cut = Cut::answers_with(machine.port, CUT_AT, || {});
    broken.comes_back(&cut, || {});
}

#[cfg(target_os = "linux")]
#[test]
fn a_push_and_a_pull_over_ssh_go_on_after_the_laptop_was_closed() {
    let place = Place::new();
    let machine = Machine::start(&place);
    let cut = Cut::holding(machine.port, CUT_AT);
    let broken = breaking_ssh(&place, &machine, &cut);
    let again = broken.breaks_and_goes_on(|| {});
    assert!(again < AT_MOST_AGAIN, "{again}");
    let cut = Cut::holding_answers(machine.port, CUT_AT);
    broken.comes_back(&cut, || {});
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
