//! The real Airflow is the judge of what is written for it; Python's own parser of every text in it.

use std::{path::Path, process::Command};

use lapwing_pipeline::{
    Pipeline, Value,
    export::{self, Export, ExportOptions},
};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use serde_json::json;

use crate::sandbox::Sandbox;

const CHECK: &str = include_str!("check_dag.py");

fn options(root: &Path) -> ExportOptions {
    ExportOptions {
        name: "tiny".to_owned(),
        root: root.display().to_string(),
        ..ExportOptions::default()
    }
}

fn airflow(sandbox: &Sandbox) -> Export {
    export::airflow(&sandbox.pipeline(), &options(sandbox.root())).unwrap()
}

/// An Airflow with a home of its own beside the project.
struct Airflow {
    home: tempfile::TempDir,
}

impl Airflow {
    fn new() -> Self {
        let airflow = Self {
            home: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(airflow.home.path().join("dags")).unwrap();
        airflow
    }

    fn run(&self, program: &str, args: &[&str]) -> (bool, String) {
        let venv = std::env::var_os("LAPWING_TEST_AIRFLOW").expect(
            "LAPWING_TEST_AIRFLOW must name the Python environment with airflow; `make test` sets it",
        );
        let bin = Path::new(&venv).join("bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(bin.clone()).chain(std::env::split_paths(&path));
        let output = Command::new(bin.join(program))
            .args(args)
            .current_dir(self.home.path())
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env("AIRFLOW_HOME", self.home.path())
            .env("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
            .env("AIRFLOW__CORE__DAGS_FOLDER", self.home.path().join("dags"))
            .env("AIRFLOW__CORE__UNIT_TEST_MODE", "False")
            .env_remove("LAPWING_PROJECT")
            .output()
            .unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status.success(), text)
    }

    fn must(&self, program: &str, args: &[&str]) -> String {
        let (succeeded, text) = self.run(program, args);
        assert!(succeeded, "{program} {args:?}: {text}");
        text
    }

    /// Writes the DAG and lets Airflow carry it out in this process, to the end; answers the log, which says how it ended.
    fn test(&self, export: &Export, conf: &serde_json::Value) -> String {
        let id = export.file.strip_suffix(".py").unwrap();
        std::fs::write(
            self.home.path().join("dags").join(&export.file),
            &export.text,
        )
        .unwrap();
        self.must("airflow", &["db", "migrate"]);
        let bag = self.must(
            "python",
            &["-c", "from airflow.dag_processing.dagbag import DagBag; import json; bag = DagBag(); print('BAG', json.dumps([bag.import_errors, sorted(bag.dags)]))"],
        );
        assert!(
            bag.contains(&format!(
                "BAG {}",
                json!([{}, [id]]).to_string().replace(',', ", ")
            )),
            "{bag}"
        );
        self.run(
            "airflow",
            &["dags", "test", id, "--conf", &conf.to_string()],
        )
        .1
    }
}

const HARD: &str = r#"
stages:
  first:
    foreach: [one]
    do:
      desc: "reads {{ nothing }} \"and\" is no file.md"
      cmd: |
        printf '%s\n' '{{ ds }} {% raw %} {# no comment #} {{{' "it's \"quoted\"" > 'out dir/brace.txt'
        cd / && X=lost
        printf '%s' "${X-kept} $DVC_STAGE é 100%" > two.txt
      outs: ['out dir/brace.txt', two.txt]
      params: [rate, nested.list, other.json: [deep.name]]
  second:
    wdir: sub
    cmd: cat two.txt ../two.txt > joined.txt; echo true > run.sh; cat ../params.yaml ../other.json > seen.txt; sh run.sh
    deps: [../two.txt]
    outs: [joined.txt, run.sh, seen.txt]
"#;

const HARD_PARAMS: &str =
    "# how fast\nrate: 1e-3 # per step\nnested: {list: [1, 2], text: \"a: b\"}\n";

fn hard() -> Sandbox {
    Sandbox::bare(&[
        ("dvc.yaml", &HARD.replace("${", "\\${")),
        ("params.yaml", HARD_PARAMS),
        ("other.json", "{\"deep\": {\"name\": \"x\"}}\n"),
        ("sub/two.txt", "sub "),
        ("two.txt", "stale, and must go before the stage runs"),
    ])
}

#[test]
fn airflow_runs_the_stages_to_the_end_and_makes_what_dvc_makes() {
    let ours = hard();
    ours.run_stage("first@one");
    ours.run_stage("second");
    let theirs = hard();
    let log = Airflow::new().test(&airflow(&theirs), &json!({}));
    assert!(log.contains("state=success"), "{log}");
    for path in [
        "out dir/brace.txt",
        "two.txt",
        "sub/joined.txt",
        "sub/run.sh",
        "sub/seen.txt",
    ] {
        assert_eq!(theirs.read(path), ours.read(path), "{path}");
    }
    assert_eq!(
        theirs.read("params.yaml"),
        HARD_PARAMS,
        "nothing was changed"
    );
}

#[test]
fn a_run_of_airflow_takes_the_parameters_that_it_is_started_with() {
    let sandbox = hard();
    let conf = json!({"rate": 0.000_02, "nested.list": [3], "other.json:deep.name": "\"y\"é"});
    let log = Airflow::new().test(&airflow(&sandbox), &conf);
    assert!(log.contains("state=success"), "{log}");
    assert_eq!(
        sandbox.read("sub/seen.txt"),
        "# how fast\nrate: 2.0e-05 # per step\nnested: {list: [3], text: \"a: b\"}\n{\"deep\": {\"name\": \"\\\"y\\\"é\"}}\n",
        "comments and layout stay"
    );
    let read = Value::from_yaml(&sandbox.read("params.yaml")).unwrap();
    assert_eq!(read.at("rate"), Some(&Value::Float(2e-5)));
}

#[test]
fn a_failing_line_ends_the_stage_and_the_run() {
    let sandbox = Sandbox::bare(&[(
        "dvc.yaml",
        "stages:\n  a:\n    cmd: [\"exit 99\", touch second.txt]\n  b:\n    cmd: touch b.txt\n    deps: [x]\n    outs: [b.txt]\n",
    )]);
    let log = Airflow::new().test(&airflow(&sandbox), &json!({}));
    assert!(
        log.contains("state=failed"),
        "99 is a failure, not a skip: {log}"
    );
    assert!(!sandbox.path("second.txt").exists());
}

#[test]
fn a_stage_with_an_image_runs_in_its_container() {
    let image = std::env::var("LAPWING_TEST_DOCKER")
        .expect("LAPWING_TEST_DOCKER must name an image; `make test` sets it");
    let text = format!(
        "stages:\n  inside:\n    cmd:\n    - echo '{{{{ ds }}}}' > made.sh\n    - test -f /.dockerenv && cat made.sh > inside.txt && echo x.sh\n    outs: [made.sh, inside.txt]\n    meta: {{lapwing: {{image: '{image}', memory_gib: 0.25, cpus: 0.5, retries: 0, timeout_minutes: 5}}}}\n"
    );
    let sandbox = Sandbox::bare(&[("dvc.yaml", &text)]);
    let log = Airflow::new().test(&airflow(&sandbox), &json!({}));
    assert!(log.contains("state=success"), "{log}");
    assert_eq!(sandbox.read("inside.txt"), "{{ ds }}\n");
}

#[test]
fn what_airflow_cannot_do_is_said() {
    let sandbox = Sandbox::bare(&[
        (
            "dvc.yaml",
            "stages:\n  a:\n    cmd: echo ${size}\n    params: [size, rate]\n    outs: [a.txt]\n  old:\n    cmd: x\n    frozen: true\n  b:\n    cmd: x\n    params: [conf.toml: [y]]\n",
        ),
        ("params.yaml", "size: 3\nrate: 0.5\n"),
        ("conf.toml", "y = 1\n"),
    ]);
    let export = airflow(&sandbox);
    insta::assert_snapshot!(export.notes.join("\n"), @r"
    `old` is frozen: it is left out, and what it made must be there already
    size of params.yaml cannot be set for one run: dvc.yaml uses it in `${…}`, and the export has today's value
    conf.toml is used as it is: only values in YAML and JSON can be set for one run
    ");
    assert!(!export.text.contains("'size'"), "it stands in the command");
    assert!(export.text.contains("'rate': Param(0.5"));
    assert!(!export.text.contains("stages['old']"));
}

#[test]
fn an_output_outside_the_project_is_refused() {
    let sandbox = Sandbox::bare(&[(
        "dvc.yaml",
        "stages:\n  a:\n    cmd: x\n    outs: [../../etc]\n",
    )]);
    let error = export::airflow(&sandbox.pipeline(), &options(sandbox.root())).unwrap_err();
    assert_eq!(error.report().name, "pipeline.unsupported_path");
}

#[test]
fn settings_that_make_no_sense_name_their_stage() {
    for meta in [
        "{lapwing: {retries: -1}}",
        "{lapwing: {cpus: many}}",
        "{lapwing: {image: [a]}}",
        "{lapwing: 3}",
    ] {
        let text = format!("stages:\n  a:\n    cmd: x\n    meta: {meta}\n");
        let sandbox = Sandbox::bare(&[("dvc.yaml", &text)]);
        let error = export::airflow(&sandbox.pipeline(), &options(sandbox.root())).unwrap_err();
        assert!(error.to_string().contains("stages.a.meta"), "{error}");
    }
}

/// Names and commands with everything that means something to Python, Jinja, a shell or YAML.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{{".to_owned()),
        Just("}}".to_owned()),
        Just("{%".to_owned()),
        Just("{#".to_owned()),
        Just("%}".to_owned()),
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("\\".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("${x}".to_owned()),
        Just("%s".to_owned()),
        Just(".sh".to_owned()),
        Just("\u{2028}".to_owned()),
        Just("\u{85}".to_owned()),
        Just("#".to_owned()),
        Just("{".to_owned()),
        any::<char>().prop_map(String::from),
        "[ -~]{1,6}",
    ];
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

pub fn pipelines() -> Vec<(Pipeline, Sandbox)> {
    let mut runner = TestRunner::new(Config::default());
    let stage = (text(), text(), prop::option::of(text()), text());
    let stages = prop::collection::vec(stage, 1..4);
    let mut all = Vec::new();
    for _ in 0..300 {
        let stages = stages.new_tree(&mut runner).unwrap().current();
        let entries = stages
            .into_iter()
            .enumerate()
            .map(|(index, (name, cmd, desc, more))| {
                let mut stage = vec![(
                    Value::str("cmd"),
                    Value::List(vec![
                        Value::str(cmd.replace("${", "\\${")),
                        Value::str(more.replace("${", "$ {")),
                    ]),
                )];
                stage.extend(desc.map(|desc| (Value::str("desc"), Value::str(desc))));
                (Value::str(format!("{name}{index}")), Value::Map(stage))
            });
        let stages = Value::Map(entries.collect());
        let document = Value::Map(vec![(Value::str("stages"), stages)]);
        let sandbox = Sandbox::bare(&[("dvc.yaml", &document.to_yaml())]);
        // What is no pipeline for us is no pipeline to export.
        if let Ok(pipeline) = Pipeline::read(&sandbox.project()) {
            all.push((pipeline, sandbox));
        }
    }
    all
}

#[test]
fn any_name_and_any_command_reach_the_shell_unchanged() {
    let all = pipelines();
    assert!(all.len() > 100, "only {} of 300 were pipelines", all.len());
    let folder = tempfile::tempdir().unwrap();
    for (index, (pipeline, sandbox)) in all.iter().enumerate() {
        let export = export::airflow(pipeline, &options(sandbox.root())).unwrap();
        let stages: Vec<_> = pipeline
            .in_order()
            .iter()
            .map(|stage| json!([stage.address, stage.cmd.lines(), stage.desc]))
            .collect();
        std::fs::write(folder.path().join(format!("{index}.py")), &export.text).unwrap();
        std::fs::write(
            folder.path().join(format!("{index}.json")),
            json!(stages).to_string(),
        )
        .unwrap();
    }
    let said = Airflow::new().must(
        "python",
        &["-c", CHECK, &folder.path().display().to_string()],
    );
    assert_eq!(said.trim(), format!("checked {}", all.len()));
}
