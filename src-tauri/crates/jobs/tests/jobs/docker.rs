use lapwing_core::Workspace;
use lapwing_jobs::{DockerSpec, Image, JobState, Mount, Outcome, Target, log, start, state, stop};

use crate::{ended, shell, supervisor, until};

/// The base image that `make test` found or made; without an engine these tests cannot say anything.
fn image() -> Option<String> {
    let image = std::env::var("LAPWING_TEST_DOCKER")
        .ok()
        .filter(|name| !name.is_empty());
    if image.is_none() {
        eprintln!("skipped: no Docker engine (LAPWING_TEST_DOCKER is not set)");
    }
    image
}

fn in_docker(script: &str, image: &str, folder: &std::path::Path) -> lapwing_jobs::JobSpec {
    let mut spec = shell(script);
    spec.cwd = folder.to_owned();
    spec.target = Target::Docker(DockerSpec {
        image: Image::Named(image.to_owned()),
        mounts: vec![Mount {
            host: folder.to_owned(),
            container: folder.to_owned(),
            read_only: false,
        }],
        memory_bytes: Some(256 << 20),
        cpus: Some(1.0),
    });
    spec
}

#[test]
fn a_job_runs_in_a_container_and_leaves_files_and_log() {
    let Some(image) = image() else { return };
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::at(folder.path().join("workspace"));
    let spec = in_docker("echo inside; id -u > made; exit 4", &image, folder.path());
    start(&workspace, &spec, &supervisor()).unwrap();
    assert_eq!(
        ended(&workspace, &spec.id).outcome,
        Outcome::Failed { code: 4 }
    );
    assert!(
        log(&workspace, &spec.id, 0, 1000)
            .unwrap()
            .text
            .contains("inside")
    );
    assert!(folder.path().join("made").exists(), "what it wrote is here");
}

#[test]
fn a_container_can_be_cancelled() {
    let Some(image) = image() else { return };
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::at(folder.path().join("workspace"));
    let spec = in_docker("echo up; sleep 600", &image, folder.path());
    start(&workspace, &spec, &supervisor()).unwrap();
    until("the container", || {
        matches!(
            state(&workspace, &spec.id).unwrap(),
            JobState::Running { .. }
        )
    });
    stop(&workspace, &spec.id).unwrap();
    assert_eq!(ended(&workspace, &spec.id).outcome, Outcome::Cancelled);
}

#[test]
fn an_image_that_is_missing_is_named() {
    let Some(_) = image() else { return };
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::at(folder.path().join("workspace"));
    let spec = in_docker("true", "no-such-image:none", folder.path());
    start(&workspace, &spec, &supervisor()).unwrap();
    let outcome = ended(&workspace, &spec.id).outcome;
    assert!(
        outcome.to_string().contains("no-such-image:none"),
        "{outcome}"
    );
}
