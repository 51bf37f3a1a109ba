//! Routes: from a request to a protocol, a revision, an answer and a line in the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use lapwing_core::{PredictionId, Timestamp};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::live::{Live, Revision};
use super::metrics::Info;
use super::{Gateway, guard};
use crate::answer::{Answer, Refusal};
use crate::predictions::log::{Answered, Entry};
use crate::protocol::{mlflow, openapi, v2};
use crate::runtime::Input;

const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;
/// A body that trickles is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 1024;
/// A connection without a whole request head is closed after this.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
const MAX_HEAD_BYTES: usize = 64 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const MAX_ID_LENGTH: usize = 128;
/// A header may hold so many prediction ids; the body has them all.
const MAX_HEADER_IDS: usize = 16;
const MAX_LOGGED_ERROR: usize = 500;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PREDICTION_IDS: HeaderName = HeaderName::from_static("x-lapwing-prediction-ids");
const REVISION: HeaderName = HeaderName::from_static("x-lapwing-revision");
const V2_LENGTH: HeaderName = HeaderName::from_static(v2::HEADER_LENGTH);

type App = State<Arc<Gateway>>;

/// Accepts connections until `stop`, then lets the requests that have begun end.
pub(super) async fn serve(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    mut stop: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(router(gateway));
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            _ = stop.wait_for(|stop| *stop) => break, // a closed channel is the end as well
        };
        let Some((stream, place)) = accepted else {
            continue;
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE_TIMEOUT)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service.clone());
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // Clients that leave in the middle are none of our business.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?; // the semaphore is never closed
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are small and whole: waiting to fill a packet only delays them.
            let _ = stream.set_nodelay(true);
            Some((stream, place))
        }
        Err(error) => {
            // Out of file descriptors, most likely: connections that end give some back.
            tracing::warn!(%error, "a connection cannot be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/invocations", post(invocations))
        .route("/ping", get(ping))
        .route("/health", get(ping))
        .route("/version", get(|| async { env!("CARGO_PKG_VERSION") }))
        .route("/metrics", get(metrics))
        .route("/docs", get(docs))
        .route("/openapi.json", get(openapi_json))
        .route("/v1/models/{call}", post(v1_predict))
        .route("/v2", get(v2_server))
        .route(
            "/v2/health/live",
            get(|| async { axum::Json(json!({ "live": true })) }),
        )
        .route(
            "/v2/health/ready",
            get(|| async { axum::Json(json!({ "ready": true })) }),
        )
        .route("/v2/models/{model}", get(v2_model))
        .route("/v2/models/{model}/ready", get(v2_ready))
        .route("/v2/models/{model}/infer", post(v2_infer))
        .route(
            "/v2/models/{model}/versions/{version}",
            get(v2_model_version),
        )
        .route(
            "/v2/models/{model}/versions/{version}/ready",
            get(v2_ready_version),
        )
        .route(
            "/v2/models/{model}/versions/{version}/infer",
            post(v2_infer_version),
        )
        .fallback(|request: Request| async move { not_found(request.uri().path()) })
        .method_not_allowed_fallback(|request: Request| async move {
            let message = format!(
                "{} does not answer to {}",
                request.uri().path(),
                request.method()
            );
            (
                StatusCode::METHOD_NOT_ALLOWED,
                axum::Json(json!({ "error_code": "BAD_REQUEST", "message": message })),
            )
        })
        .layer(middleware::from_fn_with_state(
            Arc::clone(&gateway),
            guarded,
        ))
        .with_state(gateway)
}

async fn guarded(State(gateway): App, request: Request, next: Next) -> Response {
    let live = gateway.live();
    match guard::check(
        &live.config,
        gateway.port,
        request.uri().path(),
        request.headers(),
    ) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refuse(&refusal, mlflow::error_body(&refusal)),
    }
}

fn refuse(refusal: &Refusal, body: Value) -> Response {
    (refusal.status, axum::Json(body)).into_response()
}

fn not_found(path: &str) -> Response {
    let refusal = Refusal::not_found(format!("there is nothing at {path}; see /docs"));
    refuse(&refusal, mlflow::error_body(&refusal))
}

async fn ping() -> Response {
    ([(CONTENT_TYPE, "application/json")], "\n").into_response()
}

