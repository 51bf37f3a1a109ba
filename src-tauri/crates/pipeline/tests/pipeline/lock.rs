//! `dvc.lock` keeps what one stage does not own.

use lapwing_pipeline::{LockFile, Value};

use crate::sandbox::Sandbox;

const YAML: &str =
    "stages:\n  a: {cmd: echo a > a, outs: [a]}\n  b: {cmd: echo b > b, outs: [b]}\n";

#[test]
fn other_stages_and_comments_stay() {
    let sandbox = Sandbox::with(&[("dvc.yaml", YAML)]);
    sandbox.write(
        "dvc.lock",
        "schema: '2.0'\n# by hand\nstages:\n  gone:   # no longer in dvc.yaml\n    cmd: \"old\"\n  a:\n    cmd: old\n  zz:\n    cmd: [x, y]\ndatasets: []\n",
    );
    sandbox.run_stage("a");
    sandbox.run_stage("b");
    let text = sandbox.read("dvc.lock");
    assert!(text.starts_with("schema: '2.0'\n# by hand\nstages:\n  gone:   # no longer in dvc.yaml\n    cmd: \"old\"\n  a:\n    cmd: echo a > a\n    outs:"), "{text}");
    assert!(text.ends_with("datasets: []\n"), "{text}");
    let lock = LockFile::read(&sandbox.path("dvc.lock")).unwrap();
    let names: Vec<String> = lock.stages().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["gone", "a", "zz", "b"]);
    let b = lock.stage("b").unwrap();
    assert_eq!(b.cmd, Some(Value::str("echo b > b")));
    assert_eq!(b.out("b").unwrap().size, Some(2));
}

#[test]
fn an_unusual_layout_is_written_anew() {
    let sandbox = Sandbox::with(&[("dvc.yaml", YAML)]);
    sandbox.write("dvc.lock", "{schema: '2.0', stages: {zz: {cmd: x}}}\n");
    sandbox.run_stage("a");
    let lock = LockFile::read(&sandbox.path("dvc.lock")).unwrap();
    assert_eq!(lock.stages().len(), 2, "{}", sandbox.read("dvc.lock"));
}

#[test]
fn a_broken_lock_names_its_line() {
    let sandbox = Sandbox::with(&[
        ("dvc.yaml", YAML),
        ("dvc.lock", "schema: '2.0'\nstages:\n  a: [\n"),
    ]);
    let error = LockFile::read(&sandbox.path("dvc.lock"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("dvc.lock is not valid YAML: line"),
        "{error}"
    );
    sandbox.write("dvc.lock", "schema: '9.0'\n");
    let error = LockFile::read(&sandbox.path("dvc.lock"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("schema '9.0' is not known"), "{error}");
}

#[test]
fn stages_that_end_together_lose_no_record() {
    let sandbox = Sandbox::bare(&[(
        "dvc.yaml",
        "stages:\n  s:\n    foreach: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]\n    do:\n      cmd: echo ${item} > o${item}\n      outs: ['o${item}']\n",
    )]);
    let pipeline = sandbox.pipeline();
    std::thread::scope(|scope| {
        for stage in pipeline.stages() {
            let sandbox = &sandbox;
            scope.spawn(move || sandbox.run_stage(&stage.address));
        }
    });
    let lock = LockFile::read(&sandbox.path("dvc.lock")).unwrap();
    assert_eq!(lock.stages().len(), 12);
    assert_eq!(sandbox.our_status(), serde_json::json!({}));
}

#[test]
fn thousands_of_stages_are_read_and_planned_quickly() {
    let items: Vec<String> = (0..3000).map(|n| n.to_string()).collect();
    let yaml = format!(
        "stages:\n  a:\n    foreach: [{0}]\n    do:\n      cmd: echo ${{item}}\n      outs: ['a/${{item}}']\n  b:\n    foreach: [{0}]\n    do:\n      cmd: echo ${{item}}\n      deps: ['a/${{item}}']\n      outs: ['b/${{item}}']\n",
        items.join(", ")
    );
    let sandbox = Sandbox::bare(&[("dvc.yaml", &yaml)]);
    let start = std::time::Instant::now();
    assert_eq!(sandbox.plan().len(), 6000);
    let took = start.elapsed();
    assert!(took.as_secs() < 20, "a debug build took {took:?}");
}
