//! Named connections: added, tried, signed in to, removed; and a secret that shows up nowhere.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::place::Place;

const CANARY: &str = "canary-secret-7391";

/// The program with a home of its own, so that no connection of the machine's user is found.
fn command(place: &Place, arguments: &[&str]) -> Command {
    let home = place.path("home");
    std::fs::create_dir_all(&home).unwrap();
    let mut command = place.command(&home, arguments);
    command.env("HOME", &home).env_remove("HF_TOKEN");
    command
}

fn with_secret(place: &Place, arguments: &[&str]) -> Output {
    let mut child = command(place, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{CANARY}").unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn all(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Refuses everybody, and keeps the last request.
fn refusing() -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0_u8; 8192];
            let read = stream.read(&mut request).unwrap();
            let answer =
                "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
            // The test has ended: nobody wants to know.
            let _ = send.send(String::from_utf8_lossy(&request[..read]).into_owned());
        }
    });
    (url, receive)
}

/// Every file below `folder` that has the canary in it.
fn files_with_canary(folder: &Path) -> Vec<String> {
    let output = Command::new("grep")
        .args(["-rlaF", CANARY])
        .arg(folder)
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_secret_reaches_its_server_and_nothing_else() {
    let place = Place::new();
    let (url, requests) = refusing();
    let arguments = [
        "remotes",
        "add",
        "team",
        &url,
        "--kind",
        "mlflow",
        "--secret-stdin",
    ];
    let added = with_secret(&place, &arguments);
    assert!(added.status.success(), "{}", all(&added));
    let mut said = all(&added);
    for arguments in [
        &["remotes", "test", "team"][..],
        &["remotes", "test", "team", "--json"],
        &["remotes", "list"],
        &["remotes", "list", "--json"],
        &["doctor", "--json"],
    ] {
        let output = command(&place, arguments)
            .env("RUST_LOG", "trace")
            .output()
            .unwrap();
        said.push_str(&all(&output));
    }
    let sent = requests.recv().unwrap();
    assert!(
        sent.contains(&format!("Bearer {CANARY}")) || sent.contains(CANARY),
        "{sent}"
    );
    assert!(
        said.contains("does not accept the credentials that were sent"),
        "{said}"
    );
    assert!(!said.contains(CANARY), "a secret is never shown: {said}");
    let kept = files_with_canary(&place.workspace());
    let file = place.workspace().join("credentials.json");
    assert_eq!(kept, [file.display().to_string()], "one file has it");
    let removed = command(&place, &["remotes", "remove", "team"])
        .output()
        .unwrap();
    assert!(removed.status.success(), "{}", all(&removed));
    assert_eq!(files_with_canary(&place.workspace()), Vec::<String>::new());
}

#[test]
fn a_remote_that_cannot_work_is_refused_or_explained() {
    let place = Place::new();
    let run = |arguments: &[&str]| {
        let output = command(&place, arguments).output().unwrap();
        (output.status.code().unwrap(), all(&output))
    };
    let (code, said) = run(&["remotes", "test", "nobody"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("there is no remote `nobody`"), "{said}");
    let (code, said) = run(&[
        "remotes",
        "add",
        "a b",
        "https://x.invalid",
        "--kind",
        "mlflow",
    ]);
    assert_eq!(code, 2, "{said}");
    let (code, said) = run(&[
        "remotes",
        "add",
        "x",
        "https://me:secret@x.invalid",
        "--kind",
        "mlflow",
    ]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("credentials do not belong into an address"),
        "{said}"
    );
    let (code, said) = run(&[
        "remotes",
        "add",
        "x",
        "https://no-such-host.invalid",
        "--kind",
        "mlflow",
    ]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&["remotes", "test", "x"]);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("the name no-such-host.invalid cannot be found"),
        "{said}"
    );
    let elsewhere = ["remotes", "add", "x", "https://another.invalid"];
    let (_, said) = run(&[&elsewhere[..], &["--kind", "mlflow"]].concat());
    let before = "The name led to https://no-such-host.invalid until now.";
    assert!(said.contains(before), "{said}");
    let (code, said) = run(&["remotes", "add", "gpu", "ssh://nobody@127.0.0.1"]);
    assert_eq!(code, 0, "{said}");
    let refused = all(&with_secret(
        &place,
        &["remotes", "login", "gpu", "--secret-stdin"],
    ));
    assert!(refused.contains("signs in by itself"), "{refused}");
}

/// A project with a bare repository and a folder, both remotes called `origin`.
fn with_two_origins(place: &Place) {
    let home = place.path("home");
    std::fs::create_dir_all(place.path("store")).unwrap();
    let bare = place.path("bare.git").display().to_string();
    let store = place.path("store").display().to_string();
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(&home);
        assert!(git.status().unwrap().success(), "git {arguments:?}");
    };
    for arguments in [&["init"][..], &["remotes", "add", "origin", &store]] {
        let output = command(place, arguments).output().unwrap();
        assert!(output.status.success(), "{}", all(&output));
    }
    git(&["init", "-q", "--bare", &bare]);
    git(&["remote", "add", "origin", &bare]);
}

