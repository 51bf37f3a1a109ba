//! What somebody wrote into a `.dvc` file stays, apart from the content of the one output.

use std::path::Path;

use lapwing_data::{DvcFile, Project, State, add, status};

const OLD: &str = "0cc175b9c0f1b6a831c399e269772661";

fn project(folder: &Path) -> Project {
    let root = folder.join("project");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("one"), "1").unwrap();
    std::fs::write(root.join("two"), "2").unwrap();
    Project::init(&root).unwrap()
}

#[test]
fn only_the_output_that_was_added_changes() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    let file = ours.root().join("one.dvc");
    let text = format!(
        "outs:\n- md5: {OLD}\n  size: 1\n  hash: md5\n  path: two\n- md5: {OLD}\n  size: 1\n  hash: md5\n  path: one\n"
    );
    std::fs::write(&file, &text).unwrap();
    add(&ours, &["one".into()], &|_| {}).unwrap();
    let read = DvcFile::read(&file).unwrap();
    let ids: Vec<_> = read
        .outs
        .iter()
        .map(|out| out.md5.clone().unwrap())
        .collect();
    assert_eq!(ids, [OLD, "c4ca4238a0b923820dcc509a6f75849b"]);

    add(&ours, &["two".into()], &|_| {}).unwrap();
    assert!(
        !ours.root().join("two.dvc").exists(),
        "one.dvc tracks it already"
    );
    let states: Vec<_> = status(&ours)
        .unwrap()
        .into_iter()
        .map(|row| row.state)
        .collect();
    assert_eq!(states, [State::Clean, State::Clean]);
}

#[test]
fn an_indented_list_and_the_users_own_keys_stay() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    let file = ours.root().join("one.dvc");
    let text = format!(
        "# top\nouts:\n  # of the item\n  - md5: {OLD}\n    size: 7\n    meta:\n      size: large\n      hash: sha\n    path: one\nmeta:\n  size: huge\n"
    );
    std::fs::write(&file, text).unwrap();
    add(&ours, &["one".into()], &|_| {}).unwrap();
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "# top\nouts:\n  # of the item\n  - md5: c4ca4238a0b923820dcc509a6f75849b\n    size: 1\n    hash: md5\n    meta:\n      size: large\n      hash: sha\n    path: one\nmeta:\n  size: huge\n"
    );
}

#[test]
fn a_layout_that_cannot_be_edited_is_refused_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    let file = ours.root().join("one.dvc");
    let text = format!("outs: [{{md5: {OLD}, hash: md5, path: one}}]\n");
    std::fs::write(&file, &text).unwrap();
    assert!(add(&ours, &["one".into()], &|_| {}).is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_name_that_yaml_would_read_as_something_else_is_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    for name in [
        "1e5",
        "0x1f",
        "yes",
        "2020-01-02",
        "1_000",
        "a b",
        "data.v2",
    ] {
        std::fs::write(ours.root().join(name), name).unwrap();
        add(&ours, &[name.into()], &|_| {}).unwrap();
        let file = ours.root().join(format!("{name}.dvc"));
        assert_eq!(DvcFile::read(&file).unwrap().outs[0].path, name);
        let text = std::fs::read_to_string(&file).unwrap();
        let quoted = text.contains(&format!("path: '{name}'"));
        assert_eq!(quoted, !["a b", "data.v2"].contains(&name), "{text}");
    }
}

#[test]
fn one_file_that_names_a_place_outside_does_not_hide_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    add(&ours, &["one".into()], &|_| {}).unwrap();
    let text = format!("outs:\n- md5: {OLD}\n  hash: md5\n  path: /mnt/elsewhere/x\n");
    std::fs::write(ours.root().join("x.dvc"), text).unwrap();
    let rows = status(&ours).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].path, "one");
    let problems = lapwing_data::problems(&ours).unwrap();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].dvc_file, "x.dvc");
    assert!(problems[0].reason.contains("/mnt/elsewhere/x"));
}
