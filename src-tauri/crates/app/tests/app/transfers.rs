//! A push that is watched and stopped from elsewhere, as the window does it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use lapwing_app::wire::dispatch;
use lapwing_app::{App, Options};
use serde_json::{Value, json};

/// Far more than go at the same time.
const FILES: usize = 60;

fn ask(app: &App, name: &str, input: Value) -> Value {
    dispatch(app, name, input).unwrap_or_else(|report| panic!("{name}: {report:?}"))
}

/// A project with a folder of many files and a default remote.
fn workspace(folder: &Path) -> (App, Value) {
    let app = App::open(Options {
        home: folder.join("home"),
        program: folder.join("no-program"),
        keychain: false,
    })
    .unwrap();
    let project = folder.join("project");
    std::fs::create_dir_all(project.join("many")).unwrap();
    ask(&app, "projects.init", json!({ "path": project }));
    for number in 0..FILES {
        let text = format!("content {number}\n");
        std::fs::write(project.join(format!("many/{number}.txt")), text).unwrap();
    }
    let input = json!({ "project": project, "paths": ["many"], "message": null });
    ask(&app, "data.add", input);
    lapwing_data::Project::open(&project)
        .unwrap()
        .add_remote(
            "store",
            &folder.join("store").display().to_string(),
            true,
            &BTreeMap::new(),
        )
        .unwrap();
    (app, json!({ "project": project }))
}

#[test]
fn a_stopped_push_is_gone_on_with_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (app, project) = workspace(folder.path());
    let push = json!({ "project": project["project"], "remote": null, "paths": [] });

    // Every hand waits here while the first that has finished a file asks for the end.
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (keep, window, here) = (Arc::clone(&seen), app.clone(), project.clone());
    app.show_progress(move |what, _, _| {
        let mut seen = keep.lock().unwrap();
        if seen.is_empty() && !what.starts_with("Pushed 0 ") {
            let row = ask(&window, "transfers.list", here.clone())[0].take();
            ask(&window, "transfers.stop", json!({ "id": row["id"] }));
            let then = ask(&window, "transfers.list", here.clone())[0].take();
            seen.extend([row, then]);
        }
    });
    let report = dispatch(&app, "data.push", push.clone()).unwrap_err();
    assert_eq!(report.name, "remote.stopped", "{report:?}");

    let seen = seen.lock().unwrap().clone();
    let [row, then] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    assert_eq!(row["direction"], "push", "{row}");
    assert!(row["total"].as_u64() > row["done"].as_u64(), "{row}");
    let stopping = (&row["stopping"], &then["stopping"]);
    assert_eq!(stopping, (&json!(false), &json!(true)), "it says so");
    let after = ask(&app, "transfers.list", project);
    assert_eq!(after, json!([]), "what is over is not listed");

    let done = ask(&app, "data.push", push);
    let (sent, skipped) = (done["files"].as_u64(), done["skipped"].as_u64());
    assert!(sent > Some(1) && skipped > Some(0), "{done}");
    let all = FILES as u64 + 1; // With the folder's listing.
    assert_eq!(sent.zip(skipped).map(|(a, b)| a + b), Some(all), "{done}");
}
