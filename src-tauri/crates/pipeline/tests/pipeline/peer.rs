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

/// Every run-cache entry: path below `runs` with content.
fn runs(sandbox: &Sandbox) -> Vec<(String, String)> {
    let top = sandbox.path(".dvc/cache/runs");
    let mut found = Vec::new();
    let mut folders = vec![top.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&top).unwrap().display().to_string();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_run_cache_is_the_same_to_the_byte() {
    let ours = Sandbox::with(THREE_STAGES);
    ours.run();
    let theirs = Sandbox::with(THREE_STAGES);
    theirs.dvc(&["repro", "-q"]);
    assert_eq!(runs(&ours).len(), 3);
    assert_eq!(runs(&ours), runs(&theirs));
}

#[test]
fn a_parameter_called_size_counts_though_dvc_overlooks_it() {
    let stage =
        "stages:\n  a: {cmd: cp params.yaml out, deps: [in], params: [size], outs: [out]}\n";
    let files = [
        ("in", "x\n"),
        ("params.yaml", "size: 1\n"),
        ("dvc.yaml", stage),
    ];
    let ours = Sandbox::with(&files);
    let theirs = Sandbox::with(&files);
    ours.run();
    theirs.dvc(&["repro", "-q"]);
    for sandbox in [&ours, &theirs] {
        sandbox.write("params.yaml", "size: 2\n");
    }
    theirs.dvc(&["repro", "-q"]);
    assert_eq!(
        theirs.read("out"),
        "size: 1\n",
        "when this fails, DVC has mended it"
    );
    assert_eq!(ours.run(), [("a".to_owned(), Action::Run)]);
    assert_eq!(ours.read("out"), "size: 2\n");
    for size in [1, 2] {
        let text = format!("size: {size}\n");
        ours.write("params.yaml", &text);
        ours.run();
        assert_eq!(ours.read("out"), text);
    }
    assert_eq!(ours.dvc_status(), json!({}));
    assert_eq!(runs(&ours).len(), 2, "both are kept");
}

/// Takes away all that a run left except the cache.
fn forget(sandbox: &Sandbox) {
    for path in [
        "dvc.lock",
        "clean",
        "model.bin",
        "metrics.json",
        "scores.json",
        "plot.csv",
    ] {
        sandbox.remove(path);
    }
}

#[test]
fn dvc_takes_up_our_run() {
    let sandbox = Sandbox::with(THREE_STAGES);
    sandbox.run();
    let lock = sandbox.read("dvc.lock");
    forget(&sandbox);
    let said = sandbox.dvc(&["repro"]);
    assert!(!said.contains("Running stage"), "{said}");
    assert_eq!(sandbox.read("dvc.lock"), lock);
    assert_eq!(sandbox.our_status(), json!({}));
}

#[test]
fn we_take_up_the_run_of_dvc() {
    let sandbox = Sandbox::with(THREE_STAGES);
    sandbox.dvc(&["repro", "-q"]);
    let lock = sandbox.read("dvc.lock");
    forget(&sandbox);
    assert_eq!(
        sandbox.plan(),
        all(Action::Restore),
        "one restored stage is known to feed the next"
    );
    assert_eq!(sandbox.run(), all(Action::Restore));
    assert_eq!(sandbox.read("dvc.lock"), lock);
    assert_eq!(sandbox.dvc_status(), json!({}));
    assert_eq!(
        sandbox.read("metrics.json"),
        "{\"train\":{\"auc\":0.75,\"n\":3}}\n"
    );
}

#[test]
fn a_lost_output_comes_back_without_a_run() {
    let sandbox = Sandbox::with(THREE_STAGES);
    sandbox.run();
    sandbox.remove("clean");
    let named = |actions: [Action; 3]| -> Vec<(String, Action)> {
        all(Action::Skip)
            .into_iter()
            .zip(actions)
            .map(|((name, _), action)| (name, action))
            .collect()
    };
    let expected = named([Action::Restore, Action::Skip, Action::Skip]);
    assert_eq!(sandbox.plan(), expected);
    assert_eq!(sandbox.run(), expected);
    assert_eq!(sandbox.dvc_status(), json!({}));
}

#[test]
fn a_stage_that_makes_the_same_again_stops_the_chain() {
    let sandbox = Sandbox::with(THREE_STAGES);
    sandbox.run();
    let yaml = sandbox
        .read("dvc.yaml")
        .replace("echo '${word}", "echo 'again ${word}");
    sandbox.write("dvc.yaml", &yaml);
    assert_eq!(
        sandbox.plan(),
        all(Action::Run),
        "before it ran nobody knows"
    );
    let done = sandbox.run();
    assert_eq!(done[0].1, Action::Run);
    assert_eq!(done[1].1, Action::Skip, "its output is the same as before");
    assert_eq!(sandbox.dvc_status(), json!({}));
}

#[test]
fn folders_below_the_root_have_pipelines_of_their_own() {
    let sandbox = Sandbox::with(&[
        ("in.txt", "hello\n"),
        (
            "dvc.yaml",
            "stages:\n  first:\n    cmd: cp in.txt sub/mid.txt\n    deps: [in.txt]\n    outs: [sub/mid.txt]\n",
        ),
        ("sub/work/keep", ""),
        ("sub/params.yaml", "n: 1\n"),
        (
            "sub/dvc.yaml",
            "stages:\n  second:\n    cmd: cp ../mid.txt out.txt; echo $DVC_STAGE $(basename $PWD) > env.txt\n    wdir: work\n    deps: [../mid.txt]\n    params: [../params.yaml: [n]]\n    outs: [out.txt, env.txt]\n",
        ),
    ]);
    let pipeline = sandbox.pipeline();
    assert_eq!(pipeline.edges(), [("first", "sub/dvc.yaml:second")]);
    sandbox.run_stage("first");
    sandbox.run_stage("sub/dvc.yaml:second");
    assert_eq!(
        sandbox.read("sub/work/env.txt"),
        "sub/dvc.yaml:second work\n"
    );
    assert_eq!(sandbox.dvc_status(), json!({}));
    sandbox.write("in.txt", "changed\n");
    sandbox.write("sub/params.yaml", "n: 2\n");
    assert_eq!(sandbox.our_status(), sandbox.dvc_status());
    sandbox.dvc(&["repro", "-q", "-P"]);
    assert_eq!(sandbox.our_status(), json!({}));
}

#[test]
fn odd_files_are_recorded_as_dvc_does() {
    let files: &[(&str, &str)] = &[
        ("run.sh", "#!/bin/sh\necho hi\n"),
        ("üml/data file.txt", "x\n"),
        (
            "settings.py",
            "lr = 0.1\nnames = ['a', 'b']\nclass Model:\n    depth = 3\n    def __init__(self):\n        self.width = 1e-3\n",
        ),
        (
            "conf.json",
            "{\"big\": 12345678901234567890, \"f\": 1.0, \"list\": [1, null, true]}",
        ),
        (
            "dvc.yaml",
            "stages:\n  odd:\n    cmd: sh run.sh > exe && chmod +x exe && mkdir -p empty d && touch 'd/ü f'\n    deps: [run.sh, üml]\n    params: [settings.py: [lr, names, Model], conf.json: ]\n    outs: [exe, empty/, d/, kept: {persist: true}]\n",
        ),
        ("kept", "kept\n"),
    ];
    let make = || {
        let sandbox = Sandbox::with(files);
        std::process::Command::new("chmod")
            .arg("+x")
            .arg(sandbox.path("run.sh"))
            .status()
            .unwrap();
        sandbox
    };
    let (ours, theirs) = (make(), make());
    assert_eq!(ours.run(), [("odd".to_owned(), Action::Run)]);
    theirs.dvc(&["repro", "-q"]);
    assert_eq!(ours.read("dvc.lock"), theirs.read("dvc.lock"));
    assert_eq!(ours.dvc_status(), json!({}));
    assert_eq!(ours.read("kept"), "kept\n");
}

#[test]
fn links_into_the_cache_are_made_and_broken_as_configured() {
    for kind in ["hardlink", "symlink"] {
        let sandbox = Sandbox::with(THREE_STAGES);
        sandbox.dvc(&["config", "cache.type", kind]);
        sandbox.run();
        let readonly = std::fs::metadata(sandbox.path("model.bin"))
            .unwrap()
            .permissions()
            .readonly();
        assert!(readonly, "{kind}: an output is the cache's object");
        let metrics = std::fs::symlink_metadata(sandbox.path("metrics.json")).unwrap();
        assert!(
            !metrics.is_symlink() && !metrics.permissions().readonly(),
            "git's file is a file"
        );
        assert_eq!(sandbox.dvc_status(), json!({}));
        forget(&sandbox);
        assert_eq!(sandbox.run(), all(Action::Restore));
        let metrics = std::fs::symlink_metadata(sandbox.path("metrics.json")).unwrap();
        assert!(!metrics.is_symlink() && !metrics.permissions().readonly());
        assert_eq!(sandbox.dvc_status(), json!({}));
    }
}

#[test]
fn the_lock_of_dvc_is_respected() {
    let sandbox = Sandbox::with(THREE_STAGES);
    sandbox.run();
    let held = std::fs::File::options()
        .create(true)
        .append(true)
        .open(sandbox.path(".dvc/tmp/lock"))
        .unwrap();
    held.lock().unwrap();
    let refused = sandbox.try_dvc(&["repro"]);
    assert!(
        !refused.status.success(),
        "dvc and we must mean the same lock"
    );
}

#[test]
fn frozen_and_legacy_records_are_understood() {
    let sandbox = Sandbox::with(&[
        ("in.csv", "a\r\nb\r\n"),
        (
            "dvc.yaml",
            "stages:\n  s: {cmd: cp in.csv out.csv, deps: [in.csv], outs: [out.csv: {cache: false}]}\n",
        ),
    ]);
    sandbox.write("out.csv", "a\nb\n");
    // As DVC 2 wrote it: no `hash`, line ends folded (the id of "a\nb\n").
    let id = "dd8c6a395b5dd36c56d23275028f526c";
    sandbox.write(
        "dvc.lock",
        &format!("schema: '2.0'\nstages:\n  s:\n    cmd: cp in.csv out.csv\n    deps:\n    - path: in.csv\n      md5: {id}\n      size: 6\n    outs:\n    - path: out.csv\n      md5: {id}\n      size: 4\n"),
    );
    assert_eq!(
        sandbox.dvc_status(),
        json!({}),
        "the fixture is one that dvc reads"
    );
    assert_eq!(sandbox.our_status(), json!({}));
    sandbox.write("in.csv", "a\r\nc\r\n");
    assert_eq!(sandbox.our_status(), sandbox.dvc_status());
}

#[test]
fn python_files_give_the_constants_that_dvc_sees() {
    let module = r#"
"""Doc = 'not a constant'"""
import os
LR = 1e-3  # comment = 3
NEGATIVE = -5
BIG = 1_000_000
NAME: str = "it's \"quoted\" # no comment"
EMPTY: int
COMPUTED = os.path.join("a", "b")
SUM = 1 + 2
LAYERS = [
    64, 32,  # inner
    [16],
]
MAP = {
    "a": 1, 'b': [1, 2.5, None, True],
    "c": {"deep": "x"},
}
if LR > 0:
    HIDDEN = 1
A = B = 2
X, Y = 1, 2
TEXT = """two
lines"""

class Train:
    """Doc"""
    epochs = 3
    class Inner:
        depth = 4
    def __init__(self, size=7):
        self.width = 128
        local = 5
        self.other = size
    def method(self):
        self.ignored = 1

def function():
    inside = 1
LAST = 'end'
"#;
    let sandbox = Sandbox::with(&[
        ("settings.py", module),
        (
            "dvc.yaml",
            "stages:\n  s:\n    cmd: echo\n    params:\n    - settings.py:\n",
        ),
    ]);
    sandbox.dvc(&["repro", "-q"]);
    let stage = sandbox.pipeline().stage("s").unwrap().clone();
    let lock = lapwing_pipeline::LockFile::read(&sandbox.path("dvc.lock"))
        .unwrap()
        .stage("s")
        .unwrap();
    let theirs: Vec<(String, String)> = lock
        .params_of("settings.py")
        .unwrap()
        .iter()
        .map(|(key, value)| (key.clone(), value.to_python_json()))
        .collect();
    let mut ours: Vec<(String, String)> = lapwing_pipeline::params(sandbox.root(), &stage).unwrap()
        [0]
    .values
    .iter()
    .map(|(key, value)| (key.clone(), value.to_python_json()))
    .collect();
    ours.sort();
    assert_eq!(ours, theirs);
}
