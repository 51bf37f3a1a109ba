use lapwing_monitor::performance::{Scored, auc, regression, two_class};
use lapwing_monitor::verdict::{Choice, verdict};

#[test]
fn metrics_of_a_known_case() {
    let rows: Vec<Scored> = [(0.1, false), (0.4, false), (0.35, true), (0.8, true)]
        .map(|(score, positive)| Scored { score, positive })
        .to_vec();
    let metrics = two_class(&rows);
    assert!(
        (metrics["auc"] - 0.75).abs() < 1e-12,
        "scikit-learn's own example"
    );
    assert!((metrics["accuracy"] - 0.75).abs() < 1e-12);
    assert!(
        (metrics["log_loss"] - 0.472_287_953_8).abs() < 1e-9,
        "{}",
        metrics["log_loss"]
    );
}

#[test]
fn ties_count_half_and_one_class_says_nothing() {
    let tie = [
        Scored {
            score: 0.5,
            positive: true,
        },
        Scored {
            score: 0.5,
            positive: false,
        },
    ];
    assert_eq!(auc(&tie), Some(0.5));
    assert_eq!(auc(&tie[..1]), None);
}

#[test]
fn regression_of_a_known_case() {
    let metrics = regression(&[(2.5, 3.0), (0.0, -0.5), (2.0, 2.0), (8.0, 7.0)]);
    assert!((metrics["mae"] - 0.5).abs() < 1e-12);
    assert!(
        (metrics["r2"] - 0.948_608_137).abs() < 1e-9,
        "scikit-learn's own example"
    );
}

#[test]
fn a_challenger_needs_its_margin() {
    assert_eq!(
        verdict("auc", Some(0.70), 0.705, 0.01, 100).choice,
        Choice::Keep
    );
    assert_eq!(
        verdict("auc", Some(0.70), 0.72, 0.01, 100).choice,
        Choice::Promote
    );
    assert_eq!(
        verdict("log_loss", Some(0.70), 0.72, 0.0, 100).choice,
        Choice::Keep,
        "a smaller loss is better"
    );
    assert_eq!(
        verdict("auc", None, 0.6, 0.5, 100).choice,
        Choice::Promote,
        "the first model has nobody to beat"
    );
    assert_eq!(
        verdict("auc", Some(0.7), f64::NAN, 0.0, 100).choice,
        Choice::Keep,
        "no number is no gain"
    );
}
