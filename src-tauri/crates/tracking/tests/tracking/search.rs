use lapwing_core::Timestamp;
use lapwing_tracking::{Metric, NewRun, Point, Search};

use crate::Server;

fn found(server: &Server, filter: &str, order: &[&str]) -> Vec<String> {
    let search = Search {
        filter: filter.to_owned(),
        order_by: order.iter().map(|text| (*text).to_owned()).collect(),
        ..Search::default()
    };
    let page = server
        .tracking
        .search(&search)
        .unwrap_or_else(|error| panic!("{filter}: {error}"));
    page.runs.into_iter().map(|run| run.name).collect()
}

fn filled() -> Server {
    let server = Server::start(None);
    for (index, name) in ["a", "b", "c"].into_iter().enumerate() {
        let number = index as i64;
        let id = server
            .tracking
            .create_run(NewRun {
                experiment: "e".to_owned(),
                name: Some(name.to_owned()),
                user: "ada".to_owned(),
                tags: vec![("kind.of".to_owned(), format!("Kind-{name}"))],
                start: Timestamp(1000 + number),
            })
            .unwrap();
        let point = Point {
            step: 0,
            timestamp: Timestamp(1),
            value: number as f64 / 2.0,
        };
        let metrics = if name == "c" {
            vec![]
        } else {
            vec![Metric {
                key: "auc".to_owned(),
                point,
            }]
        };
        server
            .tracking
            .log(
                &id,
                metrics,
                vec![("rate".to_owned(), format!("0.{number}"))],
                vec![],
            )
            .unwrap();
    }
    server
}

#[test]
fn the_grammar_finds_what_it_says() {
    let server = filled();
    for (filter, wanted) in [
        ("", vec!["c", "b", "a"]),
        ("metrics.auc > 0.2", vec!["b"]),
        ("metrics.`auc` >= 0 and params.rate = '0.0'", vec!["a"]),
        ("tags.\"kind.of\" LIKE 'Kind-%'", vec!["c", "b", "a"]),
        ("tags.kind.of like 'kind-%'", vec![]),
        ("tags.kind.of ILIKE 'kind-B'", vec!["b"]),
        ("metrics.auc IS NULL", vec!["c"]),
        ("metrics.auc IS NOT NULL", vec!["b", "a"]),
        ("attributes.run_name IN ('a', 'c')", vec!["c", "a"]),
        ("run_name NOT IN ('a', 'c')", vec!["b"]),
        ("start_time > 1000 AND status = 'RUNNING'", vec!["c", "b"]),
        ("params.rate != '0.1'", vec!["c", "a"]),
    ] {
        assert_eq!(found(&server, filter, &[]), wanted, "{filter}");
    }
    assert_eq!(
        found(&server, "", &["metrics.auc DESC"]),
        ["b", "a", "c"],
        "runs without the metric come last"
    );
    assert_eq!(
        found(&server, "", &["metrics.auc ASC"]),
        ["a", "b", "c"],
        "either way"
    );
}

#[test]
fn what_is_not_in_the_grammar_is_refused_with_a_reason() {
    let server = filled();
    for bad in [
        "metrics.auc >",
        "metrics.auc > 'x'",
        "params.rate = 1",
        "a or b",
        "nothing.x = '1'",
        "metrics.auc > 1 metrics.b > 2",
        "tags.x = 'unclosed",
        "attributes.colour = 'red'",
        "metrics.auc > 1; DROP TABLE runs",
    ] {
        let search = Search {
            filter: bad.to_owned(),
            ..Search::default()
        };
        assert!(
            server.tracking.search(&search).is_err(),
            "`{bad}` must be refused"
        );
    }
    assert_eq!(found(&server, "", &[]).len(), 3);
}

#[test]
fn pages_follow_one_another() {
    let server = filled();
    let first = server
        .tracking
        .search(&Search {
            max: Some(2),
            ..Search::default()
        })
        .unwrap();
    assert_eq!(first.runs.len(), 2);
    let second = server
        .tracking
        .search(&Search {
            max: Some(2),
            page_token: first.next,
            ..Search::default()
        })
        .unwrap();
    assert_eq!((second.runs.len(), second.next), (1, None));
}

#[test]
fn a_chart_keeps_its_peaks() {
    let server = Server::start(None);
    let run = NewRun {
        experiment: "e".to_owned(),
        name: None,
        user: "ada".to_owned(),
        tags: vec![],
        start: Timestamp(0),
    };
    let id = server.tracking.create_run(run).unwrap();
    let point = |step: i64| Metric {
        key: "loss".to_owned(),
        point: Point {
            step,
            timestamp: Timestamp(step),
            value: if step == 777 { 99.0 } else { 1.0 },
        },
    };
    for batch in 0..10 {
        server
            .tracking
            .log(
                &id,
                (batch * 1000..(batch + 1) * 1000).map(point).collect(),
                vec![],
                vec![],
            )
            .unwrap();
    }
    let (points, total) = server.tracking.downsampled(&id, "loss", 200).unwrap();
    assert_eq!(total, 10_000);
    assert!(points.len() <= 202, "{}", points.len());
    assert!(
        points.iter().any(|point| point.value == 99.0),
        "the peak is not lost"
    );
}

#[test]
fn versions_that_name_each_other_are_refused_not_followed_for_ever() {
    use lapwing_tracking::NewVersion;
    let server = Server::start(None);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("MLmodel"), "flavors: {}\n").unwrap();
    server
        .tracking
        .register("clf", &folder.path().display().to_string(), None)
        .unwrap();
    for source in ["models:/clf/3", "models:/clf/2"] {
        let new = NewVersion {
            name: "clf".to_owned(),
            source: source.to_owned(),
            ..NewVersion::default()
        };
        server.tracking.add_version(new).unwrap();
    }
    assert!(
        server
            .tracking
            .resolve("clf/2")
            .unwrap_err()
            .to_string()
            .contains("circle")
    );
}
