//! The same project, run by us and by the real `dvc`: each must find the other's work done.

use lapwing_pipeline::Action;
use serde_json::json;

use crate::sandbox::Sandbox;

const THREE_STAGES: &[(&str, &str)] = &[
    ("data/raw/a.csv", "a,b\n1,2\n"),
    ("data/raw/b.csv", "a,b\n3,4\n"),
    (
        "params.yaml",
        "# how to train\nlr: 0.01\ntrain:\n  epochs: 3\n  flag: yes\n  tiny: 1e-5\n  nothing:\n",
    ),
    ("conf.toml", "[model]\ndepth = 3\n"),
    (
        "dvc.yaml",
        r#"
vars:
- word: hello
stages:
  clean:
    cmd: mkdir -p clean && cat data/raw/a.csv data/raw/b.csv > clean/all.csv && echo '${word}, this line is long enough that a writer folds it'
    deps: [data/raw]
    outs: [clean]
  train:
    cmd:
    - cp clean/all.csv model.bin
    - echo '{"train":{"auc":0.75,"n":3}}' > metrics.json
    deps: [clean]
    params: [lr, train, {conf.toml: [model.depth]}]
    outs: [model.bin]
    metrics:
    - metrics.json:
        cache: false
  evaluate:
    cmd: |
      cp metrics.json scores.json
      printf 'x,y\n1,2\n' > plot.csv
    deps: [model.bin, metrics.json]
    metrics: [scores.json]
    plots:
    - plot.csv: {x: x, y: y}
"#,
    ),
];

fn all(action: Action) -> Vec<(String, Action)> {
    ["clean", "train", "evaluate"]
        .map(|name| (name.to_owned(), action))
        .to_vec()
}

#[test]
fn what_we_ran_is_clean_for_dvc() {
    let sandbox = Sandbox::with(THREE_STAGES);
    assert_eq!(sandbox.run(), all(Action::Run));
    assert_eq!(sandbox.dvc_status(), json!({}));
    let dry = sandbox.dvc(&["repro", "--dry"]);
    assert!(!dry.contains("Running stage"), "{dry}");
    assert_eq!(
        sandbox.run(),
        all(Action::Skip),
        "nothing is left to do for us either"
    );
}

#[test]
fn what_dvc_ran_is_clean_for_us() {
    let sandbox = Sandbox::with(THREE_STAGES);
    sandbox.dvc(&["repro", "-q"]);
    assert_eq!(sandbox.plan(), all(Action::Skip));
    assert_eq!(sandbox.our_status(), json!({}));
}

#[test]
fn the_lock_reads_the_same_to_the_byte() {
    let ours = Sandbox::with(THREE_STAGES);
    ours.run();
    let theirs = Sandbox::with(THREE_STAGES);
    theirs.dvc(&["repro", "-q"]);
    assert_eq!(ours.read("dvc.lock"), theirs.read("dvc.lock"));
    assert_eq!(ours.read(".gitignore"), theirs.read(".gitignore"));
}

#[test]
fn status_says_what_dvc_says() {
    let sandbox = Sandbox::with(THREE_STAGES);
    assert_eq!(sandbox.our_status(), sandbox.dvc_status(), "before any run");
    sandbox.dvc(&["repro", "-q"]);
    type Edit = fn(&Sandbox);
    let edits: [(&str, Edit); 12] = [
        ("a param", |s| {
            s.write(
                "params.yaml",
                "lr: 0.02\ntrain: {epochs: 3, flag: yes, tiny: 1e-5, nothing: }\n",
            )
        }),
        ("equal params in other words", |s| {
            s.write(
                "params.yaml",
                "lr: 0.010\ntrain: {epochs: 3.0, flag: 'yes', tiny: 0.00001, nothing: null}\n",
            )
        }),
        ("a missing param", |s| {
            s.write("params.yaml", "train: {epochs: 3}\n")
        }),
        ("no params file", |s| s.remove("params.yaml")),
        ("a dependency", |s| s.write("data/raw/a.csv", "changed\n")),
        ("a file more", |s| s.write("data/raw/c.csv", "new\n")),
        ("an output", |s| {
            s.remove("model.bin");
            s.write("model.bin", "changed\n");
        }),
        ("no output", |s| s.remove("clean")),
        ("an uncached output", |s| s.write("metrics.json", "{}")),
        ("no dependency", |s| s.remove("data/raw")),
        ("a command", |s| {
            s.write(
                "dvc.yaml",
                &s.read("dvc.yaml").replace("cp clean", "cp  clean"),
            )
        }),
        ("frozen and always", |s| {
            s.write(
                "dvc.yaml",
                &s.read("dvc.yaml").replace(
                    "    deps: [clean]",
                    "    deps: [clean]\n    frozen: true\n    always_changed: true",
                ),
            )
        }),
    ];
    for (what, edit) in edits {
        let sandbox = Sandbox::with(THREE_STAGES);
        sandbox.dvc(&["repro", "-q"]);
        edit(&sandbox);
        assert_eq!(
            sandbox.our_status(),
            sandbox.dvc_status(),
            "after changing {what}"
        );
    }
}
