//! What lists of jobs leave out.

use lapwing_core::{JobId, RunId, Timestamp};
use lapwing_store::Store;
use lapwing_store::jobs::{self, Job};
use lapwing_store::pipeline_runs::{self, PipelineRun};

use crate::writer::open;

const HOME: &str = "/home/ada/flights";

fn job(store: &Store, run: &RunId, stage: &str, at: i64) -> JobId {
    let id = JobId::random();
    let job = Job {
        id: id.clone(),
        title: stage.to_owned(),
        target: "process".to_owned(),
        project: Some(HOME.to_owned()),
        run_id: Some(run.to_string()),
        stage: Some(stage.to_owned()),
        created: Timestamp(at),
        started: None,
        ended: None,
        status: "queued".to_owned(),
        outcome: None,
    };
    jobs::put(store, job).expect("the store can be written");
    id
}

fn run_in(store: &Store, folder: &str) -> RunId {
    let run_id = RunId::random();
    let run = PipelineRun {
        run_id: run_id.clone(),
        project: folder.to_owned(),
        created: Timestamp(1),
        ended: None,
        request: "{}".to_owned(),
        stages: "[]".to_owned(),
        failure: None,
    };
    pipeline_runs::begin(store, run).expect("the store can be written");
    run_id
}

#[test]
fn the_newest_job_of_a_stage_is_none_of_a_trial_however_many_there_are() {
    let (_folder, _workspace, store) = open();
    let own = run_in(&store, HOME);
    job(&store, &own, "train", 1);
    let newest = job(&store, &own, "train", 2);
    let clean = job(&store, &own, "clean", 1);
    let trial = run_in(&store, "/home/ada/flights/.dvc/tmp/lapwing/sweeps/1");
    for at in 10..1000 {
        job(&store, &trial, "train", at);
    }
    let found = jobs::newest_of_stages(&store, HOME).expect("the store can be read");
    let mut found: Vec<_> = found.into_iter().map(|job| (job.stage, job.id)).collect();
    found.sort();
    assert_eq!(
        found,
        [
            (Some("clean".to_owned()), clean),
            (Some("train".to_owned()), newest)
        ]
    );
    let elsewhere = jobs::newest_of_stages(&store, "/elsewhere").expect("the store can be read");
    assert!(elsewhere.is_empty());
}
