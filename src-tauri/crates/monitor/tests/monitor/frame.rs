use lapwing_monitor::Frame;
use lapwing_monitor::frame::Part;

use crate::{frame, numbers, texts};

#[test]
fn parquet_comes_back_as_it_went() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let made = frame(vec![
        numbers("x", vec![1.5, f64::NAN, -3.0]),
        texts("c", vec!["a".into(), "ü".into(), String::new()]),
    ]);
    made.write_parquet(&path).unwrap();
    let read = Frame::read(&path, &Part::default()).unwrap();
    assert_eq!(read.names(), ["x", "c"]);
    assert_eq!(read.texts("c").unwrap(), made.texts("c").unwrap());
    assert_eq!(Frame::count_rows(&path).unwrap(), 3);
    let part = Frame::read(
        &path,
        &Part {
            columns: Some(vec!["c".into()]),
            offset: 1,
            limit: Some(1),
        },
    )
    .unwrap();
    assert_eq!((part.names(), part.rows()), (vec!["c".to_owned()], 1));
    assert_eq!(part.texts("c").unwrap(), [Some("ü".to_owned())]);
}

#[test]
fn csv_types_are_guessed_and_widened_where_the_guess_was_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let mut text = String::from("id,name,x\n");
    for index in 0..20_000 {
        text.push_str(&format!("{index},\"a, b\",{index}\n"));
    }
    text.push_str("20000,c,0.5\n");
    std::fs::write(&path, text).unwrap();
    let read = Frame::read(&path, &Part::default()).unwrap();
    assert_eq!(read.rows(), 20_001);
    assert_eq!(
        read.numbers("x").unwrap()[20_000],
        Some(0.5),
        "a late fraction makes the column a float"
    );
    assert_eq!(read.texts("name").unwrap()[0].as_deref(), Some("a, b"));
    assert_eq!(Frame::count_rows(&path).unwrap(), 20_001);
}

#[test]
fn the_header_says_what_separates_the_fields() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    for text in [
        "x;\"a, b, c\"\n1;2\n",
        "x\t\"a, b, c\"\n1\t2\n",
        "x,\"a, b, c\"\n1,2\n",
    ] {
        std::fs::write(&path, text).unwrap();
        let read = Frame::read(&path, &Part::default()).unwrap();
        assert_eq!(read.names(), ["x", "a, b, c"], "{text}");
        assert_eq!(Frame::count_rows(&path).unwrap(), 1, "{text}");
    }
}

#[test]
fn damaged_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("a.parquet", "PAR1 not really"),
        ("b.csv", ""),
        ("c.jsonl", "{\"x\": "),
        ("d.txt", "x"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let error = Frame::read(&path, &Part::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains(name), "{error}");
    }
    let missing = Frame::read(&folder.path().join("none.csv"), &Part::default()).unwrap_err();
    assert!(missing.to_string().contains("none.csv"));
}

#[test]
fn a_profile_is_exact_to_the_last_digit_and_knows_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let text = "id,day,x,word\n9007199254740993,2013-01-03,1.5,b\n9007199254740992,,0.5,a\n,2013-01-02,2.5,c\n";
    std::fs::write(&path, text).unwrap();
    let read = Frame::read(&path, &Part::default()).unwrap();
    let profile = lapwing_monitor::profile::profile(&read).unwrap();
    assert_eq!(profile.columns[0].distinct, 2, "no float is as exact");
    let ends: Vec<_> = profile
        .columns
        .iter()
        .map(|column| (column.first.as_deref(), column.last.as_deref()))
        .collect();
    assert_eq!(
        ends,
        [
            (Some("9007199254740992"), Some("9007199254740993")),
            (Some("2013-01-02"), Some("2013-01-03")),
            (None, None),
            (None, None),
        ]
    );
}

#[test]
fn times_in_a_named_zone_are_told_in_utc() {
    use arrow::array::{ArrayRef, TimestampMillisecondArray};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let moments = TimestampMillisecondArray::from(vec![Some(3_600_000), None, Some(0)]);
    let zoned: ArrayRef = std::sync::Arc::new(moments.with_timezone("Europe/Berlin"));
    let made = Frame::from_columns(vec![("at".to_owned(), zoned)]).unwrap();
    made.write_parquet(&path).unwrap();
    let read = Frame::read(&path, &Part::default()).unwrap();
    let profile = lapwing_monitor::profile::profile(&read).unwrap();
    let column = &profile.columns[0];
    assert_eq!(column.first.as_deref(), Some("1970-01-01T00:00:00Z"));
    assert_eq!(column.last.as_deref(), Some("1970-01-01T01:00:00Z"));
    assert_eq!((column.nulls, column.distinct), (1, 2));
    assert_eq!(read.json_rows().unwrap()[1], [serde_json::Value::Null]);
}
