use lapwing_monitor::drift::{DriftOptions, Mode, Test};
use lapwing_monitor::frame::parsed_column;
use lapwing_monitor::{Frame, drift};
use proptest::prelude::*;

use crate::{Seeded, frame, numbers, texts};

fn one(reference: &Frame, current: &Frame, mode: Mode) -> lapwing_monitor::drift::ColumnDrift {
    drift(
        reference,
        current,
        &DriftOptions {
            mode,
            ..DriftOptions::default()
        },
    )
    .unwrap()
    .columns
    .remove(0)
}

fn category(seed: &mut Seeded) -> String {
    ["a", "b", "c", "d"][(seed.draw() * 4.0) as usize].to_owned()
}

#[test]
fn small_categorical_samples_raise_few_false_alarms() {
    const TRIES: u32 = 500;
    let (mut corrected, mut evidently) = (0, 0);
    for seed in 0..TRIES {
        let mut seed = Seeded::new(u64::from(seed) + 1);
        let mut draw = |rows: usize| {
            frame(vec![texts(
                "c",
                (0..rows).map(|_| category(&mut seed)).collect(),
            )])
        };
        let (reference, current) = (draw(200), draw(1000));
        corrected += u32::from(one(&reference, &current, Mode::Corrected).drifted);
        evidently += u32::from(one(&reference, &current, Mode::Evidently).drifted);
    }
    let share = |count: u32| f64::from(count) / f64::from(TRIES);
    assert!(
        share(corrected) <= 0.08,
        "at a nominal 5 %: {}",
        share(corrected)
    );
    assert!(
        share(evidently) > 0.15,
        "the mode that equals Evidently keeps its false alarms: {}",
        share(evidently)
    );
}

#[test]
fn infinities_nulls_and_empty_columns_do_not_poison_the_rest() {
    let mut values: Vec<f64> = (0..2000).map(f64::from).collect();
    values[7] = f64::INFINITY;
    values[8] = f64::NAN;
    let reference = frame(vec![
        numbers("x", values.clone()),
        numbers("empty", vec![f64::NAN; 2000]),
    ]);
    let report = drift(&reference, &reference, &DriftOptions::default()).unwrap();
    assert_eq!(report.columns[0].value, Some(0.0));
    assert!(
        report.columns[0]
            .note
            .as_ref()
            .unwrap()
            .contains("infinite")
    );
    assert_eq!(report.columns[1].note.as_deref(), Some("no data"));
    assert!(!report.columns[1].drifted);
}

#[test]
fn a_column_of_tiny_spread_can_drift() {
    let at = |level: f64| {
        frame(vec![numbers(
            "x",
            (0..2000)
                .map(|row| level + f64::from(row % 100) * 1e-7)
                .collect(),
        )])
    };
    let (reference, current) = (at(0.0), at(1e-5));
    assert!(
        !one(&reference, &current, Mode::Evidently).drifted,
        "Evidently norms by at least 0.001"
    );
    assert!(
        one(&reference, &current, Mode::Corrected).drifted,
        "normed by its own spread it has moved a third of it"
    );
}

#[test]
fn many_columns_share_one_budget_of_false_alarms() {
    let mut seed = Seeded::new(3);
    let mut draw = || {
        frame(
            (0..60)
                .map(|index| {
                    numbers(
                        &format!("x{index}"),
                        (0..300).map(|_| seed.draw()).collect(),
                    )
                })
                .collect(),
        )
    };
    let report = drift(&draw(), &draw(), &DriftOptions::default()).unwrap();
    assert_eq!(
        report.drifted,
        0,
        "nothing drifted: {:?}",
        report
            .columns
            .iter()
            .filter(|c| c.drifted)
            .collect::<Vec<_>>()
    );
    assert!(
        report.columns[0].threshold.unwrap() < 0.05,
        "the limit that was used is the one that is told"
    );
}

proptest! {
    #[test]
    fn nothing_drifts_from_itself(values in prop::collection::vec(-1e6_f64..1e6, 1..400)) {
        let rows = frame(vec![numbers("x", values)]);
        for mode in [Mode::Corrected, Mode::Evidently] {
            prop_assert!(!one(&rows, &rows, mode).drifted);
        }
    }

    #[test]
    fn distances_are_symmetric(a in prop::collection::vec(0_u8..9, 20..200), b in prop::collection::vec(0_u8..9, 20..200)) {
        let make = |values: &[u8]| frame(vec![texts("c", values.iter().map(|value| format!("v{value}")).collect())]);
        let (a, b) = (make(&a), make(&b));
        let distance = |a: &Frame, b: &Frame| {
            let options = DriftOptions { tests: vec![("c".to_owned(), Test::JensenShannon)], ..DriftOptions::default() };
            drift(a, b, &options).unwrap().columns[0].value
        };
        match (distance(&a, &b), distance(&b, &a)) {
            (Some(one), Some(two)) => prop_assert!((one - two).abs() < 1e-12),
            (one, two) => prop_assert_eq!(one, two),
        }
    }
}

#[test]
fn predictions_that_are_numbers_are_compared_as_numbers() {
    let said = |from: usize| {
        let texts = (from..from + 500).map(|value| Some(format!("{}", value as f64 / 3.0)));
        Frame::from_columns(vec![(
            "prediction".to_owned(),
            parsed_column(texts.collect()),
        )])
        .unwrap()
    };
    let options = DriftOptions::default();
    let same = drift(&said(0), &said(0), &options).unwrap();
    let moved = drift(&said(0), &said(900), &options).unwrap();
    assert_eq!(same.columns[0].kind.as_str(), "numerical");
    assert!(!same.columns[0].drifted && moved.columns[0].drifted);
    let words = parsed_column(vec![Some("1".to_owned()), Some("late".to_owned()), None]);
    let words = Frame::from_columns(vec![("prediction".to_owned(), words)]).unwrap();
    assert_eq!(
        words.kind("prediction"),
        "string",
        "one word makes words of all"
    );
    let classes = parsed_column(vec![Some("3".to_owned()), Some("12".to_owned()), None]);
    let classes = Frame::from_columns(vec![("prediction".to_owned(), classes)]).unwrap();
    assert_eq!(
        classes.kind("prediction"),
        "int64",
        "few of them are classes"
    );
    let gaps = parsed_column(vec![None, Some("1.5".to_owned())]);
    let gaps = Frame::from_columns(vec![("prediction".to_owned(), gaps)]).unwrap();
    assert_eq!(gaps.numbers("prediction").unwrap(), [None, Some(1.5)]);
}
