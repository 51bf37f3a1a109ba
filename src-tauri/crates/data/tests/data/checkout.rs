//! Checking out never touches what it does not own.

use std::path::Path;

use lapwing_data::{Cache, Overwrite, Project, add, checkout};

fn project(folder: &Path) -> Project {
    let root = folder.join("project");
    std::fs::create_dir_all(root.join("data/sub")).unwrap();
    std::fs::write(root.join("data/a.txt"), "a").unwrap();
    std::fs::write(root.join("data/sub/z.txt"), "z").unwrap();
    let project = Project::init(&root).unwrap();
    add(&project, &["data".into()], &|_| {}).unwrap();
    project
}

#[cfg(unix)]
fn outside(folder: &Path) -> std::path::PathBuf {
    let outside = folder.join("outside");
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::write(outside.join("z.txt"), "mine").unwrap();
    std::fs::write(outside.join("other.txt"), "mine too").unwrap();
    outside
}

#[cfg(unix)]
#[test]
fn a_link_to_a_folder_is_replaced_and_its_target_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    let (outside, sub) = (outside(folder.path()), ours.root().join("data/sub"));
    std::fs::remove_dir_all(&sub).unwrap();
    std::os::unix::fs::symlink(&outside, &sub).unwrap();
    checkout(&ours, &[], Overwrite::Force).unwrap();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    assert_eq!(read(&outside.join("z.txt")), "mine", "not written through");
    assert_eq!(read(&outside.join("other.txt")), "mine too", "not deleted");
    assert!(!sub.is_symlink(), "the link made room for the folder");
    assert_eq!(read(&sub.join("z.txt")), "z");
}

#[cfg(unix)]
#[test]
fn a_link_that_is_not_part_of_the_version_goes_and_its_target_stays() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    let (outside, extra) = (outside(folder.path()), ours.root().join("data/extra"));
    std::os::unix::fs::symlink(&outside, &extra).unwrap();
    checkout(&ours, &[], Overwrite::Force).unwrap();
    assert!(!extra.is_symlink(), "the link is gone");
    assert!(outside.join("z.txt").is_file() && outside.join("other.txt").is_file());
}

#[test]
fn a_file_replaces_a_folder_only_when_no_ignored_file_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    let root = ours.root().to_owned();
    let folder_version = std::fs::read_to_string(root.join("data.dvc")).unwrap();
    std::fs::remove_dir_all(root.join("data")).unwrap();
    std::fs::write(root.join("data"), "now a file").unwrap();
    add(&ours, &["data".into()], &|_| {}).unwrap();
    let file_version = std::fs::read_to_string(root.join("data.dvc")).unwrap();

    std::fs::write(root.join("data.dvc"), folder_version).unwrap();
    checkout(&ours, &[], Overwrite::Refuse).unwrap();
    std::fs::write(root.join(".dvcignore"), "*.log\n").unwrap();
    std::fs::write(root.join("data/run.log"), "only here").unwrap();
    std::fs::write(root.join("data.dvc"), file_version).unwrap();
    assert!(
        checkout(&ours, &[], Overwrite::Refuse).is_err(),
        "the ignored file is nowhere else"
    );
    assert!(root.join("data/run.log").is_file());
    assert!(root.join("data/a.txt").is_file(), "nothing was touched");
    checkout(&ours, &[], Overwrite::Force).unwrap();
    assert!(root.join("data").is_file());
}

#[cfg(unix)]
#[test]
fn a_damaged_object_is_not_used_and_a_sound_one_is_protected_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let writable = || std::fs::Permissions::from_mode(0o644);
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    let cache = Cache::of(&ours);
    let (a, z) = (
        cache
            .object("0cc175b9c0f1b6a831c399e269772661", false)
            .unwrap(),
        cache
            .object("fbade9e36a3f36d3d676c1b808451dd7", false)
            .unwrap(),
    );
    std::fs::set_permissions(&a, writable()).unwrap();
    std::fs::write(&a, "damaged").unwrap();
    std::fs::set_permissions(&z, writable()).unwrap();
    std::fs::remove_dir_all(ours.root().join("data")).unwrap();
    assert!(
        checkout(&ours, &[], Overwrite::Refuse).is_err(),
        "the damaged object must not become data"
    );
    std::fs::create_dir_all(ours.root().join("data/sub")).unwrap();
    std::fs::write(ours.root().join("data/a.txt"), "a").unwrap();
    std::fs::write(ours.root().join("data/sub/z.txt"), "z").unwrap();
    add(&ours, &["data".into()], &|_| {}).unwrap();
    assert_eq!(
        std::fs::read_to_string(&a).unwrap(),
        "a",
        "adding repairs it"
    );
    let mode = z.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o444, "checked once, then trusted again");
}

#[cfg(unix)]
#[test]
fn files_in_the_folder_get_the_mode_that_any_new_file_gets() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    std::fs::remove_dir_all(ours.root().join("data")).unwrap();
    checkout(&ours, &[], Overwrite::Refuse).unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&ours.root().join("data/a.txt")), mode(&plain));
    assert_eq!(mode(&ours.root().join("data.dvc")), mode(&plain));
}

#[cfg(unix)]
#[test]
fn a_copy_is_the_users_own_and_a_link_is_the_object_where_that_was_asked_for() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    let root = ours.root().to_owned();
    // MD5 of `a`.
    let object = root.join(".dvc/cache/files/md5/0c/c175b9c0f1b6a831c399e269772661");
    let stored = object.metadata().unwrap();
    std::fs::write(root.join("new"), "").unwrap();
    let usual = root.join("new").metadata().unwrap().mode();
    let config = std::fs::read_to_string(root.join(".dvc/config")).unwrap();
    for kind in ["reflink,copy", "hardlink", "symlink"] {
        std::fs::remove_dir_all(root.join("data")).unwrap();
        let text = format!("{config}[cache]\n    type = {kind}\n");
        std::fs::write(root.join(".dvc/config"), text).unwrap();
        let project = Project::open(&root).unwrap();
        checkout(&project, &[], Overwrite::Refuse).unwrap();
        let file = root.join("data/a.txt");
        let meta = std::fs::symlink_metadata(&file).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a", "{kind}");
        assert_eq!(meta.ino() == stored.ino(), kind == "hardlink", "{kind}");
        assert_eq!(meta.is_symlink(), kind == "symlink", "{kind}");
        assert!(kind != "reflink,copy" || meta.mode() == usual, "{meta:?}");
        let names = std::fs::read_dir(root.join("data")).unwrap().count();
        assert_eq!(names, 2, "nothing is left beside it");
    }
}
