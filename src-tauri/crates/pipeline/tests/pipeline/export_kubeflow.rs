//! The real kfp reads what is written for it, and carries it out in the local Docker.

use std::path::Path;
use std::process::Command;

use lapwing_pipeline::export::{self, Export, ExportOptions, PROJECT_IN_IMAGE};
use serde_json::json;

use crate::export::pipelines;
use crate::sandbox::Sandbox;

const CHECK: &str = include_str!("check_kfp.py");
const RUN: &str = include_str!("run_kfp.py");

fn options(image: &str) -> ExportOptions {
    ExportOptions {
        name: "Tiny pipeline!".to_owned(),
        root: PROJECT_IN_IMAGE.to_owned(),
        image: Some(image.to_owned()),
        retries: 2,
        ..ExportOptions::default()
    }
}

fn kubeflow(sandbox: &Sandbox, image: &str) -> Export {
    export::kubeflow(&sandbox.pipeline(), &options(image)).unwrap()
}

fn python(args: &[&str]) -> String {
    let venv = std::env::var_os("LAPWING_TEST_KFP")
        .expect("LAPWING_TEST_KFP must name the Python environment with kfp; `make test` sets it");
    let output = Command::new(Path::new(&venv).join("bin/python"))
        .args(args)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

fn check(folder: &Path) -> String {
    python(&["-W", "ignore", "-c", CHECK, &folder.display().to_string()])
}

const WIRED: &str = r#"
stages:
  clean:
    cmd: mkdir -p data/clean/deep && cp data/raw/a.csv data/clean/deep/a.csv && cp data/raw/b.csv data/clean/b.csv
    deps: [data/raw]
    outs: [data/clean]
  split:
    cmd:
    - printf '%s\n' '{{ no template }} {{{' "it's" > 'out put.txt'
    - cat params.yaml > seen.txt; X=lost
    - cat data/clean/deep/a.csv >> seen.txt; echo "${X-kept} $DVC_STAGE" >> seen.txt
    deps: [data/clean/deep/a.csv]
    params: [name, rate, size, flag, layers]
    outs: ['out put.txt', seen.txt]
    meta: {lapwing: {cpus: 0.5, memory_gib: 0.25, retries: 0}}
  report:
    wdir: sub
    cmd: cat ../seen.txt '../out put.txt' ../data/clean/b.csv > report.txt
    deps: ['../out put.txt', ../seen.txt, ../data]
    metrics: [report.txt]
"#;

/// Names that are the same to Kubeflow, or nothing at all.
const ALIKE: &str = r#"
stages:
  A.b: {cmd: x, outs: ['a b', a_b, 'ä', 'ö'], deps: [given]}
  A-b: {cmd: x, outs: ['in_a b', '9'], deps: ['a b', a_b, 'ä']}
  é: {cmd: x, deps: ['in_a b', 'ö', '9', 'a b']}
"#;

const PARAMS: &str = "# who\nname: 'it''s \"me\"' # and why\nrate: 0.5\nsize: 3\nflag: true\nlayers: [1, 2]\nnothing:\n";

fn wired() -> Sandbox {
    Sandbox::bare(&[
        ("dvc.yaml", &WIRED.replace("${", "\\${")),
        ("params.yaml", PARAMS),
        ("data/raw/a.csv", "a\n1\n"),
        ("data/raw/b.csv", "b\n2\n"),
        ("sub/keep", ""),
    ])
}

#[test]
fn kfp_runs_the_stages_in_docker_and_hands_on_what_they_make() {
    let base = std::env::var("LAPWING_TEST_DOCKER")
        .expect("LAPWING_TEST_DOCKER must name an image; `make test` sets it");
    let ours = wired();
    for stage in ["clean", "split", "report"] {
        ours.run_stage(stage);
    }
    let theirs = wired();
    theirs.write(
        "Dockerfile",
        &format!("FROM {base}\nCOPY . {PROJECT_IN_IMAGE}\n"),
    );
    let image = format!("lapwing-test-export-{}", std::process::id());
    let built = Command::new("docker")
        .args(["build", "-q", "-t", &image, "."])
        .current_dir(theirs.root())
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );

    let export = kubeflow(&theirs, &image);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(&export.file);
    std::fs::write(&file, &export.text).unwrap();
    let run = |values: serde_json::Value| {
        let artifacts = tempfile::tempdir().unwrap();
        let place = artifacts.path().display().to_string();
        let said = python(&[
            "-c",
            RUN,
            &file.display().to_string(),
            &place,
            &values.to_string(),
        ]);
        assert!(said.contains("carried out"), "{said}");
        report(artifacts.path())
    };
    let plain = run(json!({}));
    let set = run(json!({"name": "new\n\"name\" \\ 'x'", "rate": 2.0, "layers": [7]}));
    let removed = Command::new("docker")
        .args(["rmi", "-f", &image])
        .output()
        .unwrap();
    assert!(removed.status.success());

    let expected = ours.read("sub/report.txt");
    let quoted = |text: &str| text.replace("'it''s \"me\"'", "\"it's \\\"me\\\"\"");
    // The local runner keeps every number as a double; Go, in a cluster, writes 1 for 1.0.
    assert_eq!(plain.replace("[1.0, 2.0]", "[1, 2]"), quoted(&expected));
    let begin = "# who\nname: \"new\\n\\\"name\\\" \\\\ 'x'\" # and why\nrate: 2.0\nsize: 3\nflag: true\nlayers: [7.0]\nnothing:\n";
    assert!(set.starts_with(begin), "{set}");
}

