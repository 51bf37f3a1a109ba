use lapwing_serving::{RuntimeKind, client};
use serde_json::json;

use crate::peers::{Deployment, Serving, exchange};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_the_metadata_can_infer() {
    let serving = Serving::start(Deployment::of("forest", RuntimeKind::Onnx)).await;
    let url = &serving.running.url;
    let server = client::get(url, "/v2", None).await.expect("answers").body;
    assert_eq!(server["name"], "flights");
    for path in [
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/flights/ready",
        "/v2/models/forest/versions/1/ready",
    ] {
        assert_eq!(
            client::get(url, path, None).await.expect("answers").status,
            200,
            "{path}"
        );
    }
    let model = client::get(url, "/v2/models/flights", None)
        .await
        .expect("answers")
        .body;
    assert_eq!(
        model["inputs"][1],
        json!({ "name": "hour", "datatype": "INT64", "shape": [-1, 1] })
    );
    let body = json!({ "id": "mine", "inputs": [
        { "name": "distance", "datatype": "FP64", "shape": [2, 1], "data": [[900.0], [10.0]] },
        { "name": "hour", "datatype": "INT64", "shape": [2, 1], "data": [17, 3] },
        { "name": "carrier", "datatype": "BYTES", "shape": [2, 1], "data": ["AA", "DL"] },
        { "name": "origin", "datatype": "BYTES", "shape": [2, 1], "data": ["JFK", "LAX"] },
    ] });
    let response = serving.post("/v2/models/flights/infer", &body).await;
    assert_eq!(response.status, 200, "{}", response.body);
    assert_eq!(response.body["id"], "mine");
    let same = serving.post("/invocations", &json!({ "inputs": {
        "distance": [900.0, 10.0], "hour": [17, 3], "carrier": ["AA", "DL"], "origin": ["JFK", "LAX"],
    } })).await;
    let output = &response.body["outputs"][0];
    assert_eq!(
        (&output["name"], &output["datatype"], &output["data"]),
        (
            &json!("predictions"),
            &json!("INT64"),
            &same.body["predictions"]
        )
    );
    assert_eq!(response.body["outputs"][1]["data"], same.body["scores"]);
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tensors_are_refused_in_the_protocols_own_shape() {
    let serving = Serving::start(Deployment::of("lightgbm", RuntimeKind::Onnx)).await;
    let path = "/v2/models/flights/infer";
    for (body, part) in [
        (json!({}), "inputs"),
        (
            json!({ "inputs": [{ "name": "distance", "datatype": "FP64", "shape": [2], "data": [1.0] }] }),
            "2 values",
        ),
        (
            json!({ "inputs": [{ "name": "distance", "datatype": "FP64", "shape": [1], "data": [1.0] }] }),
            "hour",
        ),
        (
            json!({ "inputs": [{ "name": "d", "datatype": "FP64", "shape": [9_999_999_999_u64, 9_999_999_999_u64], "data": [] }] }),
            "too large",
        ),
        (
            json!({ "inputs": [{ "name": "d", "datatype": "FP64", "shape": [1], "parameters": { "binary_data_size": 8 } }] }),
            "binary_data_size",
        ),
    ] {
        let response = serving.post(path, &body).await;
        assert_eq!(response.status, 400, "{body}");
        assert!(
            response.body["error"]
                .as_str()
                .is_some_and(|error| error.contains(part)),
            "{body} → {}",
            response.body
        );
    }
    assert_eq!(
        serving
            .post("/v2/models/other/infer", &json!({}))
            .await
            .status,
        404
    );
    assert_eq!(
        serving
            .post(
                "/v2/models/flights/versions/9/infer",
                &json!({ "inputs": [] })
            )
            .await
            .status,
        404
    );
    let table = json!({ "inputs": [{ "name": "features", "datatype": "FP64", "shape": [2, 2], "data": [900.0, 17, 10.0, 3] }] });
    assert_eq!(
        serving.post(path, &table).await.status,
        200,
        "one tensor may hold the whole numeric table"
    );
    serving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tensors_travel_in_binary_both_ways() {
    let serving = Serving::start(Deployment::of("forest", RuntimeKind::Onnx)).await;
    let mut binary = Vec::new();
    binary.extend(900.0_f64.to_le_bytes());
    binary.extend(17_i64.to_le_bytes());
    for text in ["AA", "JFK"] {
        binary.extend(u32::try_from(text.len()).expect("short").to_le_bytes());
        binary.extend(text.as_bytes());
    }
    let input = |name: &str, datatype: &str, size: usize| json!({ "name": name, "datatype": datatype, "shape": [1, 1], "parameters": { "binary_data_size": size } });
    let head = json!({ "parameters": { "binary_data_output": true }, "inputs": [
        input("distance", "FP64", 8), input("hour", "INT64", 8), input("carrier", "BYTES", 6), input("origin", "BYTES", 7),
    ] })
    .to_string();
    let mut body = head.clone().into_bytes();
    body.extend(binary);
    let port = serving.running.port;
    let request = format!(
        "POST /v2/models/flights/infer HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nInference-Header-Content-Length: {}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        head.len(),
        body.len()
    );
    let answer = exchange(port, &request, &body).await;
    let split = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let (head, body) = (
        String::from_utf8_lossy(&answer[..split]).to_lowercase(),
        &answer[split + 4..],
    );
    assert!(
        head.starts_with("http/1.1 200"),
        "{head} {}",
        String::from_utf8_lossy(body)
    );
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("inference-header-content-length: "))
        .and_then(|length| length.parse().ok())
        .expect("the header says where the binary data begins");
    let (json, binary) = body.split_at(length);
    let json: serde_json::Value = serde_json::from_slice(json).expect("JSON comes first");
    assert_eq!(
        json["outputs"][0]["parameters"]["binary_data_size"], 8,
        "{json}"
    );
    let label = i64::from_le_bytes(binary[..8].try_into().expect("eight bytes"));
    let same = serving
        .post("/invocations", &crate::peers::row(900.0))
        .await
        .body;
    assert_eq!(json!([label]), same["predictions"]);
    serving.end().await;
}
