//! Which stages a plan holds, in what order, and what becomes of frozen and forced ones.

use lapwing_pipeline::{Action, Assignment, Drafts, Pipeline, PlanOptions, Scope, plan, recorded};

use crate::sandbox::Sandbox;

/// a → b → d, a → c → d; `c` can be frozen.
fn diamond(frozen: bool) -> Sandbox {
    let yaml = format!(
        "stages:\n  d: {{cmd: cat b c > d, deps: [b, c], outs: [d]}}\n  b: {{cmd: cp a b, deps: [a], outs: [b]}}\n  c: {{cmd: cp a c, deps: [a], outs: [c], frozen: {frozen}}}\n  a: {{cmd: cp in a, deps: [in], outs: [a]}}\n"
    );
    Sandbox::bare(&[("in", "1\n"), ("dvc.yaml", &yaml)])
}

fn steps(sandbox: &Sandbox, options: &PlanOptions) -> Vec<(String, Action)> {
    let plan = plan(&sandbox.pipeline(), &sandbox.project(), options).unwrap();
    plan.steps
        .into_iter()
        .map(|step| (step.stage, step.action))
        .collect()
}

fn names(sandbox: &Sandbox, targets: &[&str], scope: Scope) -> Vec<String> {
    let targets = targets.iter().map(|&target| target.to_owned()).collect();
    let options = PlanOptions {
        targets,
        scope,
        ..PlanOptions::default()
    };
    steps(sandbox, &options)
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn every_stage_comes_after_what_it_reads() {
    let sandbox = diamond(false);
    assert_eq!(names(&sandbox, &[], Scope::Upstream), ["a", "b", "c", "d"]);
    assert_eq!(names(&sandbox, &["b"], Scope::Upstream), ["a", "b"]);
    assert_eq!(names(&sandbox, &["b"], Scope::Downstream), ["b", "d"]);
    assert_eq!(names(&sandbox, &["b", "c"], Scope::Single), ["b", "c"]);
    let pipeline = sandbox.pipeline();
    let around = |stages: Vec<&lapwing_pipeline::Stage>| -> Vec<String> {
        stages.into_iter().map(|stage| stage.name.clone()).collect()
    };
    assert_eq!(around(pipeline.upstream("d").unwrap()), ["a", "b", "c"]);
    assert_eq!(around(pipeline.downstream("a").unwrap()), ["b", "c", "d"]);
}

#[test]
fn force_runs_what_did_not_change() {
    let sandbox = diamond(false);
    sandbox.run();
    let options = PlanOptions {
        targets: vec!["b".to_owned()],
        force: true,
        ..PlanOptions::default()
    };
    let forced = steps(&sandbox, &options);
    assert!(
        forced.iter().all(|(_, action)| *action == Action::Run),
        "{forced:?}"
    );
}

#[test]
fn a_frozen_stage_never_runs_and_needs_nothing() {
    let sandbox = diamond(false);
    sandbox.run();
    let yaml = sandbox
        .read("dvc.yaml")
        .replace("frozen: false", "frozen: true");
    sandbox.write("dvc.yaml", &yaml);
    sandbox.write("in", "2\n");
    assert_eq!(names(&sandbox, &["c"], Scope::Upstream), ["c"]);
    let done = sandbox.run();
    let of = |name: &str| done.iter().find(|(stage, _)| stage == name).unwrap().1;
    assert_eq!(of("c"), Action::Frozen);
    assert_eq!((of("b"), of("d")), (Action::Run, Action::Run));
    assert_eq!(sandbox.read("d"), "2\n1\n");
}

#[test]
fn the_record_tells_what_fed_a_stage() {
    let sandbox = diamond(false);
    sandbox.run();
    let (project, pipeline) = (sandbox.project(), sandbox.pipeline());
    let of = |name: &str| {
        recorded(&project, pipeline.stage(name).unwrap())
            .unwrap()
            .unwrap()
    };
    let made = of("a").out("a").unwrap().md5.clone();
    assert!(made.is_some());
    assert_eq!(of("b").dep("a").unwrap().md5, made);
    assert_eq!(of("b").dep("a").unwrap().size, Some(2));
}

#[test]
fn a_stopped_run_goes_on_where_it_was() {
    let sandbox = diamond(false);
    sandbox.run_stage("a");
    sandbox.run_stage("b");
    let done: Vec<Action> = sandbox
        .run()
        .into_iter()
        .map(|(_, action)| action)
        .collect();
    assert_eq!(done, [Action::Skip, Action::Skip, Action::Run, Action::Run]);
}

#[test]
fn a_stage_that_fails_to_make_its_output_says_which() {
    let sandbox = Sandbox::bare(&[(
        "dvc.yaml",
        "stages:\n  a: {cmd: 'true', outs: [made/here]}\n",
    )]);
    let (project, pipeline) = (sandbox.project(), sandbox.pipeline());
    let stage = pipeline.stage("a").unwrap();
    lapwing_pipeline::prepare(&project, stage).unwrap();
    assert!(
        sandbox.path("made").is_dir(),
        "the folder of an output is made"
    );
    let error = lapwing_pipeline::commit(&project, stage, &mut |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "stage `a` ended without making made/here"
    );
    assert!(!sandbox.path("dvc.lock").exists(), "nothing is recorded");
}

#[test]
fn drafts_show_what_a_change_would_do_and_change_nothing() {
    let yaml = "stages:\n  by_name: {cmd: cp in named, deps: [in], params: [rate], outs: [named]}\n  by_text: {cmd: \"echo ${depth} > text\", outs: [text]}\n  other: {cmd: cp in other, deps: [in], outs: [other]}\n";
    let params = "rate: 0.1  # slow\ndepth: 3\n";
    let sandbox = Sandbox::bare(&[("in", "1\n"), ("dvc.yaml", yaml), ("params.yaml", params)]);
    sandbox.run();
    let project = sandbox.project();
    let stale = |changes: &[&str]| -> Vec<String> {
        let assignments: Vec<Assignment> = changes
            .iter()
            .map(|text| Assignment::parse(text).unwrap())
            .collect();
        let drafts = Drafts::of(project.root(), &assignments).unwrap();
        let pipeline = Pipeline::drafted(&project, &drafts).unwrap();
        let options = PlanOptions {
            drafts,
            ..PlanOptions::default()
        };
        let steps = plan(&pipeline, &project, &options).unwrap().steps;
        let runs = steps.into_iter().filter(|step| step.action == Action::Run);
        runs.map(|step| step.stage).collect()
    };
    assert!(stale(&[]).is_empty());
    assert_eq!(stale(&["rate=0.2"]), ["by_name"]);
    assert_eq!(stale(&["rate=0.2", "depth=4"]), ["by_name", "by_text"]);
    let kept = std::fs::read_to_string(project.root().join("params.yaml")).unwrap();
    assert_eq!(kept, params);
}
