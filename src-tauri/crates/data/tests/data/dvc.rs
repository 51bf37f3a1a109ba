//! The real `dvc` and this crate agree about the same files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use lapwing_data::{Overwrite, Project, State, Transfer, add, checkout, pull, push, status};

fn dvc(folder: &Path, arguments: &[&str]) -> String {
    let peers = std::env::var_os("LAPWING_TEST_PEERS")
        .expect("LAPWING_TEST_PEERS names the peers' venv: run `make test`");
    let output = Command::new(PathBuf::from(peers).join("bin/dvc"))
        .args(arguments)
        .current_dir(folder)
        .env("DVC_NO_ANALYTICS", "1")
        .env("HOME", folder.parent().unwrap())
        .env("DVC_SITE_CACHE_DIR", folder.parent().unwrap().join("site"))
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "dvc {arguments:?}: {said}");
    said
}

fn fill(root: &Path) {
    std::fs::create_dir_all(root.join("data/sub")).unwrap();
    std::fs::write(root.join("data/x.csv"), "a,b\r\n1,2\r\n").unwrap();
    std::fs::write(root.join("data/sub/z.txt"), "z").unwrap();
    std::fs::write(root.join("data/sub.txt"), "s").unwrap();
    std::fs::write(root.join("data/üñï 😀.txt"), "u").unwrap();
    std::fs::write(root.join("tool.sh"), "#!/bin/sh\n").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(root.join("tool.sh"), std::fs::Permissions::from_mode(0o755))
            .unwrap();
    }
}

fn project(folder: &Path, name: &str) -> Project {
    let root = folder.join(name);
    std::fs::create_dir_all(&root).unwrap();
    fill(&root);
    Project::init(&root).unwrap()
}

#[test]
fn what_is_added_here_is_what_dvc_would_have_added() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (
        project(folder.path(), "ours"),
        project(folder.path(), "theirs"),
    );
    add(&ours, &["data".into(), "tool.sh".into()], &|_| {}).unwrap();
    dvc(theirs.root(), &["add", "data", "tool.sh"]);
    for file in ["data.dvc", "tool.sh.dvc", ".gitignore"] {
        let read = |project: &Project| std::fs::read_to_string(project.root().join(file)).unwrap();
        assert_eq!(
            read(&ours),
            read(&theirs),
            "{file} must be the same to the byte"
        );
    }
    let said = dvc(ours.root(), &["status"]);
    assert!(said.contains("up to date"), "{said}");
    assert!(
        status(&theirs)
            .unwrap()
            .iter()
            .all(|row| row.state == State::Clean),
        "and we call theirs clean"
    );
}

#[test]
fn what_one_pushes_the_other_pulls() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path(), "ours");
    add(&ours, &["data".into(), "tool.sh".into()], &|_| {}).unwrap();
    let store = folder.path().join("store").display().to_string();
    ours.add_remote("here", &store, true, &BTreeMap::new())
        .unwrap();
    let ours = Project::open(ours.root()).unwrap();
    let sent = push(&ours, &Transfer::default()).unwrap();
    assert_eq!(sent.files, 6, "four files, their listing and the tool");

    std::fs::remove_dir_all(ours.root().join("data")).unwrap();
    std::fs::remove_dir_all(ours.root().join(".dvc/cache")).unwrap();
    dvc(ours.root(), &["pull"]);
    assert!(
        status(&ours)
            .unwrap()
            .iter()
            .all(|row| row.state == State::Clean)
    );

    std::fs::remove_dir_all(ours.root().join("data")).unwrap();
    std::fs::remove_dir_all(ours.root().join(".dvc/cache")).unwrap();
    pull(&ours, &Transfer::default()).unwrap();
    assert!(dvc(ours.root(), &["status"]).contains("up to date"));
}

#[test]
fn a_changed_file_is_seen_and_never_overwritten_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path(), "ours");
    add(&ours, &["data".into()], &|_| {}).unwrap();
    std::fs::write(ours.root().join("data/x.csv"), "only here").unwrap();
    assert_eq!(status(&ours).unwrap()[0].state, State::Modified);
    assert!(
        checkout(&ours, &[], Overwrite::Refuse).is_err(),
        "the new content is nowhere else"
    );
    assert_eq!(
        std::fs::read_to_string(ours.root().join("data/x.csv")).unwrap(),
        "only here",
        "nothing is lost"
    );
    checkout(&ours, &[], Overwrite::Force).unwrap();
    assert_eq!(status(&ours).unwrap()[0].state, State::Clean);
}

#[test]
fn comments_and_unknown_keys_stay() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path(), "ours");
    add(&ours, &["data".into()], &|_| {}).unwrap();
    let file = ours.root().join("data.dvc");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        format!("# where this comes from\n{text}  desc: measured by hand\nmeta:\n  owner: ada\n"),
    )
    .unwrap();
    std::fs::write(ours.root().join("data/more.txt"), "m").unwrap();
    add(&ours, &["data".into()], &|_| {}).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("# where this comes from")
            && text.contains("desc: measured by hand")
            && text.contains("owner: ada"),
        "{text}"
    );
    assert!(text.contains("nfiles: 5"), "{text}");
    assert!(dvc(ours.root(), &["status"]).contains("up to date"));
}
