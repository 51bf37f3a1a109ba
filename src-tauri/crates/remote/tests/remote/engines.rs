//! Answers recorded from Airflow 3.3; for Kubeflow those of its generated client's types. Loopback, and only the routes that are used.

use std::sync::{Arc, Mutex};

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use lapwing_remote::airflow::{Airflow, is_unknown};
use lapwing_remote::engine::State;
use lapwing_remote::kubeflow::Kubeflow;
use lapwing_remote::{Client, Credential, Secret};
use serde_json::{Map, Value, json};

use crate::client::serve;

const RUN: &str = "manual__2026-11-23T20:45:55.079616+00:00";

fn airflow() -> Router {
    let signed = |headers: &HeaderMap| {
        headers
            .get("authorization")
            .is_some_and(|value| value == "Bearer made-here")
    };
    Router::new()
        .route("/auth/token", post(|Json(body): Json<Value>| async move {
            if body == json!({"username": "admin", "password": "canary"}) {
                Ok((StatusCode::CREATED, Json(json!({"access_token": "made-here"}))))
            } else {
                Err((StatusCode::UNAUTHORIZED, Json(json!({"detail": "Invalid credentials"}))))
            }
        }))
        .route("/api/v2/dags/{dag}", patch(move |Path(dag): Path<String>, headers: HeaderMap| async move {
            match (signed(&headers), dag.as_str()) {
                (false, _) => (StatusCode::FORBIDDEN, Json(json!({"detail": "Invalid JWT token"}))),
                (true, "tiny") => (StatusCode::OK, Json(json!({"dag_id": "tiny", "is_paused": false}))),
                (true, _) => (StatusCode::NOT_FOUND, Json(json!({"detail": format!("Dag with id: {dag} was not found")}))),
            }
        }))
        .route("/api/v2/dags/tiny/dagRuns", post(|Json(body): Json<Value>| async move {
            assert_eq!(body, json!({"logical_date": null, "conf": {"rate": 0.75}}));
            Json(json!({"dag_run_id": RUN, "dag_id": "tiny", "state": "queued"}))
        }))
        .route("/api/v2/dags/tiny/dagRuns/{run}", get(|Path(run): Path<String>| async move {
            assert_eq!(run, RUN, "colons and plus signs arrive as they were");
            Json(json!({"dag_run_id": run, "state": "failed"}))
        }))
        .route("/api/v2/dags/tiny/dagRuns/{run}/taskInstances", get(|| async {
            Json(json!({"task_instances": [
                {"task_id": "fit__rf", "task_display_name": "fit@rf", "state": "success", "try_number": 1},
                {"task_id": "b", "task_display_name": "b", "state": "failed", "try_number": 2},
                {"task_id": "c", "task_display_name": "c", "state": "upstream_failed", "try_number": 0},
                {"task_id": "d", "state": null, "try_number": 0},
            ]}))
        }))
        .route("/api/v2/dags/tiny/dagRuns/{run}/taskInstances/b/logs/2", get(|| async {
            let hook = "airflow.task.hooks.airflow.providers.standard.hooks.subprocess.SubprocessHook";
            Json(json!({"content": [
                {"event": "::group::Log message source details"},
                {"event": "DAG bundles loaded: dags-folder", "logger": "airflow.dag_processing"},
                {"event": "too much", "logger": hook},
            ]}))
        }))
}

fn client(url: &str, secret: &str) -> Client {
    let credential = Credential {
        user: Some("admin".to_owned()),
        secret: Secret::new(secret),
    };
    Client::new(url, Some(credential)).unwrap()
}

#[tokio::test]
async fn a_dag_is_started_and_its_failure_told_in_its_own_words() {
    let url = serve(airflow()).await;
    let airflow = Airflow::sign_in(client(&url, "canary")).await.unwrap();
    let conf = Map::from_iter([("rate".to_owned(), json!(0.75))]);
    let id = airflow.trigger("tiny", &conf).await.unwrap();
    let run = airflow.run("tiny", &id).await.unwrap();
    assert_eq!(run.state, State::Failed);
    let tasks: Vec<_> = run
        .tasks
        .iter()
        .map(|task| (task.name.as_str(), task.state, task.why.as_deref()))
        .collect();
    assert_eq!(
        tasks,
        [
            ("fit@rf", State::Succeeded, None),
            ("b", State::Failed, Some("too much")),
            ("c", State::Skipped, None),
            ("d", State::Waiting, None),
        ]
    );
    let unknown = airflow.trigger("other", &conf).await.unwrap_err();
    assert!(is_unknown(&unknown), "{unknown}");
    let refused = Airflow::sign_in(client(&url, "wrong")).await.unwrap_err();
    assert_eq!(refused.report().name, "remote.unauthorized");
}

#[tokio::test]
async fn a_specification_is_started_with_its_run() {
    let seen = Arc::new(Mutex::new(Value::Null));
    let kept = seen.clone();
    let routes = Router::new()
        .route("/apis/v2beta1/runs", post(async move |Json(body): Json<Value>| {
            *kept.lock().unwrap() = body;
            Json(json!({"run_id": "0f3c-1", "state": "PENDING"}))
        }))
        .route("/apis/v2beta1/runs/0f3c-1", get(|| async {
            Json(json!({"run_id": "0f3c-1", "state": "FAILED", "run_details": {"task_details": [
                {"display_name": "root", "state": "FAILED"},
                {"display_name": "clean-driver", "state": "SUCCEEDED"},
                {"display_name": "clean", "state": "SUCCEEDED"},
                {"display_name": "train", "state": "FAILED", "error": {"code": 2, "message": "exit 3"}},
            ]}}))
        }));
    let kubeflow = Kubeflow::new(Client::new(&serve(routes).await, None).unwrap());
    let specification = json!({"schemaVersion": "2.1.0", "pipelineInfo": {"name": "tiny"}});
    let parameters = Map::from_iter([("rate".to_owned(), json!(0.5))]);
    let id = kubeflow
        .start("tiny", &specification, &parameters)
        .await
        .unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        json!({"display_name": "tiny", "pipeline_spec": specification, "runtime_config": {"parameters": {"rate": 0.5}}}),
        "the fields of the generated client's V2beta1Run"
    );
    let run = kubeflow.run(&id).await.unwrap();
    assert_eq!(run.state, State::Failed);
    let tasks: Vec<_> = run
        .tasks
        .iter()
        .map(|task| (task.name.as_str(), task.why.as_deref()))
        .collect();
    assert_eq!(tasks, [("clean", None), ("train", Some("exit 3"))]);
}
