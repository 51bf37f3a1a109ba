//! What counts as a change of a run that began, and what does not.

use lapwing_pipeline::Sources;

use crate::sandbox::Sandbox;

const STAGES: &str = "stages:
  fit:
    cmd: sh fit.sh
    deps: [fit.sh, in]
    params: [rate]
    outs: [model]
    meta: {lapwing: {on: box}}
  score:
    cmd: wc -c < model > size
    deps: [model]
    outs: [size]
  report:
    cmd: cp notes page
    deps: [notes]
    outs: [page]
";

fn sandbox() -> Sandbox {
    Sandbox::bare(&[
        ("dvc.yaml", STAGES),
        ("params.yaml", "rate: 1\nother: 1\n"),
        ("fit.sh", "cp in model\n"),
        ("in", "1\n"),
        ("notes", "first\n"),
    ])
}

fn of(sandbox: &Sandbox, targets: &[&str]) -> Sources {
    let targets: Vec<String> = targets.iter().map(|&target| target.to_owned()).collect();
    Sources::of(&sandbox.pipeline(), &sandbox.project(), &targets).unwrap()
}

/// What an edit of a file is to a run with these targets.
fn changes(targets: &[&str], path: &str, from: &str, to: &str) -> Vec<String> {
    let sandbox = sandbox();
    let before = of(&sandbox, targets);
    let text = sandbox.read(path);
    assert!(text.contains(from), "{path} has no {from}");
    sandbox.write(path, &text.replace(from, to));
    before.changes(&of(&sandbox, targets))
}

#[test]
fn what_a_run_would_execute_is_named_when_it_changes() {
    let edits = [
        ("dvc.yaml", "wc -c", "wc -l", "stage `score` was edited"),
        ("dvc.yaml", "on: box", "on: other", "stage `fit` was edited"),
        ("dvc.yaml", "[fit.sh, in]", "[in]", "stage `fit` was edited"),
        (
            "dvc.yaml",
            "outs: [size]",
            "outs: [size, in2]",
            "stage `score` was edited",
        ),
        (
            "params.yaml",
            "rate: 1",
            "rate: 2",
            "parameter `rate` of params.yaml was edited",
        ),
        ("fit.sh", "cp in", "cat in >", "`fit.sh` was edited"),
        ("in", "1", "2", "`in` was edited"),
    ];
    for (path, from, to, said) in edits {
        let changes = changes(&["score"], path, from, to);
        assert!(changes.contains(&said.to_owned()), "{from}: {changes:?}");
    }
}

#[test]
fn what_a_run_would_not_execute_is_no_change() {
    let edits = [
        ("dvc.yaml", "cp notes page", "mv notes page"),
        (
            "dvc.yaml",
            "cmd: sh fit.sh",
            "desc: Fits\n    cmd: sh fit.sh",
        ),
        (
            "dvc.yaml",
            "stages:",
            "# A comment\nstages:\n  more: {cmd: date > now, outs: [now]}",
        ),
        ("params.yaml", "other: 1", "other: 2"),
        ("notes", "first", "second"),
    ];
    for (path, from, to) in edits {
        assert_eq!(changes(&["score"], path, from, to), [""; 0], "{from}");
    }
}

#[test]
fn a_run_of_everything_hears_of_every_stage() {
    let more = "stages:\n  more: {cmd: date > now, outs: [now]}";
    let new = changes(&[], "dvc.yaml", "stages:", more);
    assert_eq!(new, ["stage `more` is new"]);
    let other = changes(&[], "dvc.yaml", "  report:", "  paper:");
    assert_eq!(other, ["stage `paper` is new", "stage `report` is gone"]);
}

#[test]
fn what_a_stage_of_the_run_makes_is_no_source() {
    let sandbox = sandbox();
    let before = of(&sandbox, &[]);
    sandbox.write("model", "made\n");
    assert_eq!(before.changes(&of(&sandbox, &[])), [""; 0]);
    sandbox.remove("in");
    assert_eq!(before.changes(&of(&sandbox, &[])), ["`in` is gone"]);
}

#[test]
fn what_a_frozen_stage_once_made_is_a_source() {
    let sandbox = sandbox();
    let frozen = STAGES.replace("cmd: sh fit.sh", "frozen: true\n    cmd: sh fit.sh");
    sandbox.write("dvc.yaml", &frozen);
    sandbox.write("model", "made\n");
    let before = of(&sandbox, &["score"]);
    sandbox.write("in", "not read by this run\n");
    assert_eq!(before.changes(&of(&sandbox, &["score"])), [""; 0]);
    sandbox.write("model", "edited\n");
    assert_eq!(
        before.changes(&of(&sandbox, &["score"])),
        ["`model` was edited"]
    );
}

#[test]
fn sources_are_the_same_after_they_were_written_and_read() {
    let now = of(&sandbox(), &[]);
    let text = serde_json::to_string(&now).unwrap();
    assert_eq!(serde_json::from_str::<Sources>(&text).unwrap(), now);
}
