//! Names and commands that `${…}`, `foreach` and `matrix` give, against the real `dvc`.

use std::collections::BTreeSet;

use crate::sandbox::Sandbox;

const PARAMS: &str = "\
lr: 1e-5
big: 100000.0
count: 3
name: résumé
on: true
off: false
nothing:
models:
- name: rf
  depth: 2
- name: gb
  depth: 3
words: [a, b]
flags: [true, false]
args: {x: 1, y: 'q r', flag: true, no: false, deep: {z: 1.5, list: [1, a b]}}
";

const DVC_YAML: &str = r#"
vars:
- other.json:left,right
- extra: {deep: [10, 20]}
stages:
  text:
    cmd: echo ${lr} ${big} ${count} ${name} ${on} ${off} ${nothing} ${models[1].name} ${models.0.depth} \${HOME} ${ words[-1] } ${extra.deep[1]} ${left}
    outs: ["text-${name}.txt"]
  options:
    cmd: python x.py ${args}
    outs: [options]
  each:
    foreach: [u, v, 1, 1.50, true, null]
    do:
      cmd: echo ${item}
      outs: ["each/${item}"]
  each_flag:
    foreach: ${flags}
    do:
      cmd: echo ${item}
      outs: ["each_flag/${item}"]
  each_map:
    foreach: {one: {a: 1}, two: {a: 2}}
    do:
      cmd: echo ${key} ${item.a}
      outs: ["each_map/${key}"]
  each_model:
    foreach: ${models}
    do:
      cmd: echo ${item.name}
      wdir: sub
      deps: [../params.yaml]
      params: [../params.yaml: [lr]]
      outs: ["each_model-${item.name}": {cache: false}]
  mx:
    matrix:
      m: ${models}
      w: [1.5, x, true]
      f: ${flags}
    cmd: echo ${item.m.name} ${item.w} ${item.f} ${key}
    vars:
    - own: mine
    outs: ["mx/${key}-${own}"]
"#;

fn sandbox() -> Sandbox {
    Sandbox::with(&[
        ("params.yaml", PARAMS),
        ("other.json", r#"{"left": "L", "right": 2, "lr": 5}"#),
        ("dvc.yaml", DVC_YAML),
        ("sub/keep", ""),
    ])
}

#[test]
fn generated_names_are_those_of_dvc() {
    let sandbox = sandbox();
    let listed = sandbox.dvc(&["stage", "list", "--name-only"]);
    let theirs: BTreeSet<&str> = listed.lines().map(str::trim).collect();
    let pipeline = sandbox.pipeline();
    let ours: BTreeSet<&str> = pipeline
        .stages()
        .iter()
        .map(|s| s.address.as_str())
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn resolved_commands_and_paths_are_those_of_dvc() {
    let sandbox = sandbox();
    let dry = sandbox.dvc(&["repro", "--dry"]);
    let mut theirs: Vec<&str> = dry
        .lines()
        .filter_map(|line| line.strip_prefix("> "))
        .collect();
    let pipeline = sandbox.pipeline();
    let mut ours: Vec<String> = pipeline
        .stages()
        .iter()
        .flat_map(|s| s.cmd.lines())
        .collect();
    theirs.sort_unstable();
    ours.sort_unstable();
    assert_eq!(ours, theirs);
    assert_eq!(
        sandbox.our_status(),
        sandbox.dvc_status(),
        "paths show in the status"
    );
}
