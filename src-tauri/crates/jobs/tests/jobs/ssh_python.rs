//! Environments on the other machine, with the real uv and a package index; and servers here that a command there reaches.

use std::io::{Read as _, Write as _};

use lapwing_jobs::{JobSpec, Outcome, RemoteEnvironment, Target};

use crate::ssh::Bench;
use crate::until;

/// Where packages come from is said by the job: a session over ssh knows nothing of this program's environment.
fn index(spec: &mut JobSpec) {
    let named = |name: &str| {
        ["UV_", "PIP_", "SSL_CERT_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    spec.env
        .extend(std::env::vars().filter(|(name, _)| named(name)));
}

fn with_python(bench: &Bench, script: &str) -> JobSpec {
    let mut spec = bench.there(
        script,
        &["requirements.txt", "more.txt", "src/fit.py", "src/own.py"],
        &[],
    );
    if let Target::Ssh(remote) = &mut spec.target {
        remote.environment = Some(RemoteEnvironment {
            requirements: "requirements.txt".to_owned(),
            python: None,
        });
    }
    index(&mut spec);
    spec
}

fn project(bench: &Bench) {
    bench.write("requirements.txt", "-r more.txt\n");
    bench.write("more.txt", "six==1.17.0\n");
    bench.write("src/own.py", "name = 'own'\n");
    bench.write(
        "src/fit.py",
        "import os\nimport six, own\ntry:\n    import no_such\nexcept ImportError:\n    pass\nprint(six.__version__, own.name)\n",
    );
}

#[test]
fn the_environment_is_made_there_once_by_a_uv_that_is_brought_along() {
    let Some(bench) = Bench::new() else { return };
    project(&bench);
    let spec = with_python(&bench, "python src/fit.py");
    bench.start(&spec);
    assert_eq!(
        bench.ended(&spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    let log = bench.log(&spec);
    assert!(
        log.ends_with(
            "\nmaking a Python environment with uv\nenvironment: 1 package\n1.17.0 own\n"
        ),
        "one sentence in the place of uv's list: {log}"
    );
    let spec = with_python(&bench, "python src/fit.py");
    bench.start(&spec);
    assert_eq!(bench.ended(&spec), Outcome::Succeeded);
    assert_eq!(bench.log(&spec), "sending 0 of 4 files (0 B)\n1.17.0 own\n");
}

#[test]
fn a_pyproject_makes_an_environment_and_its_src_is_found() {
    let Some(bench) = Bench::new() else { return };
    bench.write(
        "pyproject.toml",
        "[project]\nname = \"mine\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"six==1.17.0\"]\n",
    );
    bench.write("src/mine/__init__.py", "name = 'mine'\n");
    bench.write(
        "fit.py",
        "import six\nimport mine\nprint(six.__version__, mine.name)\n",
    );
    let mut spec = bench.there(
        "python fit.py",
        &["pyproject.toml", "src/mine/__init__.py", "fit.py"],
        &[],
    );
    if let Target::Ssh(remote) = &mut spec.target {
        remote.environment = Some(RemoteEnvironment {
            requirements: "pyproject.toml".to_owned(),
            python: None,
        });
    }
    index(&mut spec);
    bench.start(&spec);
    assert_eq!(
        bench.ended(&spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    assert!(bench.log(&spec).ends_with("1.17.0 mine\n"));
}

#[test]
fn what_cannot_be_imported_is_named_before_anything_runs() {
    let Some(bench) = Bench::new() else { return };
    project(&bench);
    bench.write(
        "src/fit.py",
        "import six\nimport sklearn.linear_model\nfrom pandas import DataFrame\n",
    );
    let spec = with_python(&bench, "python src/fit.py");
    bench.start(&spec);
    let Outcome::NotStarted { why, .. } = bench.ended(&spec) else {
        panic!("it ran: {}", bench.log(&spec));
    };
    insta::assert_snapshot!(why, @"`src/fit.py` imports `sklearn`, `pandas`, which the environment on box does not have");
}

#[test]
fn a_requirement_that_cannot_be_installed_is_named() {
    let Some(bench) = Bench::new() else { return };
    project(&bench);
    bench.write("more.txt", "six==999\n");
    let spec = with_python(&bench, "python src/fit.py");
    bench.start(&spec);
    let outcome = bench.ended(&spec).to_string();
    assert!(outcome.contains("six==999"), "{outcome}");
}

#[test]
fn a_machine_that_cannot_have_uv_is_said() {
    let Some(bench) = Bench::new() else { return };
    project(&bench);
    let bin = bench.sshd.at("bin");
    std::fs::create_dir(&bin).unwrap();
    bench
        .sshd
        .command(&bin.join("uname"), "#!/bin/sh\necho riscv128\n");
    bench.sshd.force(&format!(
        "PATH={}:$PATH sh -c \"$SSH_ORIGINAL_COMMAND\"",
        bin.display()
    ));
    let spec = with_python(&bench, "python src/fit.py");
    bench.start(&spec);
    insta::assert_snapshot!(bench.ended(&spec).to_string(), @"could not be started: `uv` is not on box, and this machine's cannot run there (install it on box: `pip install --user uv`, or from https://docs.astral.sh/uv)");
}

/// A server here that answers every request with its path.
pub fn server() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let path = text.split(' ').nth(1).unwrap_or_default();
            let _ = write!(stream, "HTTP/1.0 200 OK\r\n\r\nyou asked for {path}\n");
        }
    });
    port
}

pub const ASK: &str = "import os, sys, time, urllib.request\n\
for _ in range(600):\n    try:\n        print(urllib.request.urlopen(os.environ['MLFLOW_TRACKING_URI'] + sys.argv[1]).read().decode(), end='', flush=True)\n        break\n    except OSError:\n        time.sleep(0.1)\n";

#[test]
fn a_command_there_reaches_a_server_here_and_does_again_after_a_cut() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    bench.write("ask.py", ASK);
    let port = server();
    let go = bench.folder.path().join("go");
    let mut spec = bench.there(
        &format!(
            "echo $MLFLOW_TRACKING_URI; python3 ask.py /one; until [ -e '{}' ]; do sleep 0.05; done; python3 ask.py /two",
            go.display()
        ),
        &["ask.py"],
        &[],
    );
    spec.env.insert(
        "MLFLOW_TRACKING_URI".to_owned(),
        format!("http://127.0.0.1:{port}"),
    );
    if let Target::Ssh(remote) = &mut spec.target {
        remote.tunnels = vec!["MLFLOW_TRACKING_URI".to_owned()];
    }
    bench.start(&spec);
    until("the first answer", || {
        bench.log(&spec).contains("you asked for /one")
    });
    assert!(
        !bench.log(&spec).contains(&format!("127.0.0.1:{port}\n")),
        "it is another port there"
    );
    bench.sshd.kill();
    std::fs::write(go, "").unwrap();
    bench.sshd.again();
    assert_eq!(bench.ended(&spec), Outcome::Succeeded);
    assert!(
        bench.log(&spec).ends_with("you asked for /two\n"),
        "{}",
        bench.log(&spec)
    );
}
