//! Cron lines: which times they mean, and what a time that was missed counts.

use jiff::Zoned;
use lapwing_app::automations::schedule::parse;

fn at(text: &str) -> Zoned {
    text.parse().unwrap()
}

fn next(cron: &str, from: &str) -> String {
    let from = at(from);
    let next = parse(cron).unwrap().after(&from).unwrap();
    next.strftime("%Y-%m-%d %H:%M %Z").to_string()
}

#[test]
fn five_fields_name_the_next_time() {
    let monday = "2026-03-02T10:30:00[Europe/Berlin]";
    let cases = [
        ("* * * * *", "2026-03-02 10:31 CET"),
        ("*/15 * * * *", "2026-03-02 10:45 CET"),
        ("30 10 * * *", "2026-03-03 10:30 CET"),
        ("0 3 * * 1", "2026-03-09 03:00 CET"),
        ("0 3 * * 0", "2026-03-08 03:00 CET"),
        ("0 3 * * 7", "2026-03-08 03:00 CET"),
        ("0 9-17/4 * * 1-5", "2026-03-02 13:00 CET"),
        ("0 40/2 * * *", ""),
        ("0 0 29 2 *", "2028-02-29 00:00 CET"),
        // Cron's rule: with both days given, either of them is enough.
        ("0 0 13 * 5", "2026-03-06 00:00 CET"),
        ("5,3 11 * * *", "2026-03-02 11:03 CET"),
    ];
    for (cron, wanted) in cases {
        if wanted.is_empty() {
            assert!(parse(cron).is_none(), "{cron} names no time of a day");
        } else {
            assert_eq!(next(cron, monday), wanted, "{cron}");
        }
    }
}

#[test]
fn a_time_that_the_clock_skips_is_not_lost() {
    // 02:30 does not exist on the night the clocks go forward.
    let before = "2026-03-29T01:00:00[Europe/Berlin]";
    assert_eq!(next("30 2 * * *", before), "2026-03-29 03:30 CEST");
}

#[test]
fn what_is_no_schedule_is_refused() {
    for text in [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "a * * * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "* * * * 8",
    ] {
        assert!(parse(text).is_none(), "`{text}` is no cron line");
    }
}

#[test]
fn however_many_times_were_missed_it_is_one_answer() {
    let schedule = parse("0 * * * *").unwrap();
    let came = |since: &str, now: &str| schedule.came(&at(since), &at(now));
    assert!(came("2026-03-02T10:30:00[UTC]", "2026-03-09T10:30:00[UTC]"));
    assert!(came("2026-03-02T10:30:00[UTC]", "2026-03-02T11:00:00[UTC]"));
    assert!(!came(
        "2026-03-02T10:30:00[UTC]",
        "2026-03-02T10:59:59[UTC]"
    ));
    assert!(
        !came("2026-03-02T11:00:00[UTC]", "2026-03-02T11:00:20[UTC]"),
        "dealt with in its own minute"
    );
    assert!(
        !came("2026-03-02T12:30:00[UTC]", "2026-03-02T11:30:00[UTC]"),
        "a clock that was set back starts nothing"
    );
}
