//! Which alerts the desktop is told of.

use lapwing_app::monitors::Told;
use lapwing_app::wire::AlertRow;
use lapwing_core::Timestamp;

fn alert(id: u32) -> AlertRow {
    AlertRow {
        id,
        deployment: "late".parse().unwrap(),
        kind: "drift".to_owned(),
        message: "5 of 6 columns drifted".to_owned(),
        at: Timestamp(0),
        resolved: None,
        acknowledged: false,
    }
}

fn ids(alerts: Vec<AlertRow>) -> Vec<u32> {
    alerts.into_iter().map(|alert| alert.id).collect()
}

#[test]
fn each_new_alert_is_told_once() {
    let mut told = Told::with(&[alert(3), alert(1)]);
    assert!(
        ids(told.fresh(vec![alert(3), alert(1)])).is_empty(),
        "open before the window was"
    );
    assert_eq!(ids(told.fresh(vec![alert(5), alert(4), alert(3)])), [4, 5]);
    assert!(
        ids(told.fresh(vec![alert(5), alert(4)])).is_empty(),
        "told already"
    );
    assert!(ids(told.fresh(Vec::new())).is_empty());
    assert!(
        ids(told.fresh(vec![alert(4)])).is_empty(),
        "fewer open ones are no news"
    );
    assert_eq!(ids(told.fresh(vec![alert(6)])), [6]);
}

#[test]
fn what_was_seen_or_is_over_is_not_told() {
    let seen = AlertRow {
        acknowledged: true,
        ..alert(1)
    };
    let over = AlertRow {
        resolved: Some(Timestamp(1)),
        ..alert(2)
    };
    let mut told = Told::default();
    assert!(ids(told.fresh(vec![over, seen])).is_empty());
}
