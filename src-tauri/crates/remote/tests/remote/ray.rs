//! Answers recorded from Ray 2.60; a whole conversation is in the tests of `jobs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use lapwing_remote::ray::{Ray, Status, Submission};
use lapwing_remote::{Client, Error};
use serde_json::json;

use crate::client::serve;

const TRACEBACK: &str = "Traceback (most recent call last):\n  File \"job_agent.py\", line 59\nValueError: Job with submission_id lapwing-1 already exists.\n\n";

/// A submission whose first look-up finds nothing, as when another process submits it meanwhile.
fn crowded() -> Router {
    let asked = Arc::new(AtomicUsize::new(0));
    Router::new()
        .route(
            "/api/jobs/",
            post(|| async { (StatusCode::INTERNAL_SERVER_ERROR, TRACEBACK) }),
        )
        .route(
            "/api/jobs/{id}",
            get(move |Path(id): Path<String>| async move {
                let known = id == "lapwing-1" && asked.fetch_add(1, Ordering::SeqCst) > 0;
                if known {
                    Ok(Json(
                        json!({"status": "PENDING", "message": "x", "driver_exit_code": null}),
                    ))
                } else {
                    Err((StatusCode::NOT_FOUND, format!("Job {id} does not exist")))
                }
            }),
        )
}

#[tokio::test]
async fn a_submission_that_is_there_already_is_a_success_and_a_traceback_is_one_line() {
    let url = serve(crowded()).await;
    let ray = Ray::new(Client::new(&url, None).unwrap());
    let submission = |id: &str| Submission {
        submission_id: id.to_owned(),
        ..Submission::default()
    };
    ray.submit(&submission("lapwing-1")).await.unwrap();
    let job = ray.job("lapwing-1").await.unwrap().unwrap();
    assert_eq!(job.status, Status::Pending);
    let refused = ray.submit(&submission("other")).await.unwrap_err();
    assert!(matches!(refused, Error::Answered { status: 500, .. }));
    let said = refused.to_string();
    assert!(
        said.ends_with("ValueError: Job with submission_id lapwing-1 already exists."),
        "{said}"
    );
    ray.stop("gone").await.unwrap();
}