#[test]
fn a_git_remote_and_a_storage_of_one_name_are_told_apart() {
    let place = Place::new();
    with_two_origins(&place);
    let run = |arguments: &[&str]| {
        let output = command(&place, arguments).output().unwrap();
        (output.status.code().unwrap(), all(&output))
    };
    let (_, listed) = run(&["remotes", "list"]);
    assert!(listed.contains("\nstorage:origin "), "{listed}");
    assert!(listed.contains("\ngit:origin "), "{listed}");
    for verb in ["test", "remove"] {
        let (code, said) = run(&["remotes", verb, "origin"]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("names 2 remotes"), "{said}");
        assert!(said.contains("`storage:origin` or `git:origin`"), "{said}");
    }
    let (code, said) = run(&["remotes", "test", "git:origin"]);
    assert_eq!((code, said.contains("git repository")), (0, true), "{said}");
    let (code, said) = run(&["remotes", "test", "storage:origin"]);
    assert_eq!(
        (code, said.contains("git repository")),
        (0, false),
        "{said}"
    );

    let login = ["remotes", "login", "git:origin", "--user", "ada"];
    let kept = with_secret(&place, &[&login[..], &["--secret-stdin"]].concat());
    assert!(kept.status.success(), "{}", all(&kept));
    let (_, text) = run(&["remotes", "list", "--json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let signed_in = |called: &str| {
        let row = rows.iter().find(|row| row["called"] == called).unwrap();
        row["signed_in"].is_string()
    };
    assert!(signed_in("git:origin"), "{text}");
    assert!(!signed_in("storage:origin"), "{text}");

    // Where only a server of models can be meant, the name is enough.
    let (url, _requests) = refusing();
    let (code, said) = run(&["remotes", "add", "origin", &url, "--kind", "mlflow"]);
    assert_eq!(code, 0, "{said}");
    let (_, said) = run(&["models", "search", "origin"]);
    assert!(said.contains("wants to know who you are"), "{said}");
    let (_, said) = run(&["models", "search", "mlflow:origin"]);
    assert!(said.contains("wants to know who you are"), "{said}");
    let (_, said) = run(&["models", "pull", "mlflow:origin:flights@prod"]);
    assert!(said.contains("wants to know who you are"), "{said}");
    let (_, said) = run(&["models", "pull", "git:origin:flights@prod"]);
    assert!(
        said.contains("cannot be kept at `origin` (git repository)"),
        "{said}"
    );

    let (code, said) = run(&["remotes", "remove", "storage:origin"]);
    assert_eq!(code, 0, "{said}");
    let (_, listed) = run(&["remotes", "list"]);
    assert!(!listed.contains("storage"), "{listed}");
    assert!(listed.contains("git:origin "), "{listed}");
}

#[test]
fn storage_with_a_setting_that_cannot_be_honoured_is_not_added() {
    let place = Place::new();
    let run = |arguments: &[&str]| {
        let output = command(&place, arguments).output().unwrap();
        (output.status.code().unwrap(), all(&output))
    };
    assert_eq!(run(&["init"]).0, 0);
    let config = place.path("home").join(".dvc/config");
    let before = std::fs::read_to_string(&config).unwrap();
    for (option, why) in [
        ("BAD=1", "`bad` cannot be used"),
        ("region=x\ny", "no setting"),
        ("use_ssl=perhaps", "neither true nor false"),
        ("secret_access_key=x", "secret_access_key"),
    ] {
        let add = [
            "remotes",
            "add",
            "bucket",
            "s3://b/c",
            "--default",
            "-o",
            option,
        ];
        let (code, said) = run(&add);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(why), "{said}");
        let after = std::fs::read_to_string(&config).unwrap();
        assert_eq!(after, before, "nothing of it is kept");
    }
}

#[test]
fn a_setting_that_nobody_would_read_is_refused_with_those_that_there_are() {
    let place = Place::new();
    let run = |arguments: &[&str]| {
        let output = command(&place, arguments).output().unwrap();
        (output.status.code().unwrap(), all(&output))
    };
    for (kind, address, option, known) in [
        (
            "mlflow",
            "http://127.0.0.1:9",
            "insecure=true",
            "no settings",
        ),
        ("oci", "http://127.0.0.1:9", "insecure=true", "no settings"),
        (
            "hugging-face",
            "http://127.0.0.1:9",
            "privat=no",
            "knows private",
        ),
        (
            "ssh",
            "ssh://box",
            "identify=key",
            "config, folder, identity",
        ),
        (
            "slurm",
            "slurm://box",
            "partitions=gpu",
            "minutes, partition, qos",
        ),
        ("docker", "tcp://127.0.0.1:9", "cacert=x", "knows ca, cert"),
        (
            "ray",
            "http://127.0.0.1:9",
            "reaches=x",
            "memory_mib, reach",
        ),
        (
            "kubernetes",
            "kube://team",
            "name_space=x",
            "minutes, namespace",
        ),
    ] {
        let add = [
            "remotes", "add", "team", address, "--kind", kind, "-o", option,
        ];
        let (code, said) = run(&add);
        assert_eq!(code, 2, "{kind}: {said}");
        let key = option.split('=').next().unwrap();
        assert!(
            said.contains(&format!("`{key}` is no setting of a")),
            "{said}"
        );
        assert!(said.contains(known), "{said}");
    }
    let (_, listed) = run(&["remotes", "list"]);
    assert!(!listed.contains("team"), "nothing of it is kept: {listed}");
}