async fn metrics(State(gateway): App) -> Response {
    let live = gateway.live();
    let infos: Vec<Info> = live
        .revisions
        .iter()
        .map(|revision| Info {
            revision: revision.config.number,
            model: revision.config.model_name.clone(),
            version: revision.version(),
            runtime: revision.loaded.runtime.kind().as_str(),
            weight: live.weight(revision.config.number),
        })
        .collect();
    let text = gateway
        .metrics
        .text(live.config.name.as_str(), &infos, gateway.log.dropped());
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response()
}

async fn openapi_json(State(gateway): App) -> Response {
    let live = gateway.live();
    match live.main() {
        Some(revision) => axum::Json(openapi::document(
            live.config.name.as_str(),
            &revision.version(),
            &revision.model,
        ))
        .into_response(),
        None => not_found("/openapi.json"),
    }
}

async fn docs(State(gateway): App) -> Response {
    let live = gateway.live();
    let Some(revision) = live.main() else {
        return not_found("/docs");
    };
    let page = openapi::page(
        live.config.name.as_str(),
        &revision.config.model_name,
        &revision.version(),
        &revision.model,
    );
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";
    (
        [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (HeaderName::from_static("content-security-policy"), policy),
        ],
        page,
    )
        .into_response()
}

/// What one protocol makes of a body.
struct Parsed {
    input: Input,
    params: Option<Value>,
    ids: Option<Vec<String>>,
    id: Option<String>,
    binary: bool,
}

/// One request on its way: what is needed to answer, count and log it.
struct Call {
    request_id: String,
    begun: Instant,
    at: Timestamp,
    rows: usize,
    revision: Option<Arc<Revision>>,
}

/// What was answered, before it has the shape of a protocol.
struct Done {
    answer: Answer,
    ids: Vec<String>,
    parsed: Parsed,
    revision: Arc<Revision>,
}

type Parse = fn(&HeaderMap, &[u8], &Revision) -> Result<Parsed, Refusal>;

async fn invocations(State(gateway): App, request: Request) -> Response {
    let parse: Parse = |headers, body, revision| {
        let request = mlflow::parse(headers, body, &revision.model.signature)?;
        Ok(Parsed {
            input: request.input,
            params: request.params,
            ids: request.ids,
            id: None,
            binary: false,
        })
    };
    let (call, outcome) = score(&gateway, request, None, parse).await;
    match outcome {
        Ok(done) => respond(
            &call,
            &done,
            axum::Json(mlflow::answer_body(&done.answer, &done.ids)).into_response(),
        ),
        Err(refusal) => with_request_id(&call, refuse(&refusal, mlflow::error_body(&refusal))),
    }
}

/// KServe's first protocol: `POST /v1/models/NAME:predict` with `instances`.
async fn v1_predict(app: App, Path(call): Path<String>, request: Request) -> Response {
    let model = call.strip_suffix(":predict");
    if model.is_some_and(|model| is_ours(&app.live(), model)) {
        return invocations(app, request).await;
    }
    not_found(request.uri().path())
}

async fn score(
    gateway: &Gateway,
    request: Request,
    version: Option<u32>,
    parse: Parse,
) -> (Call, Result<Done, Refusal>) {
    let _in_flight = gateway.metrics.begin();
    let live = gateway.live();
    let (parts, body) = request.into_parts();
    let mut call = Call {
        request_id: request_id(&parts.headers),
        begun: Instant::now(),
        at: Timestamp::now(),
        rows: 0,
        revision: None,
    };
    let outcome = answer(&live, &mut call, &parts.headers, body, version, parse).await;
    record(gateway, &live, &call, &outcome);
    (call, outcome)
}

async fn answer(
    live: &Live,
    call: &mut Call,
    headers: &HeaderMap,
    body: Body,
    version: Option<u32>,
    parse: Parse,
) -> Result<Done, Refusal> {
    let body = whole(body).await?;
    // The time that a client takes to send is not the endpoint's.
    call.begun = Instant::now();
    let revision = match version {
        Some(version) => live.revision(version),
        None => live.choose(&call.request_id),
    };
    let revision =
        Arc::clone(revision.ok_or_else(|| Refusal::not_found("this version is not served"))?);
    call.revision = Some(Arc::clone(&revision));
    let parsed = parse(headers, &body, &revision)?;
    call.rows = parsed.input.rows();
    let ids = prediction_ids(headers, parsed.ids.as_deref(), call.rows)?;
    let limit = Duration::from_secs(u64::from(live.config.timeout_seconds.max(1)));
    let answer = tokio::time::timeout(
        limit,
        revision.predict(&parsed.input, parsed.params.as_ref()),
    )
    .await
    .unwrap_or_else(|_| Err(Refusal::timeout(limit.as_secs())))?;
    Ok(Done {
        answer,
        ids,
        parsed,
        revision,
    })
}

