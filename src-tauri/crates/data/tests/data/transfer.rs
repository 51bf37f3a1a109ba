//! Each output goes to the remote that it names.

use std::collections::BTreeMap;
use std::path::Path;

use lapwing_data::{Error, Project, Transfer, add, pull, push};

fn named(remote: &str) -> Transfer<'_> {
    Transfer {
        remote: Some(remote),
        ..Transfer::default()
    }
}

fn project(folder: &Path) -> Project {
    let root = folder.join("project");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("one"), "1").unwrap();
    std::fs::write(root.join("two"), "2").unwrap();
    let project = Project::init(&root).unwrap();
    add(&project, &["one".into(), "two".into()], &|_| {}).unwrap();
    let at = |name: &str| folder.join(name).display().to_string();
    project
        .add_remote("main", &at("main"), true, &BTreeMap::new())
        .unwrap();
    project
        .add_remote("vault", &at("vault"), false, &BTreeMap::new())
        .unwrap();
    let file = root.join("two.dvc");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}  remote: vault\n")).unwrap();
    Project::open(&root).unwrap()
}

const ONE: &str = "files/md5/c4/ca4238a0b923820dcc509a6f75849b";
const TWO: &str = "files/md5/c8/1e728d9d4c2f636f067f89cc14862c";

#[test]
fn an_output_with_its_own_remote_goes_there_and_comes_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    push(&ours, &Transfer::default()).unwrap();
    let there = |path: &str| folder.path().join(path).is_file();
    assert!(there(&format!("main/{ONE}")) && there(&format!("vault/{TWO}")));
    assert!(!there(&format!("main/{TWO}")) && !there(&format!("vault/{ONE}")));

    std::fs::remove_dir_all(ours.root().join(".dvc/cache")).unwrap();
    std::fs::remove_file(ours.root().join("two")).unwrap();
    pull(&ours, &Transfer::default()).unwrap();
    assert_eq!(
        std::fs::read_to_string(ours.root().join("two")).unwrap(),
        "2"
    );
}

#[test]
fn a_named_remote_leaves_out_what_belongs_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    let sent = push(&ours, &named("main")).unwrap();
    assert_eq!(sent.files, 1, "as dvc does");
    assert!(!folder.path().join("vault").exists());
}

#[test]
fn what_is_not_on_the_remote_is_told_apart_from_a_remote_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    std::fs::remove_dir_all(ours.root().join(".dvc/cache")).unwrap();
    let error = pull(&ours, &named("main")).unwrap_err();
    assert!(matches!(error, Error::NoFolder(_)), "not mounted: {error}");
    std::fs::create_dir_all(folder.path().join("main")).unwrap();
    let error = pull(&ours, &named("main")).unwrap_err();
    assert!(matches!(error, Error::NotInCache { .. }), "{error}");
    // Something that is no file lies under the name.
    std::fs::create_dir_all(folder.path().join("main").join(ONE)).unwrap();
    let error = pull(&ours, &named("main")).unwrap_err();
    assert!(matches!(error, Error::Remote(_)), "{error}");
}

#[test]
fn a_remote_keeps_its_other_settings_and_a_bad_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ours = project(folder.path());
    let file = ours.root().join(".dvc/config");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace(
        "['remote \"vault\"']\n",
        "['remote \"vault\"']\n    jobs = 3\n",
    );
    std::fs::write(&file, text).unwrap();
    ours.add_remote("vault", "/somewhere/else", false, &BTreeMap::new())
        .unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("jobs = 3"), "{text}");
    assert!(text.contains("url = /somewhere/else"), "{text}");
    assert_eq!(text.matches("vault\"").count(), 1, "{text}");
    let vault = Project::open(ours.root()).unwrap().config().remotes();
    assert!(
        vault
            .iter()
            .any(|remote| remote.name == "main" && remote.default)
    );
    for (name, url) in [
        ("a\"b", "/x"),
        ("a]", "/x"),
        ("a\nb", "/x"),
        ("", "/x"),
        ("a", "/x\n[core]"),
    ] {
        assert!(
            ours.add_remote(name, url, false, &BTreeMap::new()).is_err(),
            "`{name}` `{url}`"
        );
    }
    // One setting that cannot stand there: then the remote does not either.
    let before = std::fs::read_to_string(&file).unwrap();
    for (key, value) in [("a b", "x"), ("region", "x\n[core]"), ("password", "x")] {
        let settings = BTreeMap::from([
            ("profile".to_owned(), "work".to_owned()),
            (key.to_owned(), value.to_owned()),
        ]);
        let refused = ours.add_remote("bucket", "s3://b", true, &settings);
        assert!(refused.is_err(), "`{key}`");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before, "`{key}`");
    }
}
