//! Who rewrites project files waits for whoever else does, `dvc` included.

use std::sync::mpsc;
use std::time::Duration;

use lapwing_data::{Exclusive, Overwrite, Project, add, checkout};

#[test]
fn adding_and_checking_out_wait_for_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("project");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("one"), "1").unwrap();
    let project = Project::init(&root).unwrap();
    let held = Exclusive::take(project.root()).unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let project = &project;
        scope.spawn(move || {
            add(project, &["one".into()], &|_| {}).unwrap();
            checkout(project, &[], Overwrite::Refuse).unwrap();
            tell.send(()).unwrap();
        });
        let early = told.recv_timeout(Duration::from_millis(500));
        assert!(early.is_err() && !root.join("one.dvc").exists());
        drop(held);
        told.recv_timeout(Duration::from_secs(30)).unwrap();
    });
    assert!(root.join("one.dvc").is_file());
}