async fn whole(body: Body) -> Result<Bytes, Refusal> {
    let read = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_BYTES)).await;
    let read = read.map_err(|_| Refusal::bad_request("the body did not arrive in time"))?;
    read.map_err(|_| Refusal::too_large(format!("a body has at most {MAX_BODY_BYTES} bytes")))
}

fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| !id.is_empty() && id.len() <= MAX_ID_LENGTH)
        .map_or_else(|| PredictionId::random().to_string(), str::to_owned)
}

/// The client's own ids, from the header or a column `prediction_id`, or new ones.
fn prediction_ids(
    headers: &HeaderMap,
    column: Option<&[String]>,
    rows: usize,
) -> Result<Vec<String>, Refusal> {
    let header = headers.get(PREDICTION_IDS).map(|value| {
        value
            .to_str()
            .unwrap_or_default()
            .split(',')
            .map(|id| id.trim().to_owned())
            .collect::<Vec<_>>()
    });
    let Some(given) = header.or_else(|| column.map(<[String]>::to_vec)) else {
        return Ok((0..rows)
            .map(|_| PredictionId::random().to_string())
            .collect());
    };
    if given.len() != rows {
        return Err(Refusal::bad_request(format!(
            "{} prediction ids are given for {rows} rows",
            given.len()
        )));
    }
    match given.iter().find(|id| id.parse::<PredictionId>().is_err()) {
        Some(wrong) => Err(Refusal::bad_request(format!(
            "`{}` is not a prediction id: it has 32 lower-case hex digits",
            wrong.chars().take(64).collect::<String>()
        ))),
        None => Ok(given),
    }
}

fn record(gateway: &Gateway, live: &Live, call: &Call, outcome: &Result<Done, Refusal>) {
    let elapsed = call.begun.elapsed().as_secs_f64();
    let status = outcome
        .as_ref()
        .map_or_else(|refusal| refusal.status.as_u16(), |_| 200);
    let revision = call
        .revision
        .as_ref()
        .map(|revision| revision.config.number);
    gateway.metrics.count(revision, status, call.rows, elapsed);
    let kept = live.config.log.sample >= 1.0
        || super::live::share(&format!("log {}", call.request_id)) < live.config.log.sample;
    let answered = outcome.as_ref().ok().filter(|_| kept).map(|done| Answered {
        ids: done.ids.clone(),
        predictions: done.answer.predictions.clone(),
        scores: done.answer.scores.clone(),
        features: match &done.parsed.input {
            Input::Columns(batch) => Some(batch.clone()),
            Input::Raw { .. } => None,
        },
    });
    gateway.log.push(Entry {
        request_id: call.request_id.clone(),
        at: call.at,
        revision,
        model_version: call
            .revision
            .as_ref()
            .and_then(|revision| revision.config.model_version),
        latency_ms: elapsed * 1000.0,
        status,
        error: outcome
            .as_ref()
            .err()
            .map(|refusal| refusal.message.chars().take(MAX_LOGGED_ERROR).collect()),
        rows: call.rows,
        answered,
    });
}

