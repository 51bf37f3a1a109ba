//! A gateway in a process of its own, killed as nobody should be.

use std::process::{Child, Command};

use lapwing_serving::gateway::{self, State};
use lapwing_serving::{RuntimeKind, client, predictions};
use predictions::Query;

use crate::peers::{Deployment, PATIENCE, row, until_serving};

const VARIABLE: &str = "LAPWING_TEST_GATEWAY";

/// Not a test of its own: the program that the others start.
#[test]
#[ignore = "the body of the gateway process of the other tests"]
fn gateway_process() {
    let folder = std::env::var_os(VARIABLE).expect("started by a test");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime
        .block_on(gateway::run(folder.as_ref(), None))
        .expect("it serves until it is told to end");
}

fn start(deployment: &Deployment) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args([
            "--exact",
            "process::gateway_process",
            "--ignored",
            "--nocapture",
        ])
        .env(VARIABLE, deployment.path())
        .spawn()
        .expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_loses_only_what_was_not_yet_flushed() {
    let deployment = Deployment::of("forest", RuntimeKind::Onnx);
    let mut child = start(&deployment);
    let running = until_serving(deployment.path()).await.expect("it serves");
    for _ in 0..50 {
        assert_eq!(
            client::post(&running.url, "/invocations", None, &row(900.0))
                .await
                .expect("answers")
                .status,
            200
        );
    }
    let begun = std::time::Instant::now();
    while predictions::read(deployment.path(), &Query::default())
        .expect("it can be read")
        .len()
        < 50
    {
        assert!(
            begun.elapsed().as_secs() < 5,
            "what was answered is flushed soon"
        );
        crate::peers::pause().await;
    }
    for _ in 0..5 {
        assert_eq!(
            client::post(&running.url, "/invocations", None, &row(900.0))
                .await
                .expect("answers")
                .status,
            200
        );
    }
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    let read = predictions::read(deployment.path(), &Query::default())
        .expect("it can be read")
        .len();
    assert!(
        (50..=55).contains(&read),
        "what was flushed is kept: {read}"
    );
    let State::Failed { why } = gateway::state(deployment.path()).expect("it can be asked") else {
        panic!("a killed gateway is not stopped");
    };
    assert!(why.contains("without being asked"), "{why}");

    let mut second = start(&deployment);
    until_serving(deployment.path())
        .await
        .expect("it serves again");
    assert_eq!(
        predictions::read(deployment.path(), &Query::default())
            .expect("it can be read")
            .len(),
        read,
        "nothing is lost by starting again"
    );
    gateway::stop(deployment.path()).expect("it ends");
    assert!(second.wait().expect("it is ours").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_it_well_and_its_workers_too() {
    let deployment = Deployment::of("doubler", RuntimeKind::Python);
    let mut child = start(&deployment);
    let running = until_serving(deployment.path()).await.expect("it serves");
    assert_eq!(
        client::post(&running.url, "/invocations", None, &row(4.0))
            .await
            .expect("answers")
            .status,
        200
    );
    let status = Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .expect("kill is there");
    assert!(status.success());
    assert!(child.wait().expect("it is ours").success());
    assert_eq!(
        gateway::state(deployment.path()).expect("it can be asked"),
        State::Stopped
    );
    let script = deployment.path().join("revisions/1/worker.py");
    let begun = std::time::Instant::now();
    while processes_with(&script.to_string_lossy()) {
        assert!(begun.elapsed() < PATIENCE, "no worker outlives its gateway");
        crate::peers::pause().await;
    }
}

fn processes_with(argument: &str) -> bool {
    fs_err::read_dir("/proc")
        .expect("Linux")
        .flatten()
        .any(|entry| {
            fs_err::read(entry.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(argument))
        })
}
