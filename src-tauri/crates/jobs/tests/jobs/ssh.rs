use std::path::Path;

use lapwing_core::Workspace;
use lapwing_jobs::{JobSpec, JobState, Outcome, RemoteSpec, Target, log, ssh, start, state, stop};

use crate::left_out::left_out;
use crate::sshd::Sshd;
use crate::{ended, shell, supervisor, until};

pub struct Bench {
    pub sshd: Sshd,
    pub folder: tempfile::TempDir,
    pub workspace: Workspace,
}

impl Bench {
    pub fn new() -> Option<Self> {
        Some(Self::with(Sshd::start()?))
    }

    pub fn with(sshd: Sshd) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(folder.path().join("workspace"));
        std::fs::create_dir(folder.path().join("project")).unwrap();
        Self {
            sshd,
            folder,
            workspace,
        }
    }

    pub fn project(&self) -> std::path::PathBuf {
        self.folder.path().join("project")
    }

    pub fn there(&self, script: &str, files: &[&str], outputs: &[&str]) -> JobSpec {
        let mut spec = shell(script);
        spec.cwd = self.project();
        spec.target = Target::Ssh(RemoteSpec {
            files: files.iter().map(ToString::to_string).collect(),
            outputs: outputs.iter().map(ToString::to_string).collect(),
            ..RemoteSpec::new(self.sshd.host(), self.project())
        });
        spec
    }

    pub fn start(&self, spec: &JobSpec) {
        start(&self.workspace, spec, &supervisor()).unwrap();
    }

    pub fn ended(&self, spec: &JobSpec) -> Outcome {
        ended(&self.workspace, &spec.id).outcome
    }

    pub fn log(&self, spec: &JobSpec) -> String {
        log(&self.workspace, &spec.id, 0, 1 << 20).unwrap().text
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.project().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn runs(&self, spec: &JobSpec) {
        until("the command", || {
            matches!(
                state(&self.workspace, &spec.id).unwrap(),
                JobState::Running { .. }
            )
        });
    }

    pub fn jobs_there(&self) -> usize {
        std::fs::read_dir(self.sshd.at("there/jobs"))
            .map(Iterator::count)
            .unwrap_or_default()
    }
}

#[test]
fn a_host_says_what_it_is() {
    let Some(sshd) = Sshd::start() else { return };
    let machine = ssh::greet(&sshd.host()).unwrap();
    assert_eq!(machine.system, "Linux");
}

#[test]
fn output_and_exit_code_come_over() {
    let Some(bench) = Bench::new() else { return };
    let mut spec = bench.there(
        "echo to out; echo to err >&2; printf '%s\\n' \"$ODD\"; printf 'no end'; exit 3",
        &[],
        &[],
    );
    let odd = "it's \"$HOME\" `id` ä\n\\two";
    spec.env.insert("ODD".to_owned(), odd.to_owned());
    bench.start(&spec);
    assert_eq!(bench.ended(&spec), Outcome::Failed { code: 3 });
    let log = bench.log(&spec);
    assert!(
        log.ends_with(&format!("to out\nto err\n{odd}\nno end")),
        "{log}"
    );
    until("the job's folder there to go", || bench.jobs_there() == 0);
}

#[test]
fn a_signal_is_told_from_an_exit_code() {
    let Some(bench) = Bench::new() else { return };
    let spec = bench.there("kill -9 $$", &[], &[]);
    bench.start(&spec);
    assert_eq!(bench.ended(&spec), Outcome::Signalled { signal: 9 });
}

#[test]
fn cancelling_ends_what_it_started_there() {
    let Some(bench) = Bench::new() else { return };
    let pid_file = bench.folder.path().join("pid");
    let spec = bench.there(
        &format!("sleep 600 & echo $! > '{}'; wait", pid_file.display()),
        &[],
        &[],
    );
    bench.start(&spec);
    until("the grandchild", || {
        std::fs::read_to_string(&pid_file).is_ok_and(|text| text.ends_with('\n'))
    });
    stop(&bench.workspace, &spec.id).unwrap();
    assert_eq!(bench.ended(&spec), Outcome::Cancelled);
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    until("the grandchild's end", || !lives(pid.trim()));
    until("the job's folder there to go", || bench.jobs_there() == 0);
}