fn with_request_id(call: &Call, mut response: Response) -> Response {
    if let Ok(value) = HeaderValue::from_str(&call.request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if let Some(revision) = &call.revision {
        response
            .headers_mut()
            .insert(REVISION, HeaderValue::from(revision.config.number));
    }
    response
}

fn respond(call: &Call, done: &Done, response: Response) -> Response {
    let mut response = with_request_id(call, response);
    if done.ids.len() <= MAX_HEADER_IDS
        && let Ok(value) = HeaderValue::from_str(&done.ids.join(","))
    {
        response.headers_mut().insert(PREDICTION_IDS, value);
    }
    response
}

// The Open Inference Protocol.

fn is_ours(live: &Live, model: &str) -> bool {
    live.config.name.as_str() == model
        || live
            .revisions
            .iter()
            .any(|revision| revision.config.model_name == model)
}

fn v2_refuse(refusal: &Refusal) -> Response {
    refuse(refusal, v2::error_body(refusal))
}

fn v2_unknown(model: &str) -> Response {
    v2_refuse(&Refusal::not_found(format!(
        "no model `{model}` is served here"
    )))
}

async fn v2_server(State(gateway): App) -> Response {
    axum::Json(v2::server(gateway.live().config.name.as_str())).into_response()
}

async fn v2_model(State(gateway): App, Path(model): Path<String>) -> Response {
    let live = gateway.live();
    let revision = live.main().filter(|_| is_ours(&live, &model));
    revision.map_or_else(
        || v2_unknown(&model),
        |revision| v2_metadata(&live, &model, revision),
    )
}

async fn v2_model_version(
    State(gateway): App,
    Path((model, version)): Path<(String, u32)>,
) -> Response {
    let live = gateway.live();
    let revision = live.revision(version).filter(|_| is_ours(&live, &model));
    revision.map_or_else(
        || v2_unknown(&model),
        |revision| v2_metadata(&live, &model, revision),
    )
}

fn v2_metadata(live: &Live, model: &str, revision: &Revision) -> Response {
    let versions: Vec<String> = live
        .revisions
        .iter()
        .map(|revision| revision.config.number.to_string())
        .collect();
    let platform = match revision.loaded.runtime.kind() {
        crate::RuntimeKind::Onnx => "onnx_onnxv1",
        crate::RuntimeKind::Python => "python_mlflow",
    };
    let signature = &revision.model.signature;
    axum::Json(v2::model(
        model,
        &versions,
        platform,
        signature,
        revision.loaded.runtime.has_scores(),
    ))
    .into_response()
}

async fn v2_ready(State(gateway): App, Path(model): Path<String>) -> Response {
    if is_ours(&gateway.live(), &model) {
        return axum::Json(json!({ "name": model, "ready": true })).into_response();
    }
    v2_unknown(&model)
}

async fn v2_ready_version(
    State(gateway): App,
    Path((model, version)): Path<(String, u32)>,
) -> Response {
    let live = gateway.live();
    if is_ours(&live, &model) && live.revision(version).is_some() {
        return axum::Json(json!({ "name": model, "ready": true })).into_response();
    }
    v2_unknown(&model)
}

async fn v2_infer(State(gateway): App, Path(model): Path<String>, request: Request) -> Response {
    infer(&gateway, &model, None, request).await
}

async fn v2_infer_version(
    State(gateway): App,
    Path((model, version)): Path<(String, u32)>,
    request: Request,
) -> Response {
    infer(&gateway, &model, Some(version), request).await
}

async fn infer(gateway: &Gateway, model: &str, version: Option<u32>, request: Request) -> Response {
    if !is_ours(&gateway.live(), model) {
        return v2_unknown(model);
    }
    let parse: Parse = |headers, body, revision| {
        let length = headers
            .get(V2_LENGTH)
            .map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
        let length = match length {
            Some(None) => {
                return Err(Refusal::bad_request(
                    "Inference-Header-Content-Length is not a number",
                ));
            }
            Some(length) => length,
            None => None,
        };
        let request = v2::parse(body, length, &revision.model.signature)?;
        Ok(Parsed {
            input: request.input,
            params: None,
            ids: None,
            id: request.id,
            binary: request.binary_output,
        })
    };
    let (call, outcome) = score(gateway, request, version, parse).await;
    let done = match outcome {
        Ok(done) => done,
        Err(refusal) => return with_request_id(&call, v2_refuse(&refusal)),
    };
    let id = done.parsed.id.as_deref().unwrap_or(&call.request_id);
    let number = done.revision.config.number.to_string();
    let (body, binary) = v2::answer(
        model,
        &number,
        id,
        &done.answer,
        &done.ids,
        done.parsed.binary,
    );
    if !done.parsed.binary {
        return respond(&call, &done, axum::Json(body).into_response());
    }
    let mut bytes = body.to_string().into_bytes();
    let length = HeaderValue::from(bytes.len());
    bytes.extend(binary);
    let mut response = ([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response();
    response.headers_mut().insert(V2_LENGTH, length);
    respond(&call, &done, response)
}
