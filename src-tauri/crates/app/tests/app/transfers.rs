//! A push that is watched and stopped from elsewhere, as the window does it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use lapwing_app::wire::dispatch;
use lapwing_app::{App, Options};
use serde_json::{Value, json};

use crate::registry::{Access, Registry};

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

#[test]
fn a_clone_on_its_way_is_told_and_stopped_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (app, project) = workspace(folder.path());
    let from = Path::new(project["project"].as_str().unwrap());
    for arguments in [
        &["add", "-f", "many"][..],
        &[
            "-c",
            "user.name=Ada",
            "-c",
            "user.email=ada@example.org",
            "commit",
            "-qm",
            "All",
        ],
    ] {
        let done = Command::new("git")
            .args(arguments)
            .current_dir(from)
            .status();
        assert!(done.unwrap().success(), "{arguments:?}");
    }
    let into = folder.path().join("clones/birds");
    let url = format!("file://{}", from.display());
    let clone = json!({ "url": url, "path": into });

    let seen = Arc::new(Mutex::new(Vec::new()));
    let (keep, window) = (Arc::clone(&seen), app.clone());
    app.show_progress(move |what, _, _| {
        let mut seen = keep.lock().unwrap();
        if seen.is_empty() && what.starts_with("Received 1") {
            let row = ask(&window, "transfers.list", json!({ "project": null }))[0].take();
            ask(&window, "transfers.stop", json!({ "id": row["id"] }));
            seen.push(row);
        }
    });
    let report = dispatch(&app, "projects.clone", clone.clone()).unwrap_err();
    assert_eq!(report.name, "git.stopped", "{report:?}");
    let row = seen.lock().unwrap()[0].clone();
    assert_eq!(
        [
            &row["direction"],
            &row["cargo"],
            &row["name"],
            &row["remote"]
        ],
        ["pull", "commits", "birds", url.as_str()],
        "{row}"
    );
    assert!(row["total"].as_u64() > row["done"].as_u64(), "{row}");
    let left: Vec<_> = std::fs::read_dir(folder.path().join("clones"))
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let cloned = ask(&app, "projects.clone", clone);
    assert_eq!(cloned["name"], "birds", "{cloned}");
    assert!(into.join("many/7.txt").exists());
}

/// A model with a file of several parts, registered as version 1.
fn register(app: &App, folder: &Path) {
    const BYTES: usize = 40 << 20;
    let model = folder.join("model");
    std::fs::create_dir_all(&model).unwrap();
    let flavors = "flavors:\n  python_function:\n    loader_module: nobody\n";
    std::fs::write(model.join("MLmodel"), flavors).unwrap();
    let weights: Vec<u8> = (0..BYTES).map(|n| (n % 251) as u8).collect();
    std::fs::write(model.join("weights.bin"), weights).unwrap();
    let input = json!({ "name": "birds", "source": model, "alias": null });
    ask(app, "models.register", input);
}

#[test]
fn a_model_on_its_way_is_told_and_stopped_as_data_is() {
    let folder = tempfile::tempdir().unwrap();
    let (app, project) = workspace(folder.path());
    let registry = Registry::start(&folder.path().join("images"), Access::Everyone);
    register(&app, folder.path());
    let add = json!({
        "project": null, "name": "images", "url": format!("http://127.0.0.1:{}", registry.port), "kind": "oci", "default": false,
        "user": null, "secret": null, "options": {},
    });
    ask(&app, "remotes.add", add);
    let push = json!({
        "project": project["project"], "model": "birds/1", "remote": "images", "name": null, "alias": null,
    });

    let seen = Arc::new(Mutex::new(Vec::new()));
    let (keep, window) = (Arc::clone(&seen), app.clone());
    app.show_progress(move |what, done, _| {
        let mut seen = keep.lock().unwrap();
        if seen.is_empty() && what == "weights.bin" && done > 0 {
            // It belongs to no project: every page of models shows it.
            let row = ask(&window, "transfers.list", json!({ "project": null }))[0].take();
            ask(&window, "transfers.stop", json!({ "id": row["id"] }));
            seen.push(row);
        }
    });
    let report = dispatch(&app, "models.push", push.clone()).unwrap_err();
    assert_eq!(report.name, "remote.stopped", "{report:?}");
    let row = seen.lock().unwrap()[0].clone();
    assert_eq!(
        [
            &row["direction"],
            &row["cargo"],
            &row["name"],
            &row["remote"]
        ],
        ["push", "model", "birds/1", "images"],
        "{row}"
    );
    assert!(row["total"].as_u64() > row["done"].as_u64(), "{row}");
    let after = ask(&app, "transfers.list", project);
    assert_eq!(after, json!([]), "what is over is not listed");
    let there = json!({ "project": null, "remote": "images", "text": "birds" });
    let there = ask(&app, "models.search_remote", there);
    assert_eq!(there["rows"], json!([]), "half a version is none");

    let done = ask(&app, "models.push", push);
    assert_eq!(done["new"], true, "{done}");
    let pull = json!({ "project": null, "address": "images:birds", "name": "owls", "alias": null });
    assert_eq!(ask(&app, "models.pull", pull)["new"], true);
}