pub fn lives(pid: &str) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    status.is_ok_and(|text| !text.contains(") Z "))
}

#[test]
fn a_time_limit_holds_there() {
    let Some(bench) = Bench::new() else { return };
    let mut spec = bench.there("sleep 600", &[], &[]);
    spec.timeout_seconds = Some(1);
    bench.start(&spec);
    assert_eq!(bench.ended(&spec), Outcome::TimedOut { seconds: 1 });
}

#[test]
fn files_go_there_and_outputs_come_home() {
    let Some(bench) = Bench::new() else { return };
    bench.write("train.sh", "#!/bin/sh\ncat 'data/a b.csv'\n");
    bench.write("data/a b.csv", "1,2\n");
    bench.write("secret.env", "not listed\n");
    bench.write("out/old", "stays\n");
    std::os::unix::fs::symlink("data/a b.csv", bench.project().join("link")).unwrap();
    let program = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bench.project().join("train.sh"), program).unwrap();
    let mut spec = bench.there(
        "set -e; [ ! -e ../secret.env ]; (cd .. && ./train.sh); cat ../link; mkdir -p ../out/deep; echo made > '../out/deep/-it'; \
         echo new > ../model.bin; echo no > ../unasked; [ \"$DVC_ROOT\" = \"$(cd .. && pwd -P)\" ]",
        &["train.sh", "data/a b.csv", "link"],
        &["out", "model.bin", "missing"],
    );
    spec.cwd = bench.project().join("data");
    let root = bench.project().display().to_string();
    spec.env.insert("DVC_ROOT".to_owned(), root);
    bench.start(&spec);
    assert_eq!(
        bench.ended(&spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    assert!(
        bench.log(&spec).ends_with("1,2\n1,2\n"),
        "{}",
        bench.log(&spec)
    );
    let read = |name: &str| std::fs::read_to_string(bench.project().join(name)).ok();
    assert_eq!(read("out/deep/-it").as_deref(), Some("made\n"));
    assert_eq!(read("model.bin").as_deref(), Some("new\n"));
    assert_eq!(read("unasked"), None, "only what is declared comes home");
    assert_eq!(read("out/old").as_deref(), Some("stays\n"));
}

#[test]
fn a_machine_with_nothing_but_a_unix_will_do() {
    let Some(bench) = Bench::new() else { return };
    let bin = bench.sshd.at("bin");
    std::fs::create_dir(&bin).unwrap();
    let tools = "cat chmod cp cut date find head id ln mkdir mv nohup rm setsid sh sha256sum sleep sync tail tar touch tr uname wc xargs";
    for tool in tools.split(' ') {
        let place = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
        let place = place.iter().find(|place| place.exists()).unwrap();
        std::os::unix::fs::symlink(place, bin.join(tool)).unwrap();
    }
    bench.sshd.force(&format!(
        "PATH={} exec sh -c \"$SSH_ORIGINAL_COMMAND\"",
        bin.display()
    ));
    bench.write("a/b c/d.txt", "deep\n");
    bench.write("run.sh", "");
    bench.sshd.command(
        &bench.project().join("run.sh"),
        "#!/bin/sh\ncat 'a/link' > out/made\n",
    );
    std::os::unix::fs::symlink("b c/d.txt", bench.project().join("a/link")).unwrap();
    let spec = bench.there(
        "./run.sh",
        &["a/b c/d.txt", "a/link", "run.sh"],
        &["out/made"],
    );
    bench.start(&spec);
    assert_eq!(
        bench.ended(&spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    let made = std::fs::read_to_string(bench.project().join("out/made")).unwrap();
    assert_eq!(made, "deep\n");
}

#[test]
fn a_second_job_sends_only_what_changed() {
    let Some(bench) = Bench::new() else { return };
    for at in 0..20 {
        bench.write(&format!("f{at}"), &format!("content {at}"));
    }
    let names: Vec<String> = (0..20).map(|at| format!("f{at}")).collect();
    let files: Vec<&str> = names.iter().map(String::as_str).collect();
    let first = bench.there("cat f7", &files, &[]);
    bench.start(&first);
    assert_eq!(bench.ended(&first), Outcome::Succeeded);
    assert!(bench.log(&first).contains("sending 20 of 20 files"));
    bench.write("f7", "changed");
    let second = bench.there("cat f7 f8", &files, &[]);
    bench.start(&second);
    assert_eq!(bench.ended(&second), Outcome::Succeeded);
    assert_eq!(
        bench.log(&second),
        "sending 1 of 20 files (7 B)\nchangedcontent 8"
    );
}

#[test]
fn the_folders_of_outputs_are_there_though_nothing_in_them_travels() {
    let Some(bench) = Bench::new() else { return };
    let mut spec = bench.there("echo 1 > ../models/deep/m; pwd", &[], &["models/deep/m"]);
    spec.cwd = bench.project().join("empty");
    bench.start(&spec);
    assert_eq!(
        bench.ended(&spec),
        Outcome::Succeeded,
        "{}",
        bench.log(&spec)
    );
    assert!(bench.project().join("models/deep/m").exists());
}

#[test]
fn a_path_outside_of_the_project_is_not_sent() {
    let Some(bench) = Bench::new() else { return };
    let spec = bench.there("true", &["../outside"], &[]);
    bench.start(&spec);
    let outcome = bench.ended(&spec).to_string();
    assert!(outcome.contains("../outside"), "{outcome}");
}

/// Prints a line for each of the numbers to `until`, slowly, and ends when `go` appears.
fn counting(bench: &Bench, until: usize) -> JobSpec {
    let go = bench.folder.path().join("go");
    bench.there(
        &format!(
            "i=0; while [ $i -lt {until} ]; do i=$((i+1)); echo \"line $i\"; done; until [ -e '{}' ]; do sleep 0.05; done; \
             while [ $i -lt {} ]; do i=$((i+1)); echo \"line $i\"; done; echo made > out; printf tail",
            go.display(),
            until * 2
        ),
        &[],
        &["out"],
    )
}

fn has_all_lines(log: &str, count: usize) {
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.starts_with("line "))
        .collect();
    let wanted: Vec<String> = (1..=count).map(|at| format!("line {at}")).collect();
    assert_eq!(lines, wanted, "every line once, in its order");
    assert!(log.ends_with("tail"), "the tail is not lost");
}

#[test]
fn a_job_goes_on_when_its_supervisor_is_killed() {
    let Some(bench) = Bench::new() else { return };
    let spec = counting(&bench, 2000);
    bench.start(&spec);
    until("half of the log", || {
        bench.log(&spec).contains("line 1000\n")
    });
    crate::docker::kill_supervisor(&bench.workspace, &spec);
    std::fs::write(bench.folder.path().join("go"), "").unwrap();
    assert_eq!(bench.ended(&spec), Outcome::Succeeded);
    has_all_lines(&bench.log(&spec), 4000);
    assert!(bench.project().join("out").exists());
}

#[test]
fn a_log_goes_on_when_the_connection_is_killed() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let spec = counting(&bench, 2000);
    bench.start(&spec);
    until("half of the log", || {
        bench.log(&spec).contains("line 1000\n")
    });
    bench.sshd.kill();
    until("a word about it", || {
        matches!(
            state(&bench.workspace, &spec.id).unwrap(),
            JobState::Running { why: Some(_), .. }
        )
    });
    std::fs::write(bench.folder.path().join("go"), "").unwrap();
    bench.sshd.again();
    assert_eq!(bench.ended(&spec), Outcome::Succeeded);
    has_all_lines(&bench.log(&spec), 4000);
    assert!(bench.project().join("out").exists());
}

#[test]
fn an_end_that_nobody_saw_is_found() {
    let Some(bench) = Bench::new() else { return };
    let spec = counting(&bench, 10);
    bench.start(&spec);
    bench.runs(&spec);
    crate::docker::kill_supervisor(&bench.workspace, &spec);
    std::fs::write(bench.folder.path().join("go"), "").unwrap();
    let exit = bench
        .sshd
        .at("there/jobs")
        .join(spec.id.to_string())
        .join("exit");
    until("the end there", || exit.exists());
    assert_eq!(bench.ended(&spec), Outcome::Succeeded);
    has_all_lines(&bench.log(&spec), 20);
}

#[test]
fn a_command_that_vanished_is_lost() {
    let Some(bench) = Bench::new() else { return };
    let spec = bench.there("sleep 600", &[], &[]);
    bench.start(&spec);
    bench.runs(&spec);
    let pids = bench
        .sshd
        .at("there/jobs")
        .join(spec.id.to_string())
        .join("pid");
    until("its numbers", || pids.exists());
    let pids = std::fs::read_to_string(pids).unwrap();
    let pids: Vec<&str> = pids.split_whitespace().collect();
    for pid in [pids[2], pids[0]] {
        let killed = std::process::Command::new("kill")
            .args(["-9", pid])
            .status();
        assert!(killed.unwrap().success());
    }
    assert_eq!(bench.ended(&spec), Outcome::Lost);
}

fn why_not(bench: &Bench) -> String {
    let spec = bench.there("true", &[], &[]);
    bench.start(&spec);
    match bench.ended(&spec) {
        Outcome::NotStarted { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_that_is_not_accepted_is_said() {
    let Some(bench) = Bench::new() else { return };
    std::fs::write(bench.sshd.at("authorized_keys"), "").unwrap();
    insta::assert_snapshot!(why_not(&bench), @"box does not accept your key");
}

#[test]
fn a_host_key_that_is_not_known_is_said() {
    let Some(bench) = Bench::new() else { return };
    std::fs::write(bench.sshd.at("known_hosts"), "").unwrap();
    insta::assert_snapshot!(why_not(&bench), @"box has never been connected to: its host key is not known here");
}

#[test]
fn what_to_try_by_hand_leads_to_the_same_machine() {
    let Some(sshd) = Sshd::start() else { return };
    std::fs::write(sshd.at("known_hosts"), "").unwrap();
    let host = ssh::SshHost {
        port: Some(sshd.port),
        ..ssh::SshHost {
            destination: "root@box".to_owned(),
            ..sshd.ssh_host()
        }
    };
    let by_hand = format!(
        "ssh -F {} -p {} root@box",
        sshd.at("config").display(),
        sshd.port
    );
    let hint = || {
        let report = ssh::greet(&ssh::Host::Ssh(host.clone())).unwrap_err();
        report.report().hint.unwrap()
    };
    assert_eq!(
        hint(),
        format!("run `{by_hand}` once, and compare the fingerprint that it shows")
    );
    sshd.know(&sshd.at("host_key.pub"));
    std::fs::write(sshd.at("authorized_keys"), "").unwrap();
    let refused = hint();
    assert!(refused.contains(&format!("`{by_hand}`")), "{refused}");
}

#[test]
fn a_machine_that_moved_is_not_reached_where_it_was() {
    let (Some(bench), Some(new)) = (Bench::new(), Sshd::start()) else {
        return;
    };
    // The port of the server that it came in by.
    let port = || {
        let spec = bench.there("set -- $SSH_CONNECTION; printf \"$4\"", &[], &[]);
        bench.start(&spec);
        let ended = bench.ended(&spec);
        assert_eq!(ended, Outcome::Succeeded, "{}", bench.log(&spec));
        let log = bench.log(&spec);
        log.lines().last().unwrap().parse::<u16>().unwrap()
    };
    assert_eq!(port(), bench.sshd.port);
    let config = std::fs::read_to_string(new.at("config")).unwrap();
    std::fs::write(bench.sshd.at("config"), config).unwrap();
    assert_eq!(port(), new.port, "the first connection is open still");
}

#[test]
fn a_machine_that_came_back_with_another_key_is_not_trusted() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    assert!(ssh::greet(&bench.sshd.host()).is_ok());
    bench.sshd.kill();
    for name in ["host_key", "host_key.pub"] {
        std::fs::remove_file(bench.sshd.at(name)).unwrap();
    }
    crate::sshd::key(&bench.sshd.at("host_key"));
    bench.sshd.again();
    let report = ssh::greet(&bench.sshd.host()).unwrap_err().report();
    assert_eq!(report.name, "ssh.host_key_changed", "{report:?}");
}

#[test]
fn a_host_key_that_has_changed_is_said_with_its_place() {
    let Some(bench) = Bench::new() else { return };
    crate::sshd::key(&bench.sshd.at("other"));
    bench.sshd.know(&bench.sshd.at("other.pub"));
    let report = ssh::greet(&bench.sshd.host()).unwrap_err().report();
    assert_eq!(report.name, "ssh.host_key_changed");
    let place = format!("{}:1", bench.sshd.at("known_hosts").display());
    assert!(
        report.hint.unwrap().contains(&place),
        "the hint names the line to remove"
    );
}

#[test]
fn a_host_that_is_not_there_is_said() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    bench.sshd.kill();
    let why = why_not(&bench);
    assert!(why.contains("Connection refused"), "{why}");
    let nowhere = lapwing_jobs::ssh::SshHost::new("no-such-host.invalid");
    let error = ssh::greet(&ssh::Host::Ssh(nowhere)).unwrap_err();
    assert_eq!(error.to_string(), "there is no host no-such-host.invalid");
}

#[test]
fn a_host_that_would_be_an_option_is_refused() {
    for odd in ["-oProxyCommand=touch /tmp/x", "", "a;b", "a b"] {
        let error = lapwing_jobs::ssh::SshHost::new(odd).check().unwrap_err();
        assert_eq!(error.report().name, "ssh.bad_host", "{odd}");
    }
}

#[test]
fn a_login_script_that_prints_does_no_harm() {
    let Some(bench) = Bench::new() else { return };
    bench
        .sshd
        .force("echo 'Welcome! log 5'\nexec sh -c \"$SSH_ORIGINAL_COMMAND\"");
    let spec = bench.there("echo quiet", &[], &[]);
    bench.start(&spec);
    assert_eq!(bench.ended(&spec), Outcome::Succeeded);
    assert!(
        bench.log(&spec).ends_with("quiet\n"),
        "{}",
        bench.log(&spec)
    );
}

#[test]
fn a_full_disk_there_is_said() {
    let Some(bench) = Bench::new() else { return };
    let there = bench.sshd.at("there");
    let mount = |arguments: &[&str]| {
        std::process::Command::new("mount")
            .args(arguments)
            .arg(&there)
            .output()
            .is_ok_and(|output| output.status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"]) {
        left_out("no right to mount a small disk");
        return;
    }
    bench.write("big", &"x".repeat(3 << 20));
    let spec = bench.there("true", &["big"], &[]);
    bench.start(&spec);
    let outcome = bench.ended(&spec);
    let unmounted = std::process::Command::new("umount")
        .arg("-l")
        .arg(&there)
        .status();
    assert!(unmounted.unwrap().success());
    assert_eq!(
        outcome,
        Outcome::NotStarted {
            why: "the disk of box is full".to_owned(),
            hint: Some("make room there, or give the host another folder".to_owned()),
        }
    );
}

#[test]
fn a_cancel_while_the_host_is_away_holds_when_it_is_back() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let pid_file = bench.folder.path().join("pid");
    let spec = bench.there(
        &format!("echo $$ > '{}'; exec sleep 600", pid_file.display()),
        &[],
        &[],
    );
    bench.start(&spec);
    bench.runs(&spec);
    until("the command", || {
        std::fs::read_to_string(&pid_file).is_ok_and(|text| text.ends_with('\n'))
    });
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    bench.sshd.kill();
    std::fs::write(bench.workspace.job(&spec.id).join("cancel"), "").unwrap();
    until("a word about it", || {
        matches!(
            state(&bench.workspace, &spec.id).unwrap(),
            JobState::Running { why: Some(_), .. }
        )
    });
    assert!(lives(pid.trim()), "only the host itself can end it");
    bench.sshd.again();
    assert_eq!(bench.ended(&spec), Outcome::Cancelled);
    until("its end", || !lives(pid.trim()));
}

#[test]
fn outputs_come_home_after_a_cut_and_damaged_ones_do_not() {
    let Some(bench) = Bench::new() else { return };
    bench.write("out", "good\n");
    let spec = bench.there("echo better > out; chmod 000 out", &[], &["out"]);
    bench.start(&spec);
    let outcome = bench.ended(&spec);
    if outcome == Outcome::Succeeded {
        // Root reads everything.
        return;
    }
    assert!(matches!(outcome, Outcome::NotFetched { .. }), "{outcome}");
    assert_eq!(
        bench.jobs_there(),
        1,
        "what could not be fetched lies there still"
    );
}
