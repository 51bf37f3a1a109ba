//! Many callers, one writer a process, several processes' worth of stores on one folder.

use lapwing_core::{RunId, Timestamp, Workspace};
use lapwing_store::runs::{self, Metric, Point, Run};
use lapwing_store::{Feed, Store};

const THREADS: i64 = 8;
const FOLDERS: usize = 20;
const WRITES: i64 = 40;

pub fn open() -> (tempfile::TempDir, Workspace, Store) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let workspace = Workspace::at(folder.path());
    let store = Store::open(&workspace).expect("an empty folder becomes a workspace");
    (folder, workspace, store)
}

pub fn run(store: &Store) -> RunId {
    let id = RunId::random();
    insert(store, &id, 0).expect("the experiment `Default` is there from the start");
    id
}

fn insert(store: &Store, id: &RunId, experiment_id: i64) -> lapwing_store::Result<()> {
    let row = Run {
        id: id.clone(),
        experiment_id,
        experiment: String::new(),
        name: "brisk".to_owned(),
        user: "ada".to_owned(),
        status: "RUNNING".to_owned(),
        start: Timestamp(1),
        end: None,
        lifecycle: "active".to_owned(),
    };
    runs::insert(store, row, Vec::new())
}

fn loss(step: i64) -> Vec<Metric> {
    let point = Point {
        step,
        timestamp: Timestamp(step),
        value: 0.5,
    };
    vec![Metric {
        key: "loss".to_owned(),
        point,
    }]
}

#[test]
fn writers_of_two_stores_on_one_folder_never_find_it_locked() {
    let (_folder, workspace, first) = open();
    let second = Store::open(&workspace).expect("a second process opens the same folder");
    let id = run(&first);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = if thread % 2 == 0 { &first } else { &second };
            let id = &id;
            scope.spawn(move || {
                for write in 0..WRITES {
                    let logged = runs::log(
                        store,
                        id,
                        loss(thread * WRITES + write),
                        Vec::new(),
                        Vec::new(),
                    );
                    logged
                        .expect("waiting for the other store is not a failure")
                        .expect("there is no parameter to clash");
                }
            });
        }
    });
    let points = runs::history(&second, &id, "loss").expect("the history reads");
    assert_eq!(
        points.len() as i64,
        THREADS * WRITES,
        "every acknowledged value is there once"
    );
}

#[test]
fn stores_that_open_a_new_folder_at_once_make_one_schema() {
    // The moment in which two of them could meet is short: many folders, and a common start.
    for _ in 0..FOLDERS {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let workspace = Workspace::at(folder.path());
        let start = std::sync::Barrier::new(THREADS as usize);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    Store::open(&workspace).expect("all of them open")
                });
            }
        });
    }
}

#[test]
fn work_that_fails_takes_back_only_its_own_part() {
    let (_folder, _workspace, store) = open();
    let ids: Vec<(RunId, bool)> = (0..THREADS * 4)
        .map(|number| (RunId::random(), number % 2 == 0))
        .collect();
    // All at once, so that good and bad work share commits.
    std::thread::scope(|scope| {
        for (id, good) in &ids {
            let store = &store;
            scope.spawn(move || {
                let experiment = if *good { 0 } else { 4711 };
                assert_eq!(
                    insert(store, id, experiment).is_ok(),
                    *good,
                    "only an unknown experiment is refused"
                );
            });
        }
    });
    for (id, good) in ids {
        let found = runs::get(&store, &id).expect("the run reads").is_some();
        assert_eq!(
            found, good,
            "a neighbour's failure neither removes nor leaves a row"
        );
    }
}

#[test]
fn a_change_is_told_to_the_other_store() {
    let (_folder, workspace, store) = open();
    let other = Store::open(&workspace).expect("a second process opens the same folder");
    let mut feed = Feed::from_now(&other);
    let id = run(&store);
    let changes = feed.poll().expect("the feed reads");
    assert!(
        changes
            .iter()
            .any(|change| change.id.as_deref() == Some(id.as_str())),
        "the run is named: {changes:?}"
    );
}
