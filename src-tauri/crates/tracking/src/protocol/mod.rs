//! MLflow's REST API, version [`API_VERSION`]: paths and JSON here, meaning in the domain files.
//!
//! Every call is a function from JSON to JSON in one table ([`calls::call`]); artifacts stream past it.

mod artifacts;
mod calls;
mod input;
mod models;
mod render;
mod runs;

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::{Value, json};
use tower_http::timeout::TimeoutLayer;

use crate::{Error, Guard, Tracking, guarded};

/// The MLflow version whose API is spoken.
pub const API_VERSION: &str = "3.17.2";
/// A batch of 1,000 metrics is far below this.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(300);

/// The MLflow API behind its guard.
pub fn router(tracking: Tracking, guard: Guard) -> Router {
    let mut files = Router::new();
    let mut routes = Router::new()
        .route("/health", get(|| async { "OK" }))
        .route("/version", get(|| async { API_VERSION }));
    for prefix in ["/api", "/ajax-api"] {
        files = files
            .route(
                &format!("{prefix}/2.0/mlflow-artifacts/artifacts"),
                get(artifacts::list),
            )
            .route(
                &format!("{prefix}/2.0/mlflow-artifacts/artifacts/{{*path}}"),
                get(artifacts::download)
                    .put(artifacts::upload)
                    .delete(artifacts::delete),
            );
        routes = routes
            .route(
                &format!("{prefix}/{{version}}/mlflow/{{*call}}"),
                any(answer),
            )
            .route(
                &format!("{prefix}/2.0mlflow/{{*call}}"),
                any(answer_unversioned),
            );
    }
    let routes = routes
        .fallback(|| async { failure(&Error::NotFound("there is no such path".to_owned())) })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            TIMEOUT,
        ))
        // A large file takes as long as it takes: an upload ends only when nothing comes any more.
        .merge(files)
        .with_state(tracking);
    guarded(routes, guard)
}

/// MLflow's error body.
pub(super) fn failure(error: &Error) -> Response {
    let (status, code) = error.mlflow();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (
        status,
        axum::Json(json!({ "error_code": code, "message": error.to_string() })),
    )
        .into_response()
}

async fn answer(
    State(tracking): State<Tracking>,
    Path((_, call)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    respond(tracking, call, method, &headers, query, body).await
}

/// The client's path for searching data sets has no slash after the version.
async fn answer_unversioned(
    State(tracking): State<Tracking>,
    Path(call): Path<String>,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    respond(tracking, call, method, &headers, query, body).await
}

async fn respond(
    tracking: Tracking,
    call: String,
    method: Method,
    headers: &HeaderMap,
    query: Option<String>,
    body: Bytes,
) -> Response {
    let input = match read_input(&method, headers, query.as_deref(), &body) {
        Ok(input) => input,
        Err(error) => return failure(&error),
    };
    let done =
        tokio::task::spawn_blocking(move || calls::call(&tracking, &method, &call, &input)).await;
    match done {
        Ok(Ok(answer)) => axum::Json(answer).into_response(),
        Ok(Err(error)) => failure(&error),
        Err(error) => {
            tracing::error!(%error, "a call panicked");
            failure(&Error::Io(std::io::Error::other(
                "an internal error, see the log",
            )))
        }
    }
}

fn read_input(
    method: &Method,
    headers: &HeaderMap,
    query: Option<&str>,
    body: &Bytes,
) -> Result<Value, Error> {
    if *method == Method::GET || (body.is_empty() && query.is_some()) {
        return Ok(input::from_query(query.unwrap_or_default()));
    }
    if body.is_empty() {
        return Ok(json!({}));
    }
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    if !kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case("application/json")
    {
        return Err(Error::Invalid(
            "Content-Type must be application/json".to_owned(),
        ));
    }
    input::from_body(body)
}
