//! Bad input gets one clear sentence and a hint, the right exit code, and changes nothing.

use std::path::Path;

use crate::place::{Place, told};

/// Runs a verb that must be refused, and answers what was said on standard error.
fn refused(place: &Place, folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = place.run(folder, arguments);
    assert_eq!(
        output.status.code(),
        Some(code),
        "`lapwing {}`: {}",
        arguments.join(" "),
        told(&output)
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !said.contains("panicked"),
        "a wrong input is no reason to panic: {said}"
    );
    assert!(said.contains("error:"), "{said}");
    said
}

#[test]
fn outside_a_project_the_hint_says_how_to_make_one() {
    let place = Place::new();
    let folder = place.path("empty");
    std::fs::create_dir(&folder).unwrap();
    for arguments in [
        &["status"][..],
        &["run"],
        &["data", "status"],
        &["data", "add", "x"],
    ] {
        let said = refused(&place, &folder, arguments, 2);
        assert!(
            said.contains("lapwing init"),
            "the next step should be named: {said}"
        );
    }
}

#[test]
fn things_that_do_not_exist_are_named() {
    let place = Place::new();
    let folder = place.path("a project");
    std::fs::create_dir(&folder).unwrap();
    place.text(&folder, &["init"]);
    for (arguments, name) in [
        (&["data", "add", "nowhere.csv"][..], "nowhere.csv"),
        (&["data", "preview", "nowhere.csv"], "nowhere.csv"),
        (&["jobs", "logs", "abc"], "abc"),
        (&["runs", "show", "abc"], "abc"),
        (&["models", "show", "no-such-model"], "no-such-model"),
        (
            &["deployments", "show", "no-such-endpoint"],
            "no-such-endpoint",
        ),
        (
            &["deploy", "no-such-model@champion", "--name", "x"],
            "no-such-model",
        ),
        (&["automations", "run", "no-such-policy"], "no-such-policy"),
        (&["-C", "/no/such/folder", "status"], "/no/such/folder"),
        (&["projects", "forget", "no-such-folder"], "no-such-folder"),
        (
            &["projects", "clone", "/no/such/folder", "here"],
            "no folder /no/such/folder",
        ),
    ] {
        let said = refused(&place, &folder, arguments, 2);
        assert!(said.contains(name), "`{name}` should be named: {said}");
    }
}

#[test]
fn broken_files_name_their_line() {
    let place = Place::new();
    let folder = place.path("broken");
    std::fs::create_dir(&folder).unwrap();
    place.text(&folder, &["init"]);
    std::fs::write(
        folder.join("dvc.yaml"),
        "stages:\n  train:\n    cmd: [unclosed\n",
    )
    .unwrap();
    let said = refused(&place, &folder, &["status"], 2);
    assert!(
        said.contains("dvc.yaml") && said.contains("line"),
        "file and line: {said}"
    );
    std::fs::write(
        folder.join("dvc.yaml"),
        "stages:\n  train:\n    comand: python train.py\n",
    )
    .unwrap();
    let said = refused(&place, &folder, &["run"], 2);
    assert!(said.contains("train"), "the stage should be named: {said}");
    std::fs::write(
        folder.join("dvc.yaml"),
        "stages:\n  train:\n    cmd: python train.py\n",
    )
    .unwrap();
    std::fs::write(folder.join("params.yaml"), "train:\n  lr: [unclosed\n").unwrap();
    let said = refused(&place, &folder, &["status"], 2);
    assert!(
        said.contains("params.yaml is not valid YAML") && !said.contains("dvc.yaml"),
        "the file that is broken: {said}"
    );
    std::fs::remove_file(folder.join("params.yaml")).unwrap();
    std::fs::remove_file(folder.join("dvc.yaml")).unwrap();
    std::fs::write(
        folder.join("lapwing.toml"),
        "[project]\nname = \"x\"\n[[monitor]]\ndeploymant = \"y\"\n",
    )
    .unwrap();
    for verb in [&["automations", "list"][..], &["run", "--dry-run"]] {
        let said = refused(&place, &folder, verb, 2);
        assert!(
            said.contains("lapwing.toml") && said.contains("line"),
            "file and line: {said}"
        );
    }
    // What `dvc status` answers does not depend on it; a person is told all the same.
    let status = place.run(&folder, &["status"]);
    assert!(told(&status).contains("warning:"), "{}", told(&status));
}

