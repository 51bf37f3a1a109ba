use lapwing_serving::{RuntimeKind, client};
use serde_json::json;

use crate::peers::{Deployment, Serving};

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
