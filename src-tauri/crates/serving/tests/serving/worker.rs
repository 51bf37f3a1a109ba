use lapwing_serving::gateway::State;
use lapwing_serving::{RuntimeKind, client, gateway};
use serde_json::json;

use crate::peers::{Deployment, PATIENCE, Serving, row, truth};

#[tokio::test(flavor = "multi_thread")]
async fn python_answers_as_the_original_does() {
    let serving = Serving::start(Deployment::of("forest", RuntimeKind::Python)).await;
    assert_eq!(serving.running.revisions[0].runtime, RuntimeKind::Python);
    let truth = truth("forest");
    let response = serving
        .post("/invocations", &json!({ "dataframe_split": truth["rows"] }))
        .await;
    assert_eq!(response.status, 200, "{}", response.body);
    assert_eq!(response.body["predictions"], truth["predictions"]);
    assert_eq!(
        response.body["scores"], truth["scores"],
        "no conversion, no difference"
    );
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_prints_fails_and_dies_keeps_answering() {
    let mut deployment = Deployment::of("doubler", RuntimeKind::Python);
    deployment.config.timeout_seconds = 3;
    deployment.write();
    let serving = Serving::start(deployment).await;
    let good = serving.post("/invocations", &row(21.0)).await;
    assert_eq!(
        (good.status, &good.body["predictions"]),
        (200, &json!([42.0])),
        "prints do not disturb the answer: {}",
        good.body
    );

    let failed = serving.post("/invocations", &row(-3.0)).await;
    assert_eq!(
        (failed.status, &failed.body["error_code"]),
        (500, &json!("INTERNAL_ERROR"))
    );
    assert!(
        failed.body["message"]
            .as_str()
            .is_some_and(|message| message.contains("it is broken")),
        "{}",
        failed.body
    );

    assert_eq!(
        serving.post("/invocations", &row(-2.0)).await.status,
        504,
        "a model that hangs is given up"
    );
    until_back(&serving).await;
    assert_eq!(
        serving.post("/invocations", &row(-1.0)).await.status,
        503,
        "a model that dies is said to have died"
    );
    until_back(&serving).await;
    serving.end().await;
}

/// The worker is replaced; until then requests are refused with 503, 504 or 429.
async fn until_back(serving: &Serving) {
    let begun = std::time::Instant::now();
    loop {
        let response = serving.post("/invocations", &row(21.0)).await;
        if response.status == 200 {
            return;
        }
        assert!(
            [429, 503, 504].contains(&response.status),
            "{}",
            response.body
        );
        assert!(begun.elapsed() < PATIENCE, "the worker comes back");
        crate::peers::pause().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_that_is_not_there_falls_back_to_python_and_says_so() {
    let deployment = Deployment::of("doubler", RuntimeKind::Python);
    let mut config = deployment.config.clone();
    config.revisions[0].runtime = RuntimeKind::Onnx;
    lapwing_serving::write_config(deployment.path(), &config).expect("it holds together");
    let serving = Serving::start(deployment).await;
    let revision = &serving.running.revisions[0];
    assert_eq!(revision.runtime, RuntimeKind::Python);
    assert!(
        revision
            .note
            .as_deref()
            .is_some_and(|note| note.contains("served by Python")),
        "{revision:?}"
    );
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_be_loaded_fails_with_the_reason() {
    let deployment = Deployment::of("doubler", RuntimeKind::Python);
    let mlmodel = deployment.path().join("revisions/1/model/MLmodel");
    let text = fs_err::read_to_string(&mlmodel).expect("mlflow wrote it");
    fs_err::write(
        &mlmodel,
        text.replace("mlflow.pyfunc.model", "no_such_module"),
    )
    .expect("there is room");
    let error = gateway::run(deployment.path(), None)
        .await
        .expect_err("it cannot be loaded");
    assert!(
        error.report().message.contains("no_such_module"),
        "{}",
        error.report().message
    );
    let State::Failed { why } = gateway::state(deployment.path()).expect("it can be asked") else {
        panic!("it says that it failed");
    };
    assert!(why.contains("no_such_module"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_tensors_is_served_by_both_protocols() {
    let serving = Serving::start(Deployment::of("tensor", RuntimeKind::Python)).await;
    let truth = truth("tensor");
    for key in ["instances", "inputs"] {
        let response = serving
            .post("/invocations", &json!({ key: truth["rows"] }))
            .await;
        assert_eq!(
            response.body["predictions"], truth["predictions"],
            "{key}: {}",
            response.body
        );
    }
    let input =
        json!({ "name": "input", "datatype": "FP64", "shape": [5, 2], "data": truth["rows"] });
    let response = serving
        .post("/v2/models/flights/infer", &json!({ "inputs": [input] }))
        .await;
    assert_eq!(
        response.body["outputs"][0]["data"], truth["predictions"],
        "{}",
        response.body
    );
    let v1 = serving
        .post(
            "/v1/models/flights:predict",
            &json!({ "instances": truth["rows"] }),
        )
        .await;
    assert_eq!(v1.body["predictions"], truth["predictions"], "{}", v1.body);
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_can_wait_are_refused_at_once() {
    let mut deployment = Deployment::of("doubler", RuntimeKind::Python);
    deployment.config.timeout_seconds = 5;
    deployment.write();
    let serving = Serving::start(deployment).await;
    let requests = (0..120).map(|_| {
        let url = serving.running.url.clone();
        tokio::spawn(async move { client::post(&url, "/invocations", None, &row(-2.0)).await })
    });
    let mut statuses = std::collections::BTreeMap::<u16, u32>::new();
    for request in requests.collect::<Vec<_>>() {
        let response = request.await.expect("no panic").expect("it answers");
        *statuses.entry(response.status).or_default() += 1;
    }
    assert_eq!(statuses.values().sum::<u32>(), 120);
    assert!(
        statuses.get(&429).is_some_and(|refused| *refused >= 40),
        "the queue is bounded: {statuses:?}"
    );
    assert!(
        statuses.keys().all(|status| [429, 504].contains(status)),
        "{statuses:?}"
    );
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_read_in_every_spelling() {
    let serving = Serving::start(Deployment::of("weekday", RuntimeKind::Python)).await;
    // A Saturday: as text, and in milliseconds as pandas writes them.
    for when in [
        json!("2013-01-05T10:30:00"),
        json!("2013-01-05"),
        json!(1_357_381_800_000_i64),
    ] {
        let response = serving
            .post(
                "/invocations",
                &json!({ "dataframe_records": [{ "when": when }] }),
            )
            .await;
        assert_eq!(
            response.body["predictions"],
            json!([5]),
            "{when}: {}",
            response.body
        );
    }
    let wrong = serving
        .post(
            "/invocations",
            &json!({ "dataframe_records": [{ "when": "soon" }] }),
        )
        .await;
    assert_eq!(wrong.status, 400, "{}", wrong.body);
    let time =
        arrow::array::TimestampNanosecondArray::from_iter_values([1_357_381_800_000_000_000]);
    let table = arrow::array::RecordBatch::try_from_iter(vec![(
        "when",
        std::sync::Arc::new(time) as arrow::array::ArrayRef,
    )])
    .expect("one column");
    let scored = client::predict(&serving.running.url, None, &table)
        .await
        .expect("it answers");
    assert_eq!(scored.predictions, [json!(5)]);
    serving.end().await;
}
