//! The numbers of Evidently mode against the real Evidently, over columns of many kinds.

use std::path::PathBuf;
use std::process::Command;

use lapwing_monitor::drift::{ColumnKind, DriftOptions, Mode};
use lapwing_monitor::frame::Part;
use lapwing_monitor::{Frame, drift};
use serde_json::Value;

const SCRIPT: &str = r#"
import json, sys
import numpy as np, pandas as pd
from evidently.legacy.report import Report
from evidently.legacy.metric_preset import DataDriftPreset

folder, n_ref, n_cur, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
rng = np.random.default_rng(seed)

def frame(n, shift):
    f = pd.DataFrame({
        "normal": rng.normal(shift, 1, n),
        "skewed": rng.exponential(1 + shift, n),
        "whole": rng.poisson(30 + 10 * shift, n),
        "few": rng.integers(0, 4, n),
        "two": rng.choice(["no", "yes"], n, p=[0.5 - shift / 4, 0.5 + shift / 4]),
        "letters": rng.choice(list("abcdef"), n),
        "flag": rng.random(n) < 0.3 + shift / 4,
        "constant": np.ones(n),
        "steps": np.round(rng.normal(shift, 1, n) * 2) / 2,
        "same": rng.normal(0, 1, n),
    })
    f["holes"] = f["normal"].where(rng.random(n) > 0.2)
    return f

reference, current = frame(n_ref, 0.0), frame(n_cur, 0.4)
reference.to_parquet(folder + "/reference.parquet")
current.to_parquet(folder + "/current.parquet")
report = Report(metrics=[DataDriftPreset()])
report.run(reference_data=reference, current_data=current)
table = next(m["result"] for m in report.as_dict()["metrics"] if "drift_by_columns" in m["result"])
print(json.dumps({k: [v["column_type"], v["stattest_name"], float(v["drift_score"]), float(v["stattest_threshold"]), bool(v["drift_detected"])]
                  for k, v in table["drift_by_columns"].items()}))
"#;

fn compare(reference_rows: u32, current_rows: u32, seed: u32) {
    let venv = std::env::var_os("LAPWING_TEST_EVIDENTLY")
        .expect("LAPWING_TEST_EVIDENTLY names Evidently's venv: run `make test`");
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(PathBuf::from(venv).join("bin/python"))
        .args(["-W", "ignore", "-c", SCRIPT])
        .arg(folder.path())
        .args([
            reference_rows.to_string(),
            current_rows.to_string(),
            seed.to_string(),
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let judge: Value = serde_json::from_slice(&output.stdout).unwrap();
    let read = |name: &str| Frame::read(&folder.path().join(name), &Part::default()).unwrap();
    let options = DriftOptions {
        mode: Mode::Evidently,
        ..DriftOptions::default()
    };
    let report = drift(
        &read("reference.parquet"),
        &read("current.parquet"),
        &options,
    )
    .unwrap();
    for (name, theirs) in judge.as_object().unwrap() {
        let ours = report
            .columns
            .iter()
            .find(|column| column.column == *name)
            .unwrap();
        let place = format!("{name} at {reference_rows}/{current_rows}: {theirs} against {ours:?}");
        // This interface of Evidently calls every whole number numerical; the test that it takes for a few values is the same.
        let kind = if ours.kind == ColumnKind::Numerical || name == "few" {
            "num"
        } else {
            "cat"
        };
        assert_eq!(theirs[0], kind, "{place}");
        let (value, judged) = (ours.value.unwrap(), theirs[2].as_f64().unwrap());
        assert!(
            (value - judged).abs() <= 1e-6 * judged.abs().max(1.0),
            "{place}"
        );
        assert_eq!(ours.threshold, theirs[3].as_f64(), "{place}");
        assert_eq!(Some(ours.drifted), theirs[4].as_bool(), "{place}");
    }
}

#[test]
fn small_samples_have_equal_numbers() {
    compare(500, 700, 1);
    compare(300, 300, 2);
    compare(60, 80, 3);
}

#[test]
fn large_samples_have_equal_numbers() {
    compare(3000, 2500, 4);
    compare(1001, 9000, 5);
}
