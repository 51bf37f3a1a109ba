use lapwing_core::Workspace;
use lapwing_jobs::{DockerSpec, Image, JobState, Mount, Outcome, Target, log, start, state, stop};

use crate::left_out::left_out;
use crate::{ended, shell, supervisor, until};

/// The base image that `make test` found or made; without an engine these tests cannot say anything.
pub fn image() -> Option<String> {
    let image = std::env::var("LAPWING_TEST_DOCKER")
        .ok()
        .filter(|name| !name.is_empty());
    if image.is_none() {
        left_out("no Docker engine (LAPWING_TEST_DOCKER is not set)");
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

#[cfg(target_os = "linux")]
pub fn kill_supervisor(workspace: &Workspace, spec: &lapwing_jobs::JobSpec) {
    let folder = workspace.job(&spec.id).display().to_string();
    let pid = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .find(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
                String::from_utf8_lossy(&line).contains(&format!("__supervise\0{folder}"))
            })
        })
        .expect("a supervisor");
    let killed = std::process::Command::new("kill")
        .args(["-9", &pid])
        .status()
        .unwrap();
    assert!(killed.success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_new_supervisor_goes_on_with_log_and_limit() {
    let Some(image) = image() else { return };
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::at(folder.path().join("workspace"));
    let mut spec = in_docker(
        "echo first; while [ ! -e go ]; do sleep 0.1; done; echo second",
        &image,
        folder.path(),
    );
    spec.timeout_seconds = Some(150);
    start(&workspace, &spec, &supervisor()).unwrap();
    let text = || log(&workspace, &spec.id, 0, 1000).unwrap().text;
    until("its first line", || text().contains("first\n"));
    kill_supervisor(&workspace, &spec);
    until("a new supervisor", || {
        // Asking is what brings it; the lock says when it is there.
        state(&workspace, &spec.id).unwrap();
        let lock = std::fs::File::open(workspace.job(&spec.id).join("lock")).unwrap();
        lock.try_lock().is_err()
    });
    std::fs::write(folder.path().join("go"), "").unwrap();
    assert_eq!(ended(&workspace, &spec.id).outcome, Outcome::Succeeded);
    assert_eq!(text(), "first\nsecond\n", "nothing twice");
}

#[cfg(target_os = "linux")]
#[test]
fn the_time_limit_counts_from_the_start_of_the_container() {
    let Some(image) = image() else { return };
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::at(folder.path().join("workspace"));
    let mut spec = in_docker("echo up; exec sleep 600", &image, folder.path());
    spec.timeout_seconds = Some(300);
    start(&workspace, &spec, &supervisor()).unwrap();
    until("its line", || {
        log(&workspace, &spec.id, 0, 1000)
            .unwrap()
            .text
            .contains("up")
    });
    kill_supervisor(&workspace, &spec);
    // As if all of it had begun long ago.
    let file = workspace.job(&spec.id).join("state.json");
    let mut written: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    written["running"]["started"] = serde_json::to_value(lapwing_core::Timestamp(1)).unwrap();
    std::fs::write(&file, written.to_string()).unwrap();
    assert_eq!(
        ended(&workspace, &spec.id).outcome,
        Outcome::TimedOut { seconds: 300 }
    );
}

#[test]
fn cancelling_ends_the_building_of_an_image() {
    let Some(base) = image() else { return };
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::at(folder.path().join("workspace"));
    let mut spec = in_docker("true", &base, folder.path());
    if let Target::Docker(docker) = &mut spec.target {
        docker.image = Image::Environment {
            base,
            // Nothing answers there, and pip waits long.
            requirements: format!("--retries 100\nsix @ https://192.0.2.1/{}.whl\n", spec.id),
            constraints: String::new(),
        };
    }
    start(&workspace, &spec, &supervisor()).unwrap();
    until("the build", || {
        log(&workspace, &spec.id, 0, 10_000)
            .unwrap()
            .text
            .contains("building the image")
    });
    until("how far it is", || {
        let state = lapwing_jobs::state(&workspace, &spec.id).unwrap();
        let why = state.why().unwrap_or_default();
        why.starts_with("building the image from") && why.contains(", step ")
    });
    stop(&workspace, &spec.id).unwrap();
    assert_eq!(ended(&workspace, &spec.id).outcome, Outcome::Cancelled);
}

#[test]
fn an_image_is_built_from_requirements_and_kept() {
    let Some(base) = image() else { return };
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::at(folder.path().join("workspace"));
    let file = folder.path().join("requirements.txt");
    std::fs::write(&file, "-r more.txt\n-c pins.txt\n").unwrap();
    std::fs::write(folder.path().join("more.txt"), "six\n").unwrap();
    std::fs::write(folder.path().join("pins.txt"), "six==1.16.0\n").unwrap();
    let run = || {
        let mut spec = in_docker(
            "python -c 'import six; print(six.__version__)'",
            &base,
            folder.path(),
        );
        if let Target::Docker(docker) = &mut spec.target {
            docker.image = Image::environment(base.clone(), &file).unwrap();
        }
        start(&workspace, &spec, &supervisor()).unwrap();
        let outcome = ended(&workspace, &spec.id).outcome;
        let text = log(&workspace, &spec.id, 0, 1 << 20).unwrap().text;
        assert_eq!(outcome, Outcome::Succeeded, "{text}");
        assert!(text.ends_with("1.16.0\n"), "{text}");
        text
    };
    run();
    assert_eq!(run(), "1.16.0\n", "the second run builds nothing");
}

#[test]
fn a_service_starts_is_replaced_and_stops() {
    use lapwing_jobs::docker::{self, ServiceSpec, ServiceState};
    let Some(image) = image() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let spec = ServiceSpec {
        name: format!("lapwing-test-{}", lapwing_core::JobId::random()),
        image,
        argv: [
            "/bin/sh",
            "-c",
            "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null; echo serving; trap 'exit 0' TERM; sleep 600 & wait",
        ]
        .map(str::to_owned)
        .to_vec(),
        env: Vec::new(),
        mounts: Vec::new(),
        publish: (port, 8000),
        memory_bytes: None,
        cpus: Some(0.5),
    };
    runtime.block_on(async {
        assert_eq!(
            docker::service_state(&spec.name).await.unwrap(),
            ServiceState::Missing
        );
        docker::service_start(&spec).await.unwrap();
        docker::service_start(&spec)
            .await
            .expect("one of the same name is replaced");
        assert_eq!(
            docker::service_state(&spec.name).await.unwrap(),
            ServiceState::Running
        );
        docker::service_stop(&spec.name).await.unwrap();
        docker::service_stop(&spec.name)
            .await
            .expect("stopping twice changes nothing");
        let state = docker::service_state(&spec.name).await.unwrap();
        assert!(matches!(state, ServiceState::Stopped { .. }), "{state:?}");
        let said = docker::service_logs(&spec.name, 5).await.unwrap();
        docker::service_remove(&spec.name).await.unwrap();
        assert!(said.ends_with("serving\n"), "{said}");
        assert!(said.starts_with("50000"), "half a processor: {said}");
        assert_eq!(
            docker::service_state(&spec.name).await.unwrap(),
            ServiceState::Missing
        );
    });
}
