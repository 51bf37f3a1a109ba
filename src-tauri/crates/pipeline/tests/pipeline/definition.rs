//! A mistake in a pipeline is named by file, line, stage and key, and what was probably meant.

use lapwing_pipeline::{Pipeline, PlanOptions, metrics, plan, prepare};

use crate::sandbox::Sandbox;

/// The error for a `dvc.yaml`: its sentence, and its hint if there is one.
fn mistake(yaml: &str) -> String {
    let sandbox = Sandbox::bare(&[
        ("dvc.yaml", yaml),
        ("params.yaml", "lr: 0.1\nlist: [1, 2]\n"),
    ]);
    let report = Pipeline::read(&sandbox.project()).unwrap_err().report();
    match report.hint {
        Some(hint) => format!("{} ({hint})", report.message),
        None => report.message,
    }
}

#[test]
fn mistakes_are_named() {
    let cases = [
        ("stages:\n  a: [\n", "dvc.yaml is not valid YAML: line"),
        (
            "stages:\n  a:\n    cmd: x\n  a:\n    cmd: y\n",
            "dvc.yaml is not valid YAML: line 4: the key 'a' appears twice",
        ),
        (
            "stage:\n  a: {cmd: x}\n",
            "dvc.yaml, line 1: the file: 'stage' is not a known key; did you mean 'stages'?",
        ),
        (
            "stages:\n  a:\n    cmd: x\n    dep: [y]\n",
            "dvc.yaml, line 4: stages.a: 'dep' is not a known key; did you mean 'deps'?",
        ),
        (
            "stages:\n  a:\n    deps: [y]\n",
            "dvc.yaml, line 2: stages.a: a stage needs a 'cmd'",
        ),
        (
            "stages:\n  a:\n    cmd: x\n    deps: y\n",
            "dvc.yaml, line 4: stages.a.deps: expected a list of paths, found a string",
        ),
        (
            "stages:\n  a:\n    cmd: x\n    outs:\n    - y: {cach: false}\n",
            "dvc.yaml, line 4: stages.a.outs: 'cach' is not a flag of an output; did you mean 'cache'?",
        ),
        (
            "stages:\n  a:\n    cmd: x ${lrr}\n",
            "dvc.yaml, line 3: stages.a.cmd: could not find 'lrr'",
        ),
        (
            "stages:\n  a:\n    cmd: x ${list}\n",
            "dvc.yaml, line 3: stages.a.cmd: '${list}' is a list, but only one value fits here",
        ),
        (
            "stages:\n  a:\n    cmd: x ${lr.}\n",
            "dvc.yaml, line 3: stages.a.cmd: '${lr.}' is not a name",
        ),
        (
            "vars:\n- lr: 3\nstages: {}\n",
            "dvc.yaml, line 1: vars: cannot redefine 'lr' from 'vars[0]': it already exists in 'params.yaml'",
        ),
        (
            "vars: [none.yaml]\n",
            "dvc.yaml, line 1: vars: 'none.yaml' does not exist",
        ),
        (
            "stages:\n  a:\n    foreach: ${lr}\n    do: {cmd: x}\n",
            "dvc.yaml, line 3: stages.a.foreach: expected a list or a mapping, found a number",
        ),
        (
            "stages:\n  a:\n    foreach: [1]\n    cmd: x\n",
            "dvc.yaml, line 4: stages.a: 'cmd' cannot stand beside 'foreach'; put it into 'do'",
        ),
        (
            "stages:\n  a: {cmd: x, outs: [o]}\n  b: {cmd: x, outs: [./o]}\n",
            "o is an output of both `a` and `b` (give each stage its own output path)",
        ),
        (
            "stages:\n  a: {cmd: x, outs: [o]}\n  b: {cmd: x, outs: [o/p]}\n",
            "output o/p of `b` lies inside output o of `a` (give each stage its own output path)",
        ),
        (
            "stages:\n  a: {cmd: x, deps: [o], outs: [o]}\n",
            "stage `a` both reads and makes o",
        ),
        (
            "stages:\n  a: {cmd: x, deps: [p], outs: [o]}\n  b: {cmd: x, deps: [o/in], outs: [p]}\n",
            "stages form a circle: b -> a -> b (take one of these dependencies out of dvc.yaml)",
        ),
        (
            "stages:\n  a: {cmd: x, outs: [.]}\n",
            "stage `a` cannot use .: an output cannot hold the pipeline file of its stage",
        ),
        (
            "stages:\n  a: {cmd: x, outs: [.git/hooks]}\n",
            "stage `a` cannot use .git/hooks: this place belongs to git or DVC",
        ),
    ];
    for (yaml, message) in cases {
        let said = mistake(yaml);
        assert!(
            said.starts_with(message),
            "{yaml}\n  said: {said}\n  not:  {message}"
        );
    }
}

