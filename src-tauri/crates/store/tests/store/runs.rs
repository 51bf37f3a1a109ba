//! Metrics and parameters of runs.

use lapwing_core::Timestamp;
use lapwing_store::runs::{self, Metric, Point};

use crate::writer::{open, run};

fn metric(step: i64, timestamp: i64, value: f64) -> Metric {
    Metric {
        key: "auc".to_owned(),
        point: Point {
            step,
            timestamp: Timestamp(timestamp),
            value,
        },
    }
}

#[test]
fn the_latest_value_has_the_greatest_step_then_time_then_value() {
    let (_folder, _workspace, store) = open();
    let id = run(&store);
    for (one, latest) in [
        (metric(1, 10, 0.1), 0.1),
        (metric(0, 99, 0.9), 0.1),
        (metric(1, 11, 0.2), 0.2),
        (metric(1, 11, 0.1), 0.2),
        (metric(1, 11, 0.3), 0.3),
    ] {
        runs::log(&store, &id, vec![one], Vec::new(), Vec::new())
            .expect("it is logged")
            .expect("no clash");
        let data = runs::data(&store, &id).expect("the run reads");
        assert_eq!(
            data.metrics.get("auc").map(|point| point.value),
            Some(latest)
        );
    }
}

#[test]
fn values_that_are_no_numbers_come_back_as_they_were() {
    let (_folder, _workspace, store) = open();
    let id = run(&store);
    let values = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        f64::MIN_POSITIVE,
    ];
    let metrics = (0..)
        .zip(values)
        .map(|(step, value)| metric(step, 7, value))
        .collect();
    runs::log(&store, &id, metrics, Vec::new(), Vec::new())
        .expect("it is logged")
        .expect("no clash");
    let back = runs::history(&store, &id, "auc").expect("the history reads");
    assert_eq!(back.len(), values.len());
    for (point, value) in back.iter().zip(values) {
        let same = point.value == value || (point.value.is_nan() && value.is_nan());
        assert!(
            same && point.timestamp == Timestamp(7),
            "{value} came back as {point:?}"
        );
    }
}

#[test]
fn a_parameter_with_another_value_refuses_the_whole_batch() {
    let (_folder, _workspace, store) = open();
    let id = run(&store);
    let depth = |value: &str| vec![("depth".to_owned(), value.to_owned())];
    runs::log(&store, &id, Vec::new(), depth("6"), Vec::new())
        .expect("it is logged")
        .expect("it is new");
    runs::log(&store, &id, Vec::new(), depth("6"), Vec::new())
        .expect("it is logged")
        .expect("the same again is no clash");
    let mut params = vec![("rate".to_owned(), "0.1".to_owned())];
    params.extend(depth("7"));
    let clash = runs::log(&store, &id, vec![metric(0, 0, 1.0)], params, Vec::new())
        .expect("it is answered");
    assert_eq!(clash.map_err(|clash| clash.old), Err("6".to_owned()));
    let data = runs::data(&store, &id).expect("the run reads");
    assert_eq!(
        data.params.len(),
        1,
        "nothing of the refused batch stays: {:?}",
        data.params
    );
    assert!(data.metrics.is_empty());
}

#[test]
fn a_batch_leaves_the_same_latest_value_as_its_points_one_by_one() {
    let (_folder, _workspace, store) = open();
    let points = [
        metric(2, 5, 0.1),
        metric(2, 5, f64::NAN),
        metric(3, 1, f64::NAN),
        metric(3, 1, f64::NEG_INFINITY),
        metric(1, 9, 7.0),
        metric(3, 0, 8.0),
    ];
    let latest = |id: &lapwing_core::RunId| {
        let data = runs::data(&store, id).expect("the run reads");
        data.metrics.get("auc").copied()
    };
    for count in 1..=points.len() {
        let (single, batch) = (run(&store), run(&store));
        let some: Vec<Metric> = points.iter().take(count).cloned().collect();
        for one in &some {
            runs::log(&store, &single, vec![one.clone()], Vec::new(), Vec::new())
                .expect("it is logged")
                .expect("no clash");
        }
        runs::log(&store, &batch, some, Vec::new(), Vec::new())
            .expect("it is logged")
            .expect("no clash");
        assert_eq!(
            format!("{:?}", latest(&single)),
            format!("{:?}", latest(&batch)),
            "the first {count}"
        );
    }
}

#[test]
fn the_same_point_sent_again_is_kept_once() {
    let (_folder, _workspace, store) = open();
    let id = run(&store);
    for one in [metric(0, 5, 0.5), metric(1, 5, f64::NAN)] {
        for points in [vec![one.clone()], vec![one.clone(), one]] {
            runs::log(&store, &id, points, Vec::new(), Vec::new())
                .expect("it is logged")
                .expect("no clash");
        }
    }
    let history = runs::history(&store, &id, "auc").expect("the history reads");
    assert_eq!(history.len(), 2, "{history:?}");
}
