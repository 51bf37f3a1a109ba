use lapwing_serving::{ColumnType, model_folder};

use crate::peers::model;

#[test]
fn a_folder_of_mlflow_is_read_whole() {
    let folder = model_folder::read(&model("forest")).expect("mlflow wrote it");
    let columns: Vec<_> = folder
        .signature
        .inputs
        .columns()
        .iter()
        .map(|column| (column.name.as_str(), column.kind))
        .collect();
    let wanted = [
        ("distance", ColumnType::Double),
        ("hour", ColumnType::Long),
        ("carrier", ColumnType::String),
        ("origin", ColumnType::String),
    ];
    assert_eq!(columns, wanted);
    assert!(folder.flavors.contains_key("sklearn"));
    assert!(
        folder
            .requirements
            .iter()
            .any(|line| line.starts_with("scikit-learn==")),
        "{:?}",
        folder.requirements
    );
    assert!(folder.python_version.is_some());
    assert!(folder.size > 1000);
    let row = folder.example_row().expect("it was saved with an example");
    assert_eq!(
        row.keys().collect::<Vec<_>>(),
        ["distance", "hour", "carrier", "origin"]
    );
    assert!(!folder.pickles().is_empty(), "the model itself is a pickle");
}

#[test]
fn what_is_no_model_folder_is_said_clearly() {
    let folder = tempfile::tempdir().expect("there is room");
    let error = model_folder::read(folder.path()).expect_err("it is empty");
    assert_eq!(error.report().name, "serving.no_model");
    fs_err::write(folder.path().join("MLmodel"), "flavors: [").expect("there is room");
    let error = model_folder::read(folder.path()).expect_err("it is broken");
    assert_eq!(error.report().name, "serving.unreadable");
    assert!(error.report().message.contains("MLmodel"));
    let broken = "flavors: {}\nsignature:\n  inputs: 'no json'\n";
    fs_err::write(folder.path().join("MLmodel"), broken).expect("there is room");
    assert!(
        model_folder::read(folder.path()).is_err(),
        "a broken signature is not silently none"
    );
}
