//! A commit of some files takes nothing else along.

use lapwing_data::Project;

#[test]
fn what_the_user_staged_stays_staged_and_is_not_committed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("project");
    std::fs::create_dir_all(&root).unwrap();
    let project = Project::init(&root).unwrap();
    std::fs::write(root.join("ours.txt"), "1").unwrap();
    std::fs::write(root.join("gone.txt"), "1").unwrap();
    std::fs::write(root.join("theirs.txt"), "1").unwrap();
    project.commit_all("first").unwrap().unwrap();

    let repository = git2::Repository::open(&root).unwrap();
    std::fs::write(root.join("theirs.txt"), "staged by hand").unwrap();
    let mut index = repository.index().unwrap();
    index.add_path("theirs.txt".as_ref()).unwrap();
    index.write().unwrap();
    std::fs::write(root.join("ours.txt"), "2").unwrap();
    std::fs::remove_file(root.join("gone.txt")).unwrap();
    project
        .commit(&["ours.txt".into(), "gone.txt".into()], "second")
        .unwrap()
        .unwrap();

    let at = |path: &str| project.file_at("HEAD", path).unwrap();
    assert_eq!(at("ours.txt").unwrap(), b"2");
    assert_eq!(at("theirs.txt").unwrap(), b"1", "not ours to commit");
    assert_eq!(at("gone.txt"), None);
    let status = |path: &str| {
        let repository = git2::Repository::open(&root).unwrap();
        repository.status_file(path.as_ref()).unwrap()
    };
    assert_eq!(status("theirs.txt"), git2::Status::INDEX_MODIFIED);
    assert_eq!(status("ours.txt"), git2::Status::CURRENT);
    assert!(
        project
            .commit(&["ours.txt".into()], "again")
            .unwrap()
            .is_none(),
        "as in HEAD"
    );
}
