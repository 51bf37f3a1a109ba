//! Data to Azure Blob Storage and back: Azurite, with the real `dvc` on the other side, through cuts and its death.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::cut::Cut;
use crate::place::{Place, told};
use crate::storage::{dvc, json, program, project, run};
use crate::storage_breaks::{Breaking, CUT_AT, kill};

const POLL: Duration = Duration::from_millis(50);
const ACCOUNT: &str = "owls";
/// As Azure's own are: Base64.
const KEY: &str = "Y2FuYXJ5LW9mLWF6dXJlLTczOTEtY2FuYXJ5LW9mLWF6dXJlLTczOTE=";
const OTHER_KEY: &str = "bm90LWhlcnMtODI2NC1ub3QtaGVycy04MjY0LW5vdC1oZXJzLTgyNjQ=";

/// Everything in the container, into the folder.
const LOOK: &str = r#"
import os, sys
from azure.storage.blob import ContainerClient
birds = ContainerClient.from_connection_string(sys.argv[1], "birds")
for name in birds.list_blob_names(name_starts_with="data/"):
    path = os.path.join(sys.argv[2], name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        birds.download_blob(name).readinto(file)
"#;
const MAKE: &str = r#"
import sys
from azure.storage.blob import ContainerClient
ContainerClient.from_connection_string(sys.argv[1], "birds").create_container()
"#;

/// Azurite with a folder that it keeps things in, ended with the test.
struct Azurite {
    server: Child,
    port: u16,
    kept: PathBuf,
}

impl Azurite {
    /// With one container, `birds`.
    fn start(place: &Place) -> Option<Self> {
        let azurite = Self::start_at(&place.path("azurite"), 0)?;
        ask(azurite.port, MAKE, &[]);
        Some(azurite)
    }

    /// On that port, or on a free one for 0.
    fn start_at(kept: &Path, port: u16) -> Option<Self> {
        let Some(program) = std::env::var_os("LAPWING_TEST_AZURITE") else {
            eprintln!("skipped: there is no Azurite (LAPWING_TEST_AZURITE is not set)");
            return None;
        };
        let port = if port > 0 {
            port
        } else {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        std::fs::create_dir_all(kept).unwrap();
        let mut server = Command::new(program)
            .args(["--silent", "--skipApiVersionCheck"])
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()])
            .arg("--location")
            .arg(kept)
            .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{KEY}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(server.try_wait().unwrap().is_none(), "Azurite ended");
            std::thread::sleep(POLL);
        }
        let kept = kept.to_owned();
        Some(Self { server, port, kept })
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// With Microsoft's own client.
fn ask(port: u16, script: &str, more: &[&Path]) {
    let output = Command::new(program("python"))
        .args(["-c", script, &connection(port, ACCOUNT, KEY)])
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
}

/// What Azure's pages give away as a connection string.
fn connection(port: u16, account: &str, key: &str) -> String {
    let at = format!("http://127.0.0.1:{port}/{ACCOUNT}");
    format!(
        "DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};BlobEndpoint={at};"
    )
}

fn add(place: &Place, root: &Path) {
    let arguments = ["remotes", "add", "store", "azure://birds/data", "--default"];
    let added = run(place, root, &arguments, &[]);
    assert!(added.status.success(), "{}", told(&added));
}

fn login(place: &Place, root: &Path, secret: &str) {
    let mut child = place
        .command(root, &["remotes", "login", "store", "--secret-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{secret}").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn data_travels_to_azure_and_back() {
    let place = Place::new();
    let Some(azurite) = Azurite::start(&place) else {
        return;
    };
    let root = project(&place, "ours");
    add(&place, &root);
    what_is_wrong_is_told(&place, &azurite, &root);
    login(&place, &root, &connection(azurite.port, ACCOUNT, KEY));
    let health = json(&place, &root, &["remotes", "test", "store"]);
    assert_eq!(health["server"], "Azure Blob Storage", "{health}");
    let pushed = json(&place, &root, &["data", "push"]);
    assert_eq!(pushed["files"], 62, "{pushed}");
    let pushed = json(&place, &root, &["data", "push"]);
    assert_eq!(pushed["skipped"], 62, "{pushed}");

    // The real dvc fetches it, and sends something back.
    let theirs = place.path("theirs");
    std::fs::create_dir_all(&theirs).unwrap();
    run(&place, &theirs, &["init"], &[]);
    for file in [".dvc/config", "small.dvc", "large.bin.dvc"] {
        std::fs::copy(root.join(file), theirs.join(file)).unwrap();
    }
    let whole = connection(azurite.port, ACCOUNT, KEY);
    let modify = ["remote", "modify", "--local", "store", "connection_string"];
    dvc(&place, &theirs, &[&modify[..], &[&whole]].concat());
    dvc(&place, &theirs, &["pull"]);
    let read = |root: &Path, file: &str| std::fs::read(root.join(file)).unwrap();
    for file in ["small/sub/59.txt", "large.bin"] {
        assert!(read(&root, file) == read(&theirs, file), "{file}");
    }
    std::fs::create_dir_all(theirs.join("more")).unwrap();
    std::fs::write(theirs.join("more/owl.txt"), "an owl").unwrap();
    dvc(&place, &theirs, &["add", "more"]);
    dvc(&place, &theirs, &["push"]);

    // And back, with the credentials of dvc's own configuration.
    for gone in [".dvc/cache", "more", "small"] {
        std::fs::remove_dir_all(theirs.join(gone)).unwrap();
    }
    std::fs::remove_file(theirs.join("large.bin")).unwrap();
    let pulled = json(&place, &theirs, &["data", "pull"]);
    assert_eq!(pulled["files"], 64, "{pulled}");
    assert_eq!(read(&theirs, "more/owl.txt"), b"an owl");
    assert!(read(&root, "large.bin") == read(&theirs, "large.bin"));
}

fn what_is_wrong_is_told(place: &Place, azurite: &Azurite, root: &Path) {
    let refused = |verb: &[&str]| -> Output {
        let refused = run(place, root, verb, &[]);
        let said = told(&refused);
        assert!(!refused.status.success(), "{said}");
        for key in [KEY, OTHER_KEY] {
            assert!(!said.contains(key), "a key is never shown: {said}");
        }
        refused
    };
    let test = &["remotes", "test", "store"][..];
    let nobody = told(&refused(test));
    assert!(
        nobody.contains("needs to know the storage account"),
        "{nobody}"
    );
    for (account, key, words) in [
        (
            ACCOUNT,
            OTHER_KEY,
            "does not accept the credentials: the key is not the storage account's",
        ),
        ("mice", OTHER_KEY, "does not accept the credentials"),
        (
            ACCOUNT,
            "no key",
            "`account_key` cannot be used: it is no key",
        ),
    ] {
        login(place, root, &connection(azurite.port, account, key));
        // Many files are looked for by a listing, and few one by one.
        for verb in [test, &["data", "push"], &["data", "push", "large.bin"]] {
            let said = told(&refused(verb));
            assert!(said.contains(words), "{words}: {said}");
        }
    }
    let elsewhere = run(
        place,
        root,
        &["remotes", "add", "store", "azure://fish/data", "--default"],
        &[],
    );
    assert!(elsewhere.status.success(), "{}", told(&elsewhere));
    login(place, root, &connection(azurite.port, ACCOUNT, KEY));
    let said = told(&refused(test));
    assert!(said.contains("there is no bucket or container"), "{said}");
    add(place, root);
}

/// A project whose storage is Azurite behind a way that breaks.
fn breaking<'a>(place: &'a Place, azurite: &Azurite, cut: &'a Cut) -> Breaking<'a> {
    let there = place.path("seen");
    let (port, seen) = (azurite.port, there.clone());
    let look = move || {
        let folder = seen.join("data/files");
        // What was seen before may be gone by now.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        ask(port, LOOK, &[&seen]);
    };
    let root = project(place, "ours");
    Breaking {
        look: Box::new(look),
        ..Breaking::new((place, root), there.join("data"), cut, |root, port| {
            add(place, root);
            login(place, root, &connection(port, ACCOUNT, KEY));
        })
    }
}

#[test]
fn a_push_to_and_a_pull_from_azure_that_are_cut_go_on() {
    let place = Place::new();
    let Some(azurite) = Azurite::start(&place) else {
        return;
    };
    let cut = Cut::before(azurite.port, CUT_AT);
    let broken = breaking(&place, &azurite, &cut);
    let again = broken.breaks_and_goes_on(|| {});
    assert!(again < CUT_AT, "the first part is not sent again: {again}");
    let cut = Cut::answers_with(azurite.port, CUT_AT, || {});
    broken.comes_back(&cut, || {});
}

#[test]
fn a_push_to_and_a_pull_from_azure_go_on_after_the_laptop_was_closed() {
    let place = Place::new();
    let Some(azurite) = Azurite::start(&place) else {
        return;
    };
    let cut = Cut::holding(azurite.port, CUT_AT);
    let broken = breaking(&place, &azurite, &cut);
    let again = broken.breaks_and_goes_on(|| {});
    assert!(again < CUT_AT, "the first part is not sent again: {again}");
    let cut = Cut::holding_answers(azurite.port, CUT_AT);
    broken.comes_back(&cut, || {});
}

/// Waits until Azurite, which writes down every few seconds what it has, has written this.
fn until_it_keeps(kept: &Path, what: &str) {
    let names = kept.join("__azurite_db_blob__.json");
    while !std::fs::read_to_string(&names).is_ok_and(|text| text.contains(what)) {
        std::thread::sleep(POLL);
    }
}

#[test]
fn a_push_to_and_a_pull_from_azure_that_is_killed_go_on() {
    let place = Place::new();
    let Some(azurite) = Azurite::start(&place) else {
        return;
    };
    let (port, process, kept) = (azurite.port, azurite.server.id(), azurite.kept.clone());
    let cut = Cut::with(port, CUT_AT, move || {
        until_it_keeps(&kept, "data/files/md5");
        kill(process);
    });
    let broken = breaking(&place, &azurite, &cut);
    let kept = azurite.kept.clone();
    let mut again = None;
    broken.breaks_and_goes_on(|| {
        drop(azurite);
        again = Azurite::start_at(&kept, port);
    });
    let azurite = again.unwrap();
    // The listing of the folder goes last.
    let last = std::fs::read_to_string(broken.root.join("small.dvc")).unwrap();
    let last = last.split("md5: ").nth(1).unwrap();
    let last = last.split_whitespace().next().unwrap();
    until_it_keeps(&kept, &format!("{}/{}", &last[..2], &last[2..]));
    let process = azurite.server.id();
    let cut = Cut::answers_with(port, CUT_AT, move || kill(process));
    let mut last = None;
    broken.comes_back(&cut, || {
        drop(azurite);
        last = Azurite::start_at(&kept, port);
    });
}

/// Azure keeps parts that nobody makes a file of for a week.
#[test]
fn a_push_to_azure_that_goes_on_too_late_begins_anew() {
    let place = Place::new();
    let Some(azurite) = Azurite::start(&place) else {
        return;
    };
    let (port, cut) = (azurite.port, Cut::before(azurite.port, CUT_AT));
    let broken = breaking(&place, &azurite, &cut);
    let mut again = None;
    broken.breaks_and_goes_on(|| {
        drop(azurite);
        let empty = Azurite::start_at(&place.path("another"), port).unwrap();
        ask(port, MAKE, &[]);
        again = Some(empty);
    });
}