#[test]
fn an_unknown_stage_suggests_the_nearest() {
    let sandbox = Sandbox::bare(&[(
        "dvc.yaml",
        "stages:\n  train: {cmd: x, outs: [o]}\n  each:\n    foreach: [a, b]\n    do: {cmd: y}\n",
    )]);
    let pipeline = sandbox.pipeline();
    let report = pipeline.find("trian").unwrap_err().report();
    assert_eq!(
        (report.name.as_str(), report.hint.as_deref()),
        (
            "pipeline.unknown_stage",
            Some("did you mean `train`? Stages: `train`, `each@a`, `each@b`")
        )
    );
    let report = pipeline.find("something").unwrap_err().report();
    assert_eq!(
        report.hint.as_deref(),
        Some("stages: `train`, `each@a`, `each@b`")
    );
    let names = |target: &str| -> Vec<String> {
        pipeline
            .find(target)
            .unwrap()
            .iter()
            .map(|stage| stage.address.clone())
            .collect()
    };
    assert_eq!(names("each"), ["each@a", "each@b"]);
    assert_eq!(names("each@b"), ["each@b"]);
    assert_eq!(names("o"), ["train"]);
    assert_eq!(names("dvc.yaml").len(), 3);
    assert_eq!(names("dvc.yaml:train"), ["train"]);
}

#[test]
fn reasons_read_as_sentences() {
    let sandbox = Sandbox::bare(&[
        ("in", "1"),
        ("params.yaml", "train: {lr: 0.01, name: a}\n"),
        (
            "dvc.yaml",
            "stages:\n  train: {cmd: cp in out, deps: [in], params: [train.lr, train.name], outs: [out]}\n  next: {cmd: cp out end, deps: [out], outs: [end]}\n",
        ),
    ]);
    let reasons = || -> Vec<String> {
        let plan = plan(
            &sandbox.pipeline(),
            &sandbox.project(),
            &PlanOptions::default(),
        )
        .unwrap();
        plan.steps
            .iter()
            .flat_map(|step| {
                step.reasons
                    .iter()
                    .map(|reason| format!("{}: {reason}", step.stage))
            })
            .collect()
    };
    assert_eq!(
        reasons(),
        ["train: it has not run yet", "next: it has not run yet"]
    );
    sandbox.run();
    assert_eq!(reasons(), [""; 0]);
    sandbox.write("params.yaml", "train: {lr: 0.02, name: [b]}\n");
    sandbox.write("in", "2");
    assert_eq!(
        reasons(),
        [
            "train: dependency in changed",
            "train: params.yaml: train.lr changed from 0.01 to 0.02",
            "train: params.yaml: train.name changed from a to [\"b\"]",
            "next: `train` runs before it",
        ]
    );
    sandbox.remove("in");
    assert!(reasons()[0].ends_with("dependency in is missing"));
    let project = sandbox.project();
    let pipeline = sandbox.pipeline();
    let error = prepare(&project, pipeline.stage("train").unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "stage `train` needs in, which does not exist"
    );
    assert!(
        sandbox.path("out").exists(),
        "nothing is deleted before the inputs are there"
    );
}

#[test]
fn metrics_are_numbers_by_name() {
    let sandbox = Sandbox::bare(&[
        (
            "m.json",
            r#"{"test": {"auc": 0.75, "n": 3, "ok": true, "name": "x"}, "per_class": [0.5, {"a": 1}]}"#,
        ),
        ("top.yaml", "loss: 1e-5\n"),
        (
            "dvc.yaml",
            "metrics: [top.yaml]\nplots: [p.csv, {roc: {x: fpr, y: {roc.csv: tpr}}}]\nstages:\n  a: {cmd: x, metrics: [m.json, none.json], plots: [q.csv]}\n",
        ),
    ]);
    let pipeline = sandbox.pipeline();
    let found: Vec<(String, String, f64)> = metrics(&pipeline)
        .unwrap()
        .into_iter()
        .map(|m| (m.file, m.key, m.value))
        .collect();
    let named = |file: &str, key: &str, value| (file.to_owned(), key.to_owned(), value);
    assert_eq!(
        found,
        [
            named("m.json", "test.auc", 0.75),
            named("m.json", "test.n", 3.0),
            named("m.json", "per_class.0", 0.5),
            named("m.json", "per_class.1.a", 1.0),
            named("top.yaml", "loss", 1e-5),
        ]
    );
    assert_eq!(
        lapwing_pipeline::plot_files(&pipeline),
        ["q.csv", "p.csv", "roc.csv"]
    );
}

