use arrow::array::AsArray as _;
use lapwing_core::{PredictionId, Timestamp};
use lapwing_serving::{RuntimeKind, client, labels, predictions};
use predictions::{Query, Window};
use serde_json::json;

use crate::peers::{Deployment, Serving, row};

async fn some() -> (Deployment, Vec<PredictionId>) {
    let serving = Serving::start(Deployment::of("forest", RuntimeKind::Onnx)).await;
    let mut ids = Vec::new();
    for distance in [10.0, 900.0, 2000.0] {
        let response = serving.post("/invocations", &row(distance)).await;
        ids.push(
            response.body["prediction_ids"][0]
                .as_str()
                .and_then(|id| id.parse().ok())
                .expect("each row has an id"),
        );
    }
    assert_eq!(serving.post("/invocations", &json!({})).await.status, 400);
    (serving.end().await, ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_is_found_with_its_features() {
    let (deployment, ids) = some().await;
    let logged = predictions::find(deployment.path(), &ids[1])
        .expect("it can be read")
        .expect("it was logged");
    assert_eq!(
        logged.features,
        json!({ "distance": 900.0, "hour": 17, "carrier": "AA", "origin": "JFK" })
            .as_object()
            .cloned()
            .expect("an object")
    );
    assert_eq!((logged.revision, logged.model_version), (1, Some(11)));
    assert!(
        logged
            .score
            .is_some_and(|score| (0.0..=1.0).contains(&score))
    );
    assert!(
        predictions::find(deployment.path(), &PredictionId::random())
            .expect("it can be read")
            .is_none()
    );

    let query = Query {
        limit: Some(2),
        columns: Some(vec!["hour".to_owned()]),
        ..Query::default()
    };
    let last = predictions::read(deployment.path(), &query).expect("it can be read");
    assert_eq!(last.len(), 2);
    assert_eq!(
        last.features.schema().fields().len(),
        1,
        "only what was asked for"
    );
    assert_eq!(
        last.column("prediction_id")
            .expect("a column")
            .as_string::<i32>()
            .value(1),
        ids[2].as_str(),
        "the newest are kept"
    );
    assert_eq!(last.rows().len(), 2);
    let later = Query {
        since: Some(Timestamp(i64::MAX)),
        ..Query::default()
    };
    assert!(
        predictions::read(deployment.path(), &later)
            .expect("it can be read")
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_summed_up_with_the_failed_ones() {
    let (deployment, _) = some().await;
    let window = Window {
        since: Timestamp(0),
        until: Timestamp(i64::MAX),
        bucket_millis: 60_000,
    };
    let summary = predictions::summary(deployment.path(), window).expect("it can be read");
    assert_eq!(
        (
            summary.totals.requests,
            summary.totals.errors,
            summary.totals.failures,
            summary.totals.rows
        ),
        (4, 1, 0, 3)
    );
    assert!(summary.totals.p50.is_some() && summary.totals.p50 <= summary.totals.p99);
    assert_eq!(summary.revisions[&1].requests, 4);
    assert_eq!(
        summary
            .buckets
            .iter()
            .map(|bucket| bucket.totals.requests)
            .sum::<u64>(),
        4
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_grows_is_read_and_a_torn_end_is_left_out() {
    let serving = Serving::start(Deployment::of("forest", RuntimeKind::Onnx)).await;
    let folder = serving.deployment.path().to_owned();
    assert_eq!(serving.post("/invocations", &row(10.0)).await.status, 200);
    until(|| predictions::read(&folder, &Query::default()).is_ok_and(|read| read.len() == 1)).await;
    let growing = fs_err::read_dir(folder.join("predictions"))
        .expect("it is there")
        .flatten()
        .map(|entry| entry.path())
        .next()
        .expect("a segment");
    assert_eq!(
        growing.extension().and_then(|text| text.to_str()),
        Some("arrows")
    );
    assert_eq!(serving.post("/invocations", &row(20.0)).await.status, 200);
    until(|| predictions::read(&folder, &Query::default()).is_ok_and(|read| read.len() == 2)).await;

    let elsewhere = tempfile::tempdir().expect("there is room");
    fs_err::create_dir_all(elsewhere.path().join("predictions")).expect("there is room");
    let whole = fs_err::read(&growing).expect("it is there");
    let name = growing.file_name().expect("a name");
    let mut longest = 0;
    for length in (0..=whole.len()).step_by(37).chain([whole.len()]) {
        fs_err::write(
            elsewhere.path().join("predictions").join(name),
            &whole[..length],
        )
        .expect("there is room");
        let read =
            predictions::read(elsewhere.path(), &Query::default()).expect("a torn end is no error");
        assert!(read.len() >= longest, "more bytes never mean fewer rows");
        longest = read.len();
    }
    assert_eq!(longest, 2);
    let deployment = serving.end().await;
    let sealed = fs_err::read_dir(deployment.path().join("predictions"))
        .expect("it is there")
        .flatten()
        .map(|entry| entry.path());
    assert!(
        sealed
            .into_iter()
            .all(|path| path.extension().is_some_and(|text| text == "parquet")),
        "an ended gateway leaves Parquet"
    );
    assert_eq!(
        predictions::read(deployment.path(), &Query::default())
            .expect("it can be read")
            .len(),
        2
    );
}

async fn until(mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < crate::peers::PATIENCE, "it becomes true");
        crate::peers::pause().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_may_bring_their_own_ids() {
    let serving = Serving::start(Deployment::of("forest", RuntimeKind::Onnx)).await;
    let id = PredictionId::random();
    let record = |id: &str| json!({ "dataframe_records": [{ "prediction_id": id, "distance": 1.0, "hour": 2, "carrier": "AA", "origin": "JFK" }] });
    let response = serving.post("/invocations", &record(id.as_str())).await;
    assert_eq!(
        response.body["prediction_ids"],
        json!([id.as_str()]),
        "{}",
        response.body
    );
    let wrong = serving.post("/invocations", &record("order 7")).await;
    assert_eq!(
        wrong.status, 400,
        "an id that labels could not be joined by is refused"
    );
    let deployment = serving.end().await;
    assert!(
        predictions::find(deployment.path(), &id)
            .expect("it can be read")
            .is_some()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_table_is_scored_in_batches() {
    let serving = Serving::start(Deployment::of("forest", RuntimeKind::Onnx)).await;
    let rows = 2500;
    let table = arrow::array::RecordBatch::try_from_iter(vec![
        (
            "distance",
            std::sync::Arc::new(arrow::array::Float64Array::from_iter_values(
                (0..rows).map(f64::from),
            )) as arrow::array::ArrayRef,
        ),
        (
            "hour",
            std::sync::Arc::new(arrow::array::Int64Array::from_iter_values(
                (0..rows).map(|row| i64::from(row % 24)),
            )),
        ),
        (
            "carrier",
            std::sync::Arc::new(arrow::array::StringArray::from_iter_values(
                (0..rows).map(|_| "AA"),
            )),
        ),
        (
            "origin",
            std::sync::Arc::new(arrow::array::StringArray::from_iter_values(
                (0..rows).map(|_| "LAX"),
            )),
        ),
    ])
    .expect("columns of one length");
    let scored = client::predict(&serving.running.url, None, &table)
        .await
        .expect("it answers");
    assert_eq!(
        (
            scored.predictions.len(),
            scored.scores.len(),
            scored.prediction_ids.len()
        ),
        (2500, 2500, 2500)
    );
    assert_eq!(scored.latencies.len(), 3);
    let hours =
        arrow::compute::cast(table.column(1), &arrow::datatypes::DataType::Int8).expect("small");
    let words = arrow::datatypes::DataType::Dictionary(
        Box::new(arrow::datatypes::DataType::Int32),
        Box::new(arrow::datatypes::DataType::Utf8),
    );
    let carriers = arrow::compute::cast(table.column(2), &words).expect("words");
    let narrow = arrow::array::RecordBatch::try_from_iter(vec![
        ("distance", table.column(0).clone()),
        ("hour", hours),
        ("carrier", carriers),
        ("origin", table.column(3).clone()),
    ])
    .expect("columns of one length");
    let same = client::predict(&serving.running.url, None, &narrow)
        .await
        .expect("it answers");
    assert_eq!(
        same.predictions, scored.predictions,
        "how a column is stored does not matter"
    );
    let wrong = table.project(&[0, 1, 2]).expect("columns");
    let error = client::predict(&serving.running.url, None, &wrong)
        .await
        .expect_err("a column is missing");
    assert!(
        error.report().message.contains("origin"),
        "{}",
        error.report().message
    );
    let deployment = serving.end().await;
    assert_eq!(
        predictions::read(deployment.path(), &Query::default())
            .expect("it can be read")
            .len(),
        5000
    );
}

#[test]
fn the_newest_label_counts() {
    let folder = tempfile::tempdir().expect("there is room");
    let (first, second) = (PredictionId::random(), PredictionId::random());
    labels::append(
        folder.path(),
        &[
            (first.clone(), "0".to_owned()),
            (second.clone(), "1".to_owned()),
        ],
        Timestamp(1),
    )
    .expect("there is room");
    labels::append(
        folder.path(),
        &[(first.clone(), "1".to_owned())],
        Timestamp(2),
    )
    .expect("there is room");
    labels::append(folder.path(), &[], Timestamp(3)).expect("nothing is no error");
    let read = labels::read(folder.path()).expect("it can be read");
    assert_eq!(
        (
            read[first.as_str()].as_str(),
            read[second.as_str()].as_str(),
            read.len()
        ),
        ("1", "1", 2)
    );
}
