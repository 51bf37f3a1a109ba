use lapwing_core::Workspace;
use lapwing_jobs::{Delivery, JobState, Outcome, log, reconcile, start, state, stop};

use crate::{ended, shell, supervisor, until};

fn workspace() -> (tempfile::TempDir, Workspace) {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::at(folder.path());
    (folder, workspace)
}

#[test]
fn output_and_exit_code_are_kept() {
    let (_folder, workspace) = workspace();
    let spec = shell("echo to out; echo to err >&2; printf '\\377\\n'; exit 3");
    start(&workspace, &spec, &supervisor()).unwrap();
    assert_eq!(
        ended(&workspace, &spec.id).outcome,
        Outcome::Failed { code: 3 }
    );
    let chunk = log(&workspace, &spec.id, 0, 1000).unwrap();
    assert_eq!(
        chunk.text, "to out\nto err\n\u{fffd}\n",
        "bytes that are no text do not stop the log"
    );
    assert!(chunk.ended);
}

#[test]
fn the_same_id_runs_once() {
    let (folder, workspace) = workspace();
    let mark = folder.path().join("marks");
    let spec = shell(&format!("echo once >> '{}'", mark.display()));
    start(&workspace, &spec, &supervisor()).unwrap();
    start(&workspace, &spec, &supervisor()).unwrap();
    ended(&workspace, &spec.id);
    assert_eq!(std::fs::read_to_string(mark).unwrap(), "once\n");
}

#[test]
fn stopping_ends_what_it_started() {
    let (folder, workspace) = workspace();
    let pid_file = folder.path().join("pid");
    let spec = shell(&format!(
        "sleep 600 & echo $! > '{}'; wait",
        pid_file.display()
    ));
    start(&workspace, &spec, &supervisor()).unwrap();
    until("the grandchild", || {
        std::fs::read_to_string(&pid_file).is_ok_and(|text| text.ends_with('\n'))
    });
    stop(&workspace, &spec.id).unwrap();
    assert_eq!(ended(&workspace, &spec.id).outcome, Outcome::Cancelled);
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    let alive = || {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        status.is_ok_and(|text| !text.contains(") Z "))
    };
    until("the grandchild's end", || !alive());
    stop(&workspace, &spec.id).expect("stopping twice changes nothing");
}

#[test]
fn a_time_limit_ends_it() {
    let (_folder, workspace) = workspace();
    let mut spec = shell("sleep 600");
    spec.timeout_seconds = Some(1);
    start(&workspace, &spec, &supervisor()).unwrap();
    assert_eq!(
        ended(&workspace, &spec.id).outcome,
        Outcome::TimedOut { seconds: 1 }
    );
}

#[test]
fn a_program_that_is_missing_is_named() {
    let (_folder, workspace) = workspace();
    let mut spec = shell("");
    spec.command.argv = vec!["/no/such/program".to_owned()];
    start(&workspace, &spec, &supervisor()).unwrap();
    let outcome = ended(&workspace, &spec.id).outcome;
    assert!(
        outcome.to_string().contains("/no/such/program"),
        "{outcome}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_job_without_its_supervisor_is_lost_ended_and_said_so() {
    let (_folder, workspace) = workspace();
    let spec = shell("sleep 600");
    start(&workspace, &spec, &supervisor()).unwrap();
    until("the command", || {
        matches!(
            state(&workspace, &spec.id).unwrap(),
            JobState::Running { .. }
        )
    });
    let JobState::Running { pid, .. } = state(&workspace, &spec.id).unwrap() else {
        unreachable!("just seen")
    };
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let supervisor = stat
        .rsplit(") ")
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .to_owned();
    let kill = |pid: &str| {
        std::process::Command::new("kill")
            .args(["-9", pid])
            .status()
            .unwrap()
    };
    kill(&supervisor);
    assert_eq!(
        ended(&workspace, &spec.id).outcome,
        Outcome::Lost,
        "nothing stays `running` without a process"
    );
    until("the command's end", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        !stat.is_ok_and(|text| !text.contains(") Z "))
    });
    assert_eq!(reconcile(&workspace).unwrap().len(), 1);
}

#[test]
fn a_log_can_be_read_in_pieces() {
    let (_folder, workspace) = workspace();
    let spec = shell("i=0; while [ $i -lt 2000 ]; do echo \"Zeile $i ä\"; i=$((i+1)); done");
    start(&workspace, &spec, &supervisor()).unwrap();
    ended(&workspace, &spec.id);
    let (mut text, mut from) = (String::new(), 0);
    loop {
        let chunk = log(&workspace, &spec.id, from, 777).unwrap();
        text.push_str(&chunk.text);
        from = chunk.next;
        if chunk.ended {
            break;
        }
    }
    assert_eq!(text.lines().count(), 2000);
    assert!(!text.contains('\u{fffd}'), "no letter is cut in two");
}

#[cfg(target_os = "linux")]
#[test]
fn another_process_with_the_same_number_is_left_alone() {
    let (_folder, workspace) = workspace();
    let spec = shell("true");
    start(&workspace, &spec, &supervisor()).unwrap();
    let ended_at = ended(&workspace, &spec.id);
    use std::os::unix::process::CommandExt as _;
    let mut stranger = std::process::Command::new("sleep")
        .arg("600")
        .process_group(0)
        .spawn()
        .unwrap();
    let state_file = workspace.job(&spec.id).join("state.json");
    let running = JobState::Running {
        pid: stranger.id(),
        started: ended_at.ended,
        born: Some("some other time".to_owned()),
        log_start: None,
        why: None,
    };
    std::fs::write(&state_file, serde_json::to_vec(&running).unwrap()).unwrap();
    assert_eq!(ended(&workspace, &spec.id).outcome, Outcome::Lost);
    assert!(stranger.try_wait().unwrap().is_none(), "it goes on");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn what_was_made_is_put_where_it_is_wanted_once_the_command_has_succeeded() {
    let (folder, workspace) = workspace();
    let made = folder.path().join("made");
    let delivering = |script: &str, wanted: &str| {
        let mut spec = shell(&format!("echo rows > '{}'; {script}", made.display()));
        spec.deliver = vec![Delivery {
            made: made.clone(),
            wanted: folder.path().join(wanted),
        }];
        start(&workspace, &spec, &supervisor()).unwrap();
        ended(&workspace, &spec.id).outcome
    };
    assert_eq!(delivering("true", "out/rows"), Outcome::Succeeded);
    let read = std::fs::read_to_string(folder.path().join("out/rows"));
    assert_eq!(read.unwrap(), "rows\n");
    let failed = delivering("exit 1", "failed");
    assert_eq!(failed, Outcome::Failed { code: 1 });
    assert!(
        !folder.path().join("failed").exists(),
        "it may not be whole"
    );

    let Outcome::NotFetched { why } = delivering("true", "made/below") else {
        panic!("no file has another one below it");
    };
    let both = [made.join("below"), made.clone()].map(|path| path.display().to_string());
    assert!(both.iter().all(|path| why.contains(path)), "{why}");
}
