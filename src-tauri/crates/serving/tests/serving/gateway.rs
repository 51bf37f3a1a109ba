use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use lapwing_serving::gateway::{self, State};
use lapwing_serving::{Error, Exposure, RuntimeKind, TrafficShare, client, predictions};

use crate::peers::{Deployment, Serving, exchange, row, until_serving};

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_says_whether_it_runs() {
    let deployment = Deployment::of("forest", RuntimeKind::Onnx);
    assert_eq!(
        gateway::state(deployment.path()).expect("it can be asked"),
        State::Stopped
    );
    let serving = Serving::start(deployment).await;
    let folder = serving.deployment.path().to_owned();
    assert!(matches!(
        gateway::state(&folder).expect("it can be asked"),
        State::Running { .. }
    ));
    let second = gateway::run(&folder, None)
        .await
        .expect_err("there is one already");
    assert!(matches!(second, Error::AlreadyRunning { .. }));
    assert!(
        matches!(
            gateway::state(&folder).expect("it can be asked"),
            State::Running { .. }
        ),
        "the first one is not disturbed"
    );
    let deployment = serving.end().await;
    assert_eq!(
        gateway::state(deployment.path()).expect("it can be asked"),
        State::Stopped
    );
    gateway::stop(deployment.path()).expect("stopping twice is stopping once");
    assert!(matches!(
        client::url(deployment.path()),
        Err(Error::NotRunning { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let mut deployment = Deployment::of("forest", RuntimeKind::Onnx);
    deployment.config.port = taken.local_addr().expect("it is bound").port();
    deployment.write();
    let error = gateway::run(deployment.path(), None)
        .await
        .expect_err("it is taken");
    assert_eq!(error.report().name, "serving.port_taken");
    let failed = until_serving(deployment.path())
        .await
        .expect_err("it does not serve");
    assert!(
        failed.report().message.contains("cannot be listened on"),
        "{}",
        failed.report().message
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_under_load_drops_no_request() {
    let mut serving = Serving::start(Deployment::of("forest", RuntimeKind::Onnx)).await;
    let url = serving.running.url.clone();
    let (stop, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (url, stop, answered) = (url.clone(), Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let response = client::post(&url, "/invocations", None, &row(900.0))
                        .await
                        .expect("it always answers");
                    assert_eq!(response.status, 200, "{}", response.body);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    serving.deployment.release(2, "lightgbm", RuntimeKind::Onnx);
    serving.switch().await.expect("the new revision is taken");
    assert_eq!(serving.running.revisions[0].number, 2);
    serving.deployment.release(3, "forest", RuntimeKind::Onnx);
    serving.switch().await.expect("the new revision is taken");
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no request failed");
    }
    assert!(answered.load(Ordering::Relaxed) > 0, "there was load");
    let deployment = serving.end().await;
    let logged = predictions::read(deployment.path(), &predictions::Query::default())
        .expect("it can be read");
    assert_eq!(
        logged.len(),
        usize::try_from(answered.load(Ordering::Relaxed)).expect("small"),
        "every answer is in the log"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_release_leaves_the_old_one_serving() {
    let mut serving = Serving::start(Deployment::of("forest", RuntimeKind::Onnx)).await;
    serving.deployment.release(2, "lightgbm", RuntimeKind::Onnx);
    fs_err::write(
        serving
            .deployment
            .path()
            .join("revisions/2/onnx/model.onnx"),
        b"broken",
    )
    .expect("there is room");
    serving.deployment.config.revisions[1].python = None;
    let error = serving.switch().await.expect_err("it cannot be loaded");
    assert!(!error.report().message.is_empty());
    let State::Running { running } =
        gateway::state(serving.deployment.path()).expect("it can be asked")
    else {
        panic!("it still runs");
    };
    assert_eq!(
        running.revisions[0].number, 1,
        "the old revision still has the traffic"
    );
    assert!(running.problem.is_some(), "and it says why");
    assert_eq!(serving.post("/invocations", &row(1.0)).await.status, 200);
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_is_split_by_weight_and_repeatable() {
    let mut deployment = Deployment::of("forest", RuntimeKind::Onnx);
    deployment.release(2, "forest", RuntimeKind::Onnx);
    deployment.config.traffic = vec![
        TrafficShare {
            revision: 1,
            weight: 3.0,
        },
        TrafficShare {
            revision: 2,
            weight: 1.0,
        },
    ];
    deployment.write();
    let serving = Serving::start(deployment).await;
    for _ in 0..200 {
        assert_eq!(serving.post("/invocations", &row(900.0)).await.status, 200);
    }
    let deployment = serving.end().await;
    let count = |revision| {
        let query = predictions::Query {
            revision: Some(revision),
            ..predictions::Query::default()
        };
        predictions::read(deployment.path(), &query)
            .expect("it can be read")
            .len()
    };
    let (first, second) = (count(1), count(2));
    assert_eq!(first + second, 200);
    assert!(
        (120..=180).contains(&first),
        "three of four go to the first: {first}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_answers_under_its_published_port() {
    let mut deployment = Deployment::of("forest", RuntimeKind::Onnx);
    deployment.config.exposure = Exposure::Container;
    deployment.config.published_port = Some(5999);
    deployment.write();
    let serving = Serving::start(deployment).await;
    assert_eq!(
        serving.running.url, "http://127.0.0.1:5999",
        "clients outside use the published port"
    );
    let port = serving.running.port;
    let ping =
        |host: &str| format!("GET /ping HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    for (host, status) in [
        ("127.0.0.1:5999", "200"),
        ("localhost:5999", "200"),
        ("evil.example:5999", "403"),
    ] {
        let answer = exchange(port, &ping(host), b"").await;
        assert!(
            String::from_utf8_lossy(&answer).starts_with(&format!("HTTP/1.1 {status}")),
            "{host}"
        );
    }
    serving.end().await;
}
