use std::path::Path;

use lapwing_data::beneath;

#[test]
fn what_leaves_the_root_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir_all(root.join("a")).unwrap();
    for bad in ["../x", "/etc/passwd", "a/../../x"] {
        assert!(beneath(&root, Path::new(bad)).is_err(), "`{bad}` leads out");
    }
    assert_eq!(
        beneath(&root, Path::new("a/./b")).unwrap(),
        root.join("a/b")
    );
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_out_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir_all(&root).unwrap();
    std::os::unix::fs::symlink(folder.path(), root.join("out")).unwrap();
    assert!(
        beneath(&root, Path::new("out/secret")).is_err(),
        "the link's target lies outside"
    );
}