/// The one artifact `sub_report_txt` below a folder.
fn report(folder: &Path) -> String {
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path
                .file_name()
                .is_some_and(|name| name == "sub_report_txt")
                && path.is_file()
            {
                return std::fs::read_to_string(path).unwrap();
            }
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    panic!("no report was handed over");
}

#[test]
fn any_pipeline_is_wired_and_carries_its_commands() {
    let folder = tempfile::tempdir().unwrap();
    let all = pipelines();
    for (index, (pipeline, _sandbox)) in all.iter().enumerate() {
        let export = export::kubeflow(pipeline, &options("image")).unwrap();
        let stages: Vec<_> = pipeline
            .in_order()
            .iter()
            .map(|stage| json!([stage.address, stage.cmd.lines()]))
            .collect();
        let write = |extension: &str, text: &str| {
            std::fs::write(folder.path().join(format!("{index}.{extension}")), text).unwrap();
        };
        write("yaml", &export.text);
        write("json", &json!(stages).to_string());
    }
    std::fs::write(
        folder.path().join("wired.yaml"),
        kubeflow(&wired(), "image").text,
    )
    .unwrap();
    let alike = Sandbox::bare(&[("dvc.yaml", ALIKE)]);
    std::fs::write(
        folder.path().join("alike.yaml"),
        kubeflow(&alike, "image").text,
    )
    .unwrap();
    assert_eq!(
        check(folder.path()).trim(),
        format!("checked {}", all.len() + 2)
    );
}

#[test]
fn what_kubeflow_needs_is_said() {
    let sandbox = wired();
    let mut options = options("image");
    options.schedule = Some("0 3 * * 1".to_owned());
    let export = export::kubeflow(&sandbox.pipeline(), &options).unwrap();
    assert_eq!(export.file, "tiny-pipeline.yaml");
    insta::assert_snapshot!(export.notes.join("\n"), @r"
    the images must hold the project in /project, with data/raw
    the schedule 0 3 * * 1 is not in the file: Kubeflow keeps it as a recurring run
    ");
    options.image = None;
    let error = export::kubeflow(&sandbox.pipeline(), &options).unwrap_err();
    assert_eq!(error.report().name, "pipeline.no_image");
    assert!(error.to_string().contains("`clean`"), "{error}");
}
