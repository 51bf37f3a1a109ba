//! What travels to another machine, and what stays.

use std::path::Path;

use lapwing_data::{Project, Stays, Why, upload_list};

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

type Lines<T> = Vec<(String, T)>;

fn lines(project: &Project, inputs: &[&str]) -> (Lines<Why>, Lines<Stays>) {
    let inputs: Vec<String> = inputs.iter().map(ToString::to_string).collect();
    let list = upload_list(project, &inputs).unwrap();
    let files = list
        .files
        .into_iter()
        .filter(|file| !file.path.starts_with(".dvc"));
    let stays = list.left_out.into_iter();
    (
        files.map(|file| (file.path, file.why)).collect(),
        stays
            .filter(|out| !out.path.starts_with(".dvc"))
            .map(|out| (out.path, out.why))
            .collect(),
    )
}

fn of<T: Copy>(list: &[(&str, T)]) -> Lines<T> {
    list.iter()
        .map(|(path, why)| ((*path).to_owned(), *why))
        .collect()
}

#[test]
fn tracked_new_and_input_files_go_and_the_rest_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let project = Project::init(root).unwrap();
    write(root, ".gitignore", ".venv/\n*.log\n");
    write(root, "train.py", "print(1)");
    write(root, "gone.py", "1");
    write(root, "data/.gitignore", "/raw\n/other.csv\n");
    write(root, "data/raw/a.csv", "1");
    write(root, "data/raw/deep/b.csv", "22");
    write(root, "data/other.csv", "3");
    write(root, ".venv/bin/python", "x");
    write(root, "noise.log", "x");
    project.commit_all("first").unwrap();
    std::fs::remove_file(root.join("gone.py")).unwrap();
    write(root, "new/idea.py", "2");

    let (files, stays) = lines(&project, &["data/raw", "data/none"]);
    assert_eq!(
        files,
        of(&[
            (".gitignore", Why::Tracked),
            ("data/.gitignore", Why::Tracked),
            ("data/raw/a.csv", Why::Input),
            ("data/raw/deep/b.csv", Why::Input),
            ("new/idea.py", Why::New),
            ("train.py", Why::Tracked),
        ])
    );
    assert_eq!(
        stays,
        of(&[
            (".venv/", Stays::Ignored),
            ("data/other.csv", Stays::Ignored),
            ("noise.log", Stays::Ignored),
        ])
    );
    let missing = upload_list(&project, &["data/none".to_owned()])
        .unwrap()
        .missing;
    assert_eq!(
        missing,
        ["data/none"],
        "what is not here cannot be sent, and is said"
    );
}

#[test]
fn a_project_in_a_folder_of_a_repository_sends_its_own_files() {
    let folder = tempfile::tempdir().unwrap();
    git2::Repository::init(folder.path()).unwrap();
    write(folder.path(), "beside.py", "1");
    let root = folder.path().join("inner");
    std::fs::create_dir(&root).unwrap();
    let project = Project::init(&root).unwrap();
    write(&root, "train.py", "1");
    let (files, _) = lines(&project, &[]);
    assert_eq!(files, of(&[("train.py", Why::New)]));
}

#[test]
fn an_input_outside_of_the_project_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let project = Project::init(folder.path()).unwrap();
    assert!(upload_list(&project, &["../other".to_owned()]).is_err());
}
