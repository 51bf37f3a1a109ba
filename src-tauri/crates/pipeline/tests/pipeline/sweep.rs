//! What a sweep tries, and which stages it is felt by.

use lapwing_pipeline::sweep::{Space, felt_by, variants};

use crate::sandbox::Sandbox;

fn space(texts: &[&str]) -> Space {
    Space::parse(&owned(texts)).unwrap()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn grid(texts: &[&str]) -> Vec<String> {
    let points = space(texts).grid().unwrap();
    points.into_iter().map(|point| point.join(" ")).collect()
}

#[test]
fn a_grid_has_every_combination_once() {
    assert_eq!(
        grid(&["lr=0.1, 0.2,0.1", "conf.toml:layers=range(2, 4)", "seed=7"]),
        [
            "lr=0.1 conf.toml:layers=2 seed=7",
            "lr=0.1 conf.toml:layers=3 seed=7",
            "lr=0.2 conf.toml:layers=2 seed=7",
            "lr=0.2 conf.toml:layers=3 seed=7",
        ]
    );
    assert_eq!(
        grid(&["lr=range(0.1, 0.5, 0.1)"]),
        ["lr=0.1", "lr=0.2", "lr=0.3", "lr=0.4"],
        "what was meant, not the sums of binary fractions"
    );
    assert_eq!(
        grid(&["layers=[8, 8],[16]", "name='a,b',c(1,2)"]),
        [
            "layers=[8, 8] name='a,b'",
            "layers=[8, 8] name=c(1,2)",
            "layers=[16] name='a,b'",
            "layers=[16] name=c(1,2)",
        ],
        "a comma in brackets or quotes separates nothing"
    );
    assert_eq!(grid(&["a=range(3, 0, -1)"]), ["a=3", "a=2", "a=1"]);
    assert_eq!(grid(&["a=choice(x, y)"]), ["a=x", "a=y"]);
}

#[test]
fn the_same_seed_draws_the_same_trials() {
    let space = space(&[
        "lr=log_uniform(1e-4, 1e-1)",
        "rate=uniform(0, 1)",
        "depth=2,4",
    ]);
    let drawn = space.random(40, 3).unwrap();
    assert_eq!(drawn, space.random(40, 3).unwrap());
    assert_ne!(drawn, space.random(40, 4).unwrap());
    for point in &drawn {
        let value = |index: usize| -> f64 {
            let text = point[index].split_once('=').unwrap().1;
            text.parse().unwrap()
        };
        assert!((1e-4..=1e-1).contains(&value(0)), "{point:?}");
        assert!((0.0..=1.0).contains(&value(1)), "{point:?}");
        assert!([2.0, 4.0].contains(&value(2)), "{point:?}");
    }
    let below = |limit: f64| {
        let small = drawn.iter().filter(|point| {
            let value: f64 = point[0].trim_start_matches("lr=").parse().unwrap();
            value < limit
        });
        small.count()
    };
    assert!(
        below(1e-2) > 15,
        "two of three powers of ten lie below 0.01"
    );
}

#[test]
fn a_random_search_never_tries_the_same_twice() {
    let space = space(&["a=1,2,3", "b=x,y"]);
    let mut drawn = space.random(50, 0).unwrap();
    assert_eq!(drawn.len(), 6, "there are no more");
    drawn.sort();
    drawn.dedup();
    assert_eq!(drawn.len(), 6);
}

#[test]
fn what_cannot_be_swept_is_said() {
    let said = |texts: &[&str]| match Space::parse(&owned(texts)) {
        Ok(space) => space.grid().unwrap_err().report().message,
        Err(error) => error.report().message,
    };
    assert_eq!(
        said(&[]),
        "no parameter is named whose values could be tried"
    );
    assert_eq!(said(&["lr"]), "`lr` has no `=` and no values");
    assert_eq!(said(&["lr=1,,2"]), "`lr=1,,2` has an empty value");
    assert_eq!(
        said(&["lr=range(5, 1)"]),
        "`lr=range(5, 1)` has no value in it"
    );
    assert_eq!(
        said(&["lr=range(1, 2, 0)"]),
        "`lr=range(1, 2, 0)` has more than 10000 values"
    );
    assert_eq!(
        said(&["lr=range(a, 2)"]),
        "`lr=range(a, 2)` needs numbers in its brackets"
    );
    assert_eq!(
        said(&["lr=log_uniform(0, 1)"]),
        "`lr=log_uniform(0, 1)` needs two positive numbers, the smaller one first"
    );
    assert_eq!(
        said(&["lr=uniform(0, 1)"]),
        "`lr` has endlessly many values: try some of them at random"
    );
    assert_eq!(
        said(&["a=range(0, 100)", "b=range(0, 100)"]),
        "`b` makes more than 1000 combinations: try some of them at random"
    );
    assert_eq!(
        said(&["lr=1,2", "lr=3"]),
        "`lr=3` names a parameter for the second time"
    );
    assert!(
        said(&["lr=log_unifrom(1, 2)"])
            .starts_with("`lr=log_unifrom(1, 2)` is no way to say values")
    );
    assert_eq!(
        said(&["lr=range(2, 9"]),
        "`lr=range(2, 9` has a bracket that is not closed"
    );
    assert_eq!(said(&["=1,2"]), "`=1` is not a parameter change");
}

#[test]
fn each_way_to_be_no_sweep_has_a_hint_of_its_own() {
    let hint = |texts: &[&str]| match Space::parse(&owned(texts)) {
        Ok(space) => space.grid().unwrap_err().report().hint.unwrap(),
        Err(error) => error.report().hint.unwrap(),
    };
    let endless = hint(&["lr=uniform(0, 1)"]);
    assert!(endless.contains("--random 20"), "{endless}");
    let many = hint(&["a=range(0, 100)", "b=range(0, 100)"]);
    assert!(many.contains("fewer values"), "{many}");
    let twice = hint(&["lr=1,2", "lr=3"]);
    assert!(twice.contains("once, with all of its values"), "{twice}");
    let log = hint(&["lr=log_uniform(0, 1)"]);
    assert!(log.contains("log_uniform(1e-4, 1e-1)"), "{log}");
    let comma = hint(&["lr=1,,2"]);
    assert!(comma.contains("take the comma out"), "{comma}");
    let none = space(&["lr=1,2"]).random(0, 0).unwrap_err().report();
    assert_eq!(none.message, "0 trials cannot be drawn: from 1 to 1000 can");
    assert_eq!(none.hint.unwrap(), "as in `--random 20`");
}

#[test]
fn the_stages_that_feel_a_parameter_are_those_that_read_it_and_those_behind_them() {
    let sandbox = Sandbox::bare(&[
        ("in", "1\n"),
        (
            "params.yaml",
            "clean: {drop: 1}\ntrain: {lr: 1, depth: 2}\nname: a\n",
        ),
        (
            "dvc.yaml",
            "stages:\n\
             \x20 clean: {cmd: cp in clean, deps: [in], params: [clean.drop], outs: [clean]}\n\
             \x20 other: {cmd: 'echo ${name} > other', deps: [in], outs: [other]}\n\
             \x20 train: {cmd: cp clean model, deps: [clean], params: [train], outs: [model]}\n\
             \x20 score: {cmd: cp model score, deps: [model], outs: [score]}\n",
        ),
    ]);
    let felt = |texts: &[&str]| {
        let points = space(texts).grid().unwrap();
        felt_by(
            &sandbox.pipeline(),
            &variants(&sandbox.project(), &points).unwrap(),
        )
    };
    assert_eq!(felt(&["train.lr=1,2"]), ["train", "score"]);
    assert_eq!(felt(&["clean.drop=1,2"]), ["clean", "train", "score"]);
    assert_eq!(
        felt(&["name=a,b"]),
        ["other"],
        "its command is written with it"
    );
    assert_eq!(felt(&["+unread=1,2"]), Vec::<String>::new());
}
