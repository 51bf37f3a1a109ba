use lapwing_serving::{RuntimeKind, client};
use serde_json::{Value, json};

use crate::peers::{Deployment, Serving, exchange, row, truth};

async fn forest() -> Serving {
    Serving::start(Deployment::of("forest", RuntimeKind::Onnx)).await
}

/// How many scores are further apart than single precision explains.
fn apart(left: &Value, right: &Value) -> usize {
    let (left, right) = (
        left.as_array().expect("a list"),
        right.as_array().expect("a list"),
    );
    assert_eq!(left.len(), right.len());
    let number = |value: &Value| value.as_f64().expect("a number");
    left.iter()
        .zip(right)
        .filter(|(l, r)| (number(l) - number(r)).abs() > 1e-5)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_equal_the_originals() {
    // A forest compares with thresholds between training values: in single precision a few of these very values change sides.
    for (name, moved) in [("forest", 4), ("logistic", 0), ("lightgbm", 0)] {
        let serving = Serving::start(Deployment::of(name, RuntimeKind::Onnx)).await;
        assert_eq!(
            serving.running.revisions[0].runtime,
            RuntimeKind::Onnx,
            "{:?}",
            serving.running.revisions[0].note
        );
        let truth = truth(name);
        let response = serving
            .post("/invocations", &json!({ "dataframe_split": truth["rows"] }))
            .await;
        assert_eq!(response.status, 200, "{}", response.body);
        assert_eq!(
            response.body["predictions"], truth["predictions"],
            "{name}: labels are MLflow's"
        );
        let apart = apart(&response.body["scores"], &truth["scores"]);
        assert!(
            apart <= moved,
            "{name}: scores are the probabilities of the second class; {apart} rows differ"
        );
        assert_eq!(
            response.body["prediction_ids"].as_array().map(Vec::len),
            Some(200)
        );
        serving.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_of_mlflow_gives_the_same_answer() {
    let serving = forest().await;
    let wanted = serving.post("/invocations", &row(900.0)).await.body;
    let record = json!({ "distance": 900.0, "hour": 17, "carrier": "AA", "origin": "JFK" });
    let bodies = [
        json!({ "dataframe_records": [record] }),
        json!({ "instances": [record] }),
        json!({ "instances": [[900.0, 17, "AA", "JFK"]] }),
        json!({ "inputs": { "distance": [900.0], "hour": [17], "carrier": ["AA"], "origin": ["JFK"] } }),
        json!({ "dataframe_records": [{ "extra": [1], "distance": 900, "hour": 17.0, "carrier": "AA", "origin": "JFK" }] }),
    ];
    for body in bodies {
        let response = serving.post("/invocations", &body).await;
        assert_eq!(response.status, 200, "{body} → {}", response.body);
        assert_eq!(
            response.body["predictions"], wanted["predictions"],
            "{body}"
        );
        assert_eq!(response.body["scores"], wanted["scores"], "{body}");
    }
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn null_in_a_float_and_an_unseen_category_are_answered() {
    let serving = forest().await;
    let body = json!({ "dataframe_records": [{ "distance": 100.5, "hour": 1, "carrier": "ZZ", "origin": "XXX" }] });
    assert_eq!(serving.post("/invocations", &body).await.status, 200);
    serving.end().await;

    // A forest of scikit-learn refuses NaN by itself; LightGBM does not.
    let serving = Serving::start(Deployment::of("lightgbm", RuntimeKind::Onnx)).await;
    let response = serving
        .post(
            "/invocations",
            &json!({ "dataframe_records": [{ "distance": null, "hour": 3 }] }),
        )
        .await;
    assert_eq!(response.status, 200, "{}", response.body);
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_get_mlflows_codes_and_name_the_column() {
    let serving = forest().await;
    let cases = [
        (json!({}), "BAD_REQUEST", "exactly one of"),
        (
            json!({ "instances": [], "inputs": [] }),
            "BAD_REQUEST",
            "exactly one of",
        ),
        (json!({ "messages": [] }), "BAD_REQUEST", "messages"),
        (
            json!({ "dataframe_records": [{ "hour": 1, "carrier": "AA", "origin": "JFK" }] }),
            "INVALID_PARAMETER_VALUE",
            "Model is missing inputs ['distance']",
        ),
        (
            json!({ "dataframe_records": [{ "distance": "far", "hour": 1, "carrier": "AA", "origin": "JFK" }] }),
            "BAD_REQUEST",
            "'distance'",
        ),
        (
            json!({ "dataframe_records": [{ "distance": 1.5, "hour": 1.5, "carrier": "AA", "origin": "JFK" }] }),
            "BAD_REQUEST",
            "'hour'",
        ),
        (
            json!({ "dataframe_records": [{ "distance": 1.5, "hour": null, "carrier": "AA", "origin": "JFK" }] }),
            "BAD_REQUEST",
            "'hour'",
        ),
        (
            json!({ "dataframe_records": [{ "distance": 1.5, "hour": 1, "carrier": 7, "origin": "JFK" }] }),
            "BAD_REQUEST",
            "'carrier'",
        ),
        (
            json!({ "dataframe_split": { "columns": ["distance"], "data": [[1, 2]] } }),
            "BAD_REQUEST",
            "row 0 has 2 values",
        ),
        (
            json!({ "dataframe_split": 5 }),
            "BAD_REQUEST",
            "dataframe_split",
        ),
        (
            json!({ "dataframe_records": [1] }),
            "BAD_REQUEST",
            "dataframe_records",
        ),
        (json!([1, 2]), "BAD_REQUEST", "object"),
    ];
    for (body, code, part) in cases {
        let response = serving.post("/invocations", &body).await;
        let message = response.body["message"].as_str().unwrap_or_default();
        assert_eq!(response.status, 400, "{body} → {}", response.body);
        assert_eq!(response.body["error_code"], code, "{body} → {message}");
        assert!(message.contains(part), "{body} → {message}");
    }
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_content_types_are_read_or_refused() {
    let serving = forest().await;
    let url = &serving.running.url;
    let csv = "distance,hour,carrier,origin\n900.0,17,AA,JFK\n10,3,DL,LAX\n";
    let (status, body) = raw(url, "Content-Type: text/csv", csv.as_bytes()).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["predictions"].as_array().map(Vec::len), Some(2));
    for header in [
        "Content-Type: text/plain",
        "X-None: 1",
        "Content-Type: application/json; boundary=x",
        "Content-Type: text/csv; charset=latin-1",
    ] {
        assert_eq!(raw(url, header, b"{}").await.0, 415, "{header}");
    }
    assert_eq!(
        raw(
            url,
            "Content-Type: application/json; charset=utf-8",
            row(1.0).to_string().as_bytes()
        )
        .await
        .0,
        200
    );
    assert_eq!(
        raw(
            url,
            "Content-Type: application/vnd.apache.parquet",
            b"no parquet"
        )
        .await
        .0,
        400
    );
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bodies_are_the_clients_fault() {
    let serving = forest().await;
    let json = "Content-Type: application/json";
    let deep = "[".repeat(100_000);
    let huge = r#"{"dataframe_records":[{"distance":1e999,"hour":1,"carrier":"a","origin":"b"}]}"#;
    let wide = r#"{"dataframe_records":[{"distance":1,"hour":99999999999999999999999999,"carrier":"a","origin":"b"}]}"#;
    for body in [
        deep.as_bytes(),
        huge.as_bytes(),
        wide.as_bytes(),
        b"",
        b"\xff\xfe",
        b"{\"instances\"",
        b"null",
    ] {
        let (status, answer) = raw(&serving.running.url, json, body).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer["message"].is_string(), "{answer}");
    }
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_hosts_and_origins_are_refused() {
    let serving = forest().await;
    let json = "Content-Type: application/json";
    let body = row(1.0).to_string();
    for header in [
        "Origin: https://evil.example",
        "Sec-Fetch-Site: cross-site",
        "Origin: null",
    ] {
        let status = raw(
            &serving.running.url,
            &format!("{json}\r\n{header}"),
            body.as_bytes(),
        )
        .await
        .0;
        assert_eq!(status, 403, "{header}");
    }
    let port = serving.running.port;
    let foreign = exchange(
        port,
        &format!("GET /ping HTTP/1.1\r\nHost: evil.example:{port}\r\nConnection: close\r\n\r\n"),
        b"",
    )
    .await;
    assert!(foreign.starts_with(b"HTTP/1.1 403"), "a foreign name");
    let own = exchange(
        port,
        &format!("GET /ping HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"),
        b"",
    )
    .await;
    assert!(own.starts_with(b"HTTP/1.1 200"), "our name");
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_when_there_is_one() {
    let mut deployment = Deployment::of("forest", RuntimeKind::Onnx);
    deployment.config.token = Some(lapwing_serving::token_digest("secret"));
    deployment.write();
    let serving = Serving::start(deployment).await;
    let url = &serving.running.url;
    assert_eq!(
        client::post(url, "/invocations", None, &row(1.0))
            .await
            .expect("answers")
            .status,
        401
    );
    assert_eq!(
        client::post(url, "/invocations", Some("wrong"), &row(1.0))
            .await
            .expect("answers")
            .status,
        401
    );
    assert_eq!(
        client::post(url, "/invocations", Some("secret"), &row(1.0))
            .await
            .expect("answers")
            .status,
        200
    );
    assert_eq!(
        client::get(url, "/ping", None)
            .await
            .expect("answers")
            .status,
        200,
        "probes carry no token"
    );
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_metrics_describe_the_model() {
    let serving = forest().await;
    let url = &serving.running.url;
    assert_eq!(serving.post("/invocations", &row(1.0)).await.status, 200);
    let openapi = client::get(url, "/openapi.json", None)
        .await
        .expect("answers")
        .body;
    assert_eq!(
        openapi["components"]["schemas"]["Row"]["properties"]["hour"]["format"], "int64",
        "{openapi}"
    );
    let example = &openapi["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]
        ["example"];
    assert_eq!(
        serving.post("/invocations", example).await.status,
        200,
        "the example works: {example}"
    );
    let docs = client::get(url, "/docs", None).await.expect("answers").body;
    let docs = docs.as_str().expect("a page");
    assert!(
        docs.contains("<code>carrier</code>") && !docs.contains("{{"),
        "the page names the columns"
    );
    assert!(
        !docs.contains("https://"),
        "the page needs nothing from elsewhere"
    );
    let metrics = client::get(url, "/metrics", None)
        .await
        .expect("answers")
        .body;
    let metrics = metrics.as_str().expect("text");
    for line in [
        "lapwing_requests_total{deployment=\"flights\",revision=\"1\",code=\"200\"} 2",
        "lapwing_requests_in_flight{deployment=\"flights\"} 0",
        "lapwing_rows_total{deployment=\"flights\",revision=\"1\"} 2",
        "lapwing_model_info{deployment=\"flights\",revision=\"1\",model=\"forest\",version=\"11\",runtime=\"onnx\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is in\n{metrics}");
    }
    assert_eq!(
        client::get(url, "/nothing", None)
            .await
            .expect("answers")
            .status,
        404
    );
    serving.end().await;
}

/// A request as bytes: what no client library would send.
async fn raw(url: &str, headers: &str, body: &[u8]) -> (u16, Value) {
    let authority = url.trim_start_matches("http://");
    let port = authority
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .expect("a port");
    let head = format!(
        "POST /invocations HTTP/1.1\r\nHost: {authority}\r\n{headers}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let answer = exchange(port, &head, body).await;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status line");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}
