//! A project in a temporary folder, the real `dvc` in it, and a run as the app would make it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use lapwing_data::Project;
use lapwing_pipeline::{
    Action, Pipeline, PlanOptions, StageLock, commands, commit, plan, prepare, recheck, restore,
    stage_env, stage_folder, status, status_json,
};

pub struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    /// An empty project that `dvc init` made.
    pub fn new() -> Self {
        let sandbox = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let git = Command::new("git")
            .args(["init", "-q"])
            .current_dir(sandbox.root())
            .status()
            .unwrap();
        assert!(git.success());
        sandbox.dvc(&["init", "-q"]);
        sandbox
    }

    /// A project that needs no real `dvc`.
    pub fn bare(files: &[(&str, &str)]) -> Self {
        let sandbox = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for (path, content) in files.iter().chain(&[(".dvc/config", "")]) {
            sandbox.write(path, content);
        }
        sandbox
    }

    pub fn with(files: &[(&str, &str)]) -> Self {
        let sandbox = Self::new();
        for (path, content) in files {
            sandbox.write(path, content);
        }
        sandbox
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    pub fn remove(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }

    /// Runs the real program; a failure ends the test.
    pub fn dvc(&self, args: &[&str]) -> String {
        let output = self.try_dvc(args);
        assert!(
            output.status.success(),
            "dvc {args:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn try_dvc(&self, args: &[&str]) -> Output {
        let peers = std::env::var_os("LAPWING_TEST_PEERS").expect(
            "LAPWING_TEST_PEERS must name the Python environment with dvc; `make test` sets it",
        );
        Command::new(Path::new(&peers).join("bin/dvc"))
            .args(args)
            .current_dir(self.root())
            .env("DVC_NO_ANALYTICS", "1")
            .env("DVC_SITE_CACHE_DIR", self.path(".dvc/tmp/site"))
            .env("SHELL", "/bin/sh")
            .output()
            .unwrap()
    }

    pub fn dvc_status(&self) -> serde_json::Value {
        serde_json::from_str(&self.dvc(&["status", "--json"])).unwrap()
    }

    pub fn project(&self) -> Project {
        Project::open(self.root()).unwrap()
    }

    pub fn pipeline(&self) -> Pipeline {
        Pipeline::read(&self.project()).unwrap()
    }

    pub fn our_status(&self) -> serde_json::Value {
        status_json(&status(&self.pipeline(), &self.project()).unwrap())
    }

    pub fn plan(&self) -> Vec<(String, Action)> {
        let options = PlanOptions::default();
        let plan = plan(&self.pipeline(), &self.project(), &options).unwrap();
        plan.steps
            .into_iter()
            .map(|step| (step.stage, step.action))
            .collect()
    }

    /// Runs what a plan says, as the app does, and gives what was done for each stage.
    pub fn run(&self) -> Vec<(String, Action)> {
        let project = self.project();
        let pipeline = self.pipeline();
        let options = PlanOptions::default();
        let plan = plan(&pipeline, &project, &options).unwrap();
        let mut done = Vec::new();
        for step in plan.steps {
            let stage = pipeline.stage(&step.stage).unwrap();
            let action = recheck(&project, stage, false).unwrap().action;
            match action {
                Action::Run => {
                    self.run_stage(&step.stage);
                }
                Action::Restore => {
                    restore(&project, stage, &mut |_| {}).unwrap();
                }
                Action::Skip | Action::Frozen => {}
            }
            done.push((step.stage, action));
        }
        done
    }

    pub fn run_stage(&self, address: &str) -> StageLock {
        let project = self.project();
        let pipeline = self.pipeline();
        let stage = pipeline.stage(address).unwrap();
        prepare(&project, stage).unwrap();
        for command in commands(stage, Some("/bin/sh")) {
            let status = Command::new(&command.argv[0])
                .args(&command.argv[1..])
                .envs(stage_env(self.root(), stage))
                .current_dir(stage_folder(self.root(), stage))
                .status()
                .unwrap();
            assert!(status.success(), "{}", command.line);
        }
        commit(&project, stage, &mut |_| {}).unwrap()
    }
}
