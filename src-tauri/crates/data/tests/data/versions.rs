use lapwing_data::{ChangeKind, Project, add, diff, log};

#[test]
fn versions_are_commits_and_their_difference_is_told_file_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("project");
    std::fs::create_dir_all(root.join("raw")).unwrap();
    std::fs::write(root.join("raw/one.csv"), "1").unwrap();
    std::fs::write(root.join("raw/two.csv"), "2").unwrap();
    let project = Project::init(&root).unwrap();
    add(&project, &["raw".into()], &|_| {}).unwrap();
    let first = project.commit_all("first").unwrap().unwrap();
    std::fs::write(root.join("raw/two.csv"), "22").unwrap();
    std::fs::rename(root.join("raw/one.csv"), root.join("raw/uno.csv")).unwrap();
    std::fs::write(root.join("raw/three.csv"), "3").unwrap();
    add(&project, &["raw".into()], &|_| {}).unwrap();
    project.commit_all("second").unwrap().unwrap();

    let versions = log(&project, "raw".as_ref()).unwrap();
    let messages: Vec<&str> = versions
        .iter()
        .map(|version| version.commit.message.as_str())
        .collect();
    assert_eq!(messages, ["second", "first"], "newest first");

    let changes = diff(&project, &first.id, Some("HEAD")).unwrap();
    let told: Vec<(ChangeKind, &str)> = changes
        .iter()
        .map(|change| (change.kind, change.path.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (ChangeKind::Added, "raw/three.csv"),
            (ChangeKind::Modified, "raw/two.csv"),
            (ChangeKind::Renamed, "raw/uno.csv"),
        ]
    );
}
