//! A copy of a project, for commands that must not disturb it.

use std::path::Path;

use lapwing_data::{Cache, Project, add, snapshot};

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn read(project: &Project, name: &str) -> String {
    std::fs::read_to_string(project.root().join(name)).unwrap()
}

/// A committed script, a tracked data file, and a `.gitignore`.
fn project(root: &Path) -> Project {
    let project = Project::init(root).unwrap();
    write(root, "train.py", "print(1)");
    write(root, ".gitignore", "*.log\n/raw.csv\n");
    write(root, "data/a.csv", "x\n1\n");
    add(&project, &[root.join("data/a.csv")], &|_| {}).unwrap();
    project.commit_all("first").unwrap();
    project
}

fn inputs() -> Vec<String> {
    ["data/a.csv", "raw.csv", "later.csv"]
        .map(str::to_owned)
        .to_vec()
}

#[test]
fn the_copy_is_what_lies_here_and_nothing_leads_back() {
    let folder = tempfile::tempdir().unwrap();
    let here = project(folder.path());
    let root = here.root().to_owned();
    write(&root, "train.py", "print(2)");
    write(&root, "new.py", "3");
    write(&root, "raw.csv", "y\n");
    write(&root, "noise.log", "x");
    let copy = snapshot(&here, &inputs(), &root.join(".dvc/tmp/copy")).unwrap();

    assert_eq!(
        read(&copy, "train.py"),
        "print(2)",
        "an uncommitted change counts"
    );
    assert_eq!(read(&copy, "new.py"), "3");
    assert_eq!(
        read(&copy, "raw.csv"),
        "y\n",
        "an input, though git ignores it"
    );
    assert_eq!(read(&copy, "data/a.csv"), "x\n1\n");
    assert!(!copy.root().join("noise.log").exists());
    assert_eq!(
        copy.head().unwrap().unwrap().id,
        here.head().unwrap().unwrap().id,
        "a script that asks git for the commit gets the right one"
    );
    assert!(copy.is_dirty().unwrap());
    std::fs::remove_file(copy.root().join("new.py")).unwrap();
    write(copy.root(), "train.py", "print(1)");
    assert!(
        !copy.is_dirty().unwrap(),
        "with the commit's files it is clean"
    );

    copy.commit_all("there").unwrap();
    std::fs::remove_file(copy.root().join("data/a.csv")).unwrap();
    write(copy.root(), "data/a.csv", "x\n2\n");
    assert_eq!(read(&here, "data/a.csv"), "x\n1\n");
    assert_eq!(read(&here, "train.py"), "print(2)");
    assert!(
        lapwing_data::status(&here)
            .unwrap()
            .iter()
            .all(|out| out.state == lapwing_data::State::Clean)
    );
}

#[test]
fn data_comes_from_the_cache_and_what_is_written_there_stays_there() {
    let folder = tempfile::tempdir().unwrap();
    let here = project(folder.path());
    let root = here.root().to_owned();
    let copy = snapshot(&here, &inputs(), &root.join(".dvc/tmp/one")).unwrap();
    assert_eq!(Cache::of(&copy).root(), Cache::of(&here).root());
    // As a script does that appends to what it reads, and as root, whom no mode stops.
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(copy.root().join("data/a.csv"))
        .unwrap();
    std::io::Write::write_all(&mut file, b"more\n").unwrap();
    let status = lapwing_data::status(&here).unwrap();
    let object = Cache::of(&here)
        .object(status[0].out.md5.as_deref().unwrap(), false)
        .unwrap();
    assert_eq!(std::fs::read_to_string(object).unwrap(), "x\n1\n");
    let other = snapshot(&here, &inputs(), &root.join(".dvc/tmp/other")).unwrap();
    assert_eq!(read(&other, "data/a.csv"), "x\n1\n");
    write(&root, "data/a.csv", "x\n7\n");
    let copy = snapshot(&here, &inputs(), &root.join(".dvc/tmp/two")).unwrap();
    assert_eq!(
        read(&copy, "data/a.csv"),
        "x\n7\n",
        "not added yet, but what lies here"
    );
}

#[test]
fn what_was_hashed_here_is_not_hashed_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let here = project(folder.path());
    let root = here.root().to_owned();
    write(&root, "raw.csv", "y\n");
    let id = |project: &Project, path: &str| {
        let place = project.root().join(path);
        let content = lapwing_data::content_of(project, &place, false).unwrap();
        content.id
    };
    let raw = id(&here, "raw.csv");
    let copy = snapshot(&here, &inputs(), &root.join(".dvc/tmp/copy")).unwrap();
    // Who does not look at the bytes does not see this.
    for path in ["raw.csv", "data/a.csv"] {
        let place = copy.root().join(path);
        let at = place.metadata().unwrap().modified().unwrap();
        let text = read(&copy, path).replace(['x', 'y'], "z");
        let before = id(&here, path);
        let file = std::fs::OpenOptions::new().write(true).open(&place);
        let mut file = file.unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        file.set_modified(at).unwrap();
        assert_eq!(id(&copy, path), before, "{path} is known");
    }
    let moved = root.join("moved");
    std::fs::rename(copy.root(), &moved).unwrap();
    let moved = Project::open(&moved).unwrap();
    assert_eq!(id(&moved, "raw.csv"), raw, "wherever the project lies");

    write(&root, "raw.csv", "another\n");
    let copy = snapshot(&here, &inputs(), &root.join(".dvc/tmp/two")).unwrap();
    assert_ne!(id(&copy, "raw.csv"), raw, "changed since it was hashed");
}

#[cfg(unix)]
#[test]
fn the_settings_of_this_machine_come_along_and_stay_as_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let here = project(folder.path());
    let own = here.root().join(".dvc/config.local");
    std::fs::write(
        &own,
        "['remote \"s\"']\n    password = tern\n[cache]\n    type = copy\n",
    )
    .unwrap();
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o600)).unwrap();
    let here = Project::open(here.root()).unwrap();
    let copy = snapshot(&here, &[], &here.root().join(".dvc/tmp/copy")).unwrap();
    let file = copy.root().join(".dvc/config.local");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(
        text.matches("[cache]").count(),
        1,
        "the real dvc refuses a section twice: {text}"
    );
    assert!(
        text.contains("password = tern") && text.contains("type = copy"),
        "{text}"
    );
}

#[test]
fn a_project_below_its_repository_and_one_without_commits_can_be_copied() {
    let folder = tempfile::tempdir().unwrap();
    let outer = folder.path().join("outer");
    Project::init(&outer).unwrap();
    std::fs::remove_dir_all(outer.join(".dvc")).unwrap();
    let inner = Project::init(&outer.join("team/model")).unwrap();
    write(inner.root(), "train.py", "1");
    let copy = snapshot(&inner, &[], &folder.path().join("copy")).unwrap();
    assert!(
        copy.root().ends_with("copy/team/model"),
        "{}",
        copy.root().display()
    );
    assert_eq!(read(&copy, "train.py"), "1");
    assert_eq!(copy.head().unwrap(), None);
}