#[test]
fn a_file_of_another_kind_is_refused_with_its_name() {
    let place = Place::new();
    let folder = place.path("files");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("broken.parquet"), "this is no parquet").unwrap();
    let said = refused(&place, &folder, &["data", "preview", "broken.parquet"], 2);
    assert!(said.contains("broken.parquet"), "{said}");
}

#[test]
fn what_a_stage_makes_is_not_tracked_a_second_time() {
    let place = Place::new();
    let folder = place.path("a project");
    std::fs::create_dir(&folder).unwrap();
    place.text(&folder, &["init"]);
    let stages = "stages:\n  train:\n    cmd: python train.py\n    outs: [model.pkl]\n";
    std::fs::write(folder.join("dvc.yaml"), stages).unwrap();
    std::fs::write(folder.join("model.pkl"), "weights").unwrap();
    let said = refused(&place, &folder, &["data", "add", "model.pkl"], 1);
    assert!(
        said.contains("model.pkl is made by stage `train`"),
        "{said}"
    );
    assert!(!folder.join("model.pkl.dvc").exists(), "nothing is changed");
    let said = refused(&place, &folder, &["data", "add", "."], 2);
    assert!(said.contains("the project itself"), "{said}");
}

#[test]
fn a_comparison_of_files_names_the_column_that_one_lacks() {
    let place = Place::new();
    let folder = place.path("files");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("before.csv"), "x,y\n1,2\n").unwrap();
    std::fs::write(folder.join("now.csv"), "x\n1\n").unwrap();
    std::fs::write(folder.join("other.csv"), "z\n1\n").unwrap();
    let drift = |current: &str, more: &[&str]| {
        let mut arguments = vec!["monitors", "drift", "--reference", "before.csv"];
        arguments.extend(["--current", current]);
        arguments.extend(more);
        arguments.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let refused = |arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        refused(&place, &folder, &arguments, 2)
    };
    let said = refused(drift("other.csv", &[]));
    assert!(said.contains("other.csv has no column `x`"), "{said}");
    let said = refused(drift("now.csv", &["--columns", "y"]));
    assert!(said.contains("now.csv has no column `y`"), "{said}");
    let partly = drift("now.csv", &[]);
    let partly: Vec<&str> = partly.iter().map(String::as_str).collect();
    let found = place.json(&folder, &partly);
    assert_eq!(found["columns"][1]["kind"], "missing", "{found}");
}

#[test]
fn errors_are_json_where_json_was_asked_for() {
    let place = Place::new();
    let folder = place.path("empty");
    std::fs::create_dir(&folder).unwrap();
    let output = place.run(&folder, &["status", "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        answer["error"]["name"].is_string(),
        "scripts match on the stable name: {answer}"
    );
    assert!(answer["error"]["message"].is_string());
}

#[test]
fn wrong_usage_exits_with_two() {
    let place = Place::new();
    let folder = place.path("empty");
    std::fs::create_dir(&folder).unwrap();
    for arguments in [
        &["no-such-verb"][..],
        &["run", "--no-such-flag"],
        &["deploy"],
        &["data", "add"],
    ] {
        let output = place.run(&folder, arguments);
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    }
    let output = place.run(&folder, &["--json", "run", "--no-such-flag"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let error = &answer["error"];
    assert_eq!(error["name"], "cli.usage");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("--no-such-flag"),
        "{answer}"
    );
    let help = place.text(&folder, &["--json", "run", "--help"]);
    assert!(help.contains("--dry-run"), "help is for people: {help}");
}

#[test]
fn pages_without_a_folder_are_those_beside_the_program() {
    let place = Place::new();
    let folder = place.path("empty");
    std::fs::create_dir(&folder).unwrap();
    let said = refused(&place, &folder, &["server", "--ui", "--port", "0"], 3);
    assert!(
        said.contains("--ui ui/dist"),
        "they are not installed here, and the hint says what to name: {said}"
    );
}