#[test]
fn nothing_outside_the_project_is_deleted() {
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("precious");
    std::fs::write(&victim, "1").unwrap();
    let yaml = format!(
        "stages:\n  a: {{cmd: x, outs: [{}: {{cache: false}}]}}\n  b: {{cmd: x, outs: [link/precious: {{cache: false}}]}}\n",
        victim.display()
    );
    let sandbox = Sandbox::bare(&[("dvc.yaml", &yaml)]);
    std::os::unix::fs::symlink(outside.path(), sandbox.path("link")).unwrap();
    let (project, pipeline) = (sandbox.project(), sandbox.pipeline());
    for name in ["a", "b"] {
        let error = prepare(&project, pipeline.stage(name).unwrap()).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("outputs outside the project are not touched"),
            "{error}"
        );
    }
    assert!(victim.exists());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_is_too_odd_to_be_read(
        lines in proptest::collection::vec("( {0,3})(stages|a|cmd|foreach|matrix|do|deps|outs|vars|params|- x|- |item|cache)?(:)?( )?([${}a-c.\\[\\]0-9 &*]{0,8})", 0..12)
    ) {
        let sandbox = Sandbox::bare(&[("dvc.yaml", &lines.join("\n"))]);
        if let Err(error) = Pipeline::read(&sandbox.project()) {
            proptest::prop_assert!(!error.report().message.is_empty());
        }
    }
}

#[test]
fn numbers_that_only_python_writes_are_read() {
    let sandbox = Sandbox::bare(&[
        (
            "m.json",
            "{\"a \\\"NaN\\\"\": 1, \"nan\": NaN, \"inf\": -Infinity,\n\t\"auc\": 0.5}",
        ),
        (".gitignore", "*.yaml\n"),
        ("dvc.yaml", "stages:\n  a: {cmd: x, metrics: [m.json]}\n"),
    ]);
    let found = metrics(&sandbox.pipeline()).unwrap();
    let value = |key: &str| found.iter().find(|metric| metric.key == key).unwrap().value;
    assert_eq!(value("auc"), 0.5);
    assert_eq!(value("inf"), f64::NEG_INFINITY);
    assert!(value("nan").is_nan());
    assert_eq!(value("a \"NaN\""), 1.0);
    sandbox.write("m.json", "{\"a\": }");
    let error = metrics(&sandbox.pipeline()).unwrap_err().to_string();
    assert!(
        error.contains("m.json is not valid JSON: line 1"),
        "{error}"
    );
}

#[test]
fn an_output_that_a_dvc_file_tracks_is_refused() {
    const TRACKED: &str = "outs:\n- md5: 0cc175b9c0f1b6a831c399e269772661\n  path: data\n";
    for (out, refused) in [
        ("data", true),
        ("data/part", true),
        ("data2", false),
        ("other", false),
    ] {
        let yaml = format!("stages:\n  a: {{cmd: make, outs: [{out}]}}\n");
        let sandbox = Sandbox::bare(&[("dvc.yaml", &yaml), ("data.dvc", TRACKED)]);
        let read = Pipeline::read(&sandbox.project());
        assert_eq!(read.is_err(), refused, "{out}");
        if let Err(error) = read {
            let said = error.to_string();
            assert!(said.contains("data.dvc") && said.contains("`a`"), "{said}");
        }
    }
    let inner = "outs:\n- md5: 0cc175b9c0f1b6a831c399e269772661\n  path: in\n";
    let yaml = "stages:\n  a: {cmd: make, outs: [made]}\n";
    let sandbox = Sandbox::bare(&[("dvc.yaml", yaml), ("made/in.dvc", inner)]);
    assert!(
        Pipeline::read(&sandbox.project()).is_err(),
        "the stage deletes its output before it runs"
    );
}
