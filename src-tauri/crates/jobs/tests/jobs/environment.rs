//! With the real uv and a package index.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use lapwing_core::Workspace;
use lapwing_jobs::environment::{self, Environment, ProjectEnvironment};

fn make(root: &Path) -> (lapwing_jobs::Result<Environment>, Vec<String>) {
    let said = Mutex::new(Vec::new());
    let made = environment::for_project(root, &ProjectEnvironment::default(), &|line| {
        said.lock().unwrap().push(line.to_owned());
    });
    (made, said.into_inner().unwrap())
}

fn imports(environment: &Environment, module: &str) -> bool {
    Command::new(&environment.python)
        .args(["-c", &format!("import {module}")])
        .status()
        .unwrap()
        .success()
}

#[test]
fn requirements_make_an_environment_once_and_git_sees_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(root)
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    git(&["init", "-q"]);
    std::fs::write(root.join("requirements.txt"), "-r more.txt\n").unwrap();
    std::fs::write(root.join("more.txt"), "six==1.16.0\n").unwrap();
    let (made, said) = make(root);
    let first = made.unwrap();
    assert!(imports(&first, "six"));
    assert!(
        said.iter()
            .any(|line| line.starts_with("Installed 1 package")),
        "uv's own words are passed on: {said:?}"
    );
    assert!(
        !said.iter().any(|line| line.contains("six==1.16.0")),
        "without its list of packages: {said:?}"
    );
    assert_eq!(
        git(&["status", "--short"]),
        "?? more.txt\n?? requirements.txt\n"
    );
    assert_eq!(make(root).1, Vec::<String>::new(), "nothing to do");
    std::fs::write(root.join("more.txt"), "six==1.17.0\n").unwrap();
    let second = make(root).0.unwrap();
    assert_ne!(first.hash, second.hash, "an included file counts");
}

#[test]
fn a_venv_of_the_users_own_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let uv = environment::find_uv().unwrap();
    let venv = |arguments: &[&str]| {
        let mut command = Command::new(&uv);
        let done = command.args(arguments).current_dir(root).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    venv(&["venv", ".venv"]);
    venv(&["pip", "install", "--python", ".venv", "idna"]);
    let theirs = make(root).0.unwrap();
    assert!(imports(&theirs, "idna"), "used where nothing else is said");
    std::fs::write(root.join("requirements.txt"), "six==1.17.0\n").unwrap();
    let ours = make(root).0.unwrap();
    assert!(imports(&ours, "six"));
    assert!(imports(&theirs, "idna"), "what they installed is there");
    assert!(!imports(&theirs, "six"), "and nothing was added to it");
}

#[test]
fn a_failed_change_is_not_taken_for_complete() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let file = root.join("requirements.txt");
    std::fs::write(&file, "six==1.17.0\n").unwrap();
    make(root).0.unwrap();
    std::fs::write(&file, "six==0.0.0.0.1\n").unwrap();
    let error = make(root).0.unwrap_err().to_string();
    assert!(error.contains("six"), "{error}");
    std::fs::write(&file, "six==1.17.0\n").unwrap();
    assert!(imports(&make(root).0.unwrap(), "six"), "made again");
}

#[test]
fn a_pyproject_is_synced_once() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let text = "[project]\nname = \"x\"\nversion = \"0\"\nrequires-python = \">=3.9\"\ndependencies = [\"six\"]\n";
    std::fs::write(root.join("pyproject.toml"), text).unwrap();
    assert!(imports(&make(root).0.unwrap(), "six"));
    assert_eq!(make(root).1, Vec::<String>::new(), "not a second time");
}

#[test]
fn equal_requirements_share_an_environment() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::at(folder.path());
    let make = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        environment::for_requirements(&workspace, &names, None, &|_| {}).unwrap()
    };
    let one = make(&["six", "idna"]);
    assert!(imports(&one, "idna"));
    assert_eq!(one, make(&["idna", "six", "six"]));
}
