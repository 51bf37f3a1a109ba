//! The table of calls: method and path to the function that answers.

use axum::http::Method;
use serde_json::{Value, json};

use super::{models, runs};
use crate::{Error, Result, Tracking};

/// Answers one call.
pub(super) fn call(
    tracking: &Tracking,
    method: &Method,
    path: &str,
    input: &Value,
) -> Result<Value> {
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    match parts.as_slice() {
        ["server-info"] => Ok(server_info()),
        ["logged-models", rest @ ..] => models::logged(tracking, method, rest, input),
        ["experiments", verb] => runs::experiments(tracking, verb, input),
        ["runs", verb] => runs::runs(tracking, verb, input),
        ["metrics", verb] => runs::metrics(tracking, verb, input),
        ["artifacts", "list"] => runs::artifacts(tracking, input),
        ["registered-models", verb] => models::registered(tracking, method, verb, input),
        ["model-versions", verb] => models::versions(tracking, verb, input),
        _ => Err(Error::NotFound(format!("there is no call {method} {path}"))),
    }
}

fn server_info() -> Value {
    json!({
        "store_type": "SqlStore",
        "workspaces_enabled": false,
        "multipart_uploads_enabled": false,
        "trace_archival_enabled": false,
        "presigned_upload_run_id_supported": false,
    })
}
