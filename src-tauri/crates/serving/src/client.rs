//! Asking a running endpoint, as `lapwing predict` and the try-it form do.

use std::path::Path;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::gateway::{State, state};
use crate::{Error, Result};

/// Rows of one request: large enough to hide the protocol, small enough to answer within a second.
const BATCH_ROWS: usize = 1000;
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(120);

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub latency: Duration,
    /// JSON, or the text as a JSON string.
    pub body: Value,
}

/// Predictions of a whole table, row for row.
#[derive(Debug, Clone, Default)]
pub struct Scored {
    pub predictions: Vec<Value>,
    /// Empty when the model gives none.
    pub scores: Vec<Value>,
    pub prediction_ids: Vec<String>,
    /// Of each request.
    pub latencies: Vec<Duration>,
}

/// Where the deployment's gateway listens.
pub fn url(folder: &Path) -> Result<String> {
    match state(folder)? {
        State::Running { running } => Ok(running.url),
        State::Starting | State::Stopped | State::Failed { .. } => Err(Error::NotRunning {
            folder: folder.to_owned(),
        }),
    }
}

/// One JSON request to `url` + `path`, as it is.
pub async fn post(url: &str, path: &str, token: Option<&str>, body: &Value) -> Result<Response> {
    let mut connection = Connection::open(url).await?;
    connection
        .send(Method::POST, path, token, Bytes::from(body.to_string()))
        .await
}

/// One GET request.
pub async fn get(url: &str, path: &str, token: Option<&str>) -> Result<Response> {
    let mut connection = Connection::open(url).await?;
    connection
        .send(Method::GET, path, token, Bytes::new())
        .await
}

/// Sends all rows in batches over one connection.
///
/// # Errors
/// [`Error::Refused`] with the endpoint's own words when it does not accept a batch.
pub async fn predict(url: &str, token: Option<&str>, table: &RecordBatch) -> Result<Scored> {
    let mut connection = Connection::open(url).await?;
    let mut scored = Scored::default();
    let mut offset = 0;
    while offset < table.num_rows() {
        let rows = BATCH_ROWS.min(table.num_rows() - offset);
        let body = split(&table.slice(offset, rows));
        let response = connection
            .send(
                Method::POST,
                "/invocations",
                token,
                Bytes::from(body.to_string()),
            )
            .await?;
        if response.status != 200 {
            let message = response.body["message"]
                .as_str()
                .unwrap_or("no reason was given")
                .to_owned();
            return Err(Error::Refused {
                status: response.status,
                message,
            });
        }
        collect(&mut scored, response);
        offset += rows;
    }
    Ok(scored)
}

fn collect(scored: &mut Scored, response: Response) {
    scored.latencies.push(response.latency);
    let Value::Object(mut body) = response.body else {
        return;
    };
    let mut list = |key: &str| match body.remove(key) {
        Some(Value::Array(entries)) => entries,
        _ => Vec::new(),
    };
    scored.predictions.extend(list("predictions"));
    scored.scores.extend(list("scores"));
    scored.prediction_ids.extend(
        list("prediction_ids")
            .into_iter()
            .filter_map(|id| id.as_str().map(str::to_owned)),
    );
}

/// A `dataframe_split` body.
#[must_use]
pub fn split(table: &RecordBatch) -> Value {
    let columns: Vec<String> = table
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let arrays = crate::runtime::widened(table);
    let data: Vec<Value> = (0..table.num_rows())
        .map(|row| {
            arrays
                .iter()
                .map(|column| crate::runtime::cell(column, row))
                .collect()
        })
        .collect();
    json!({ "dataframe_split": { "columns": columns, "data": data } })
}

struct Connection {
    url: String,
    authority: String,
    sender: hyper::client::conn::http1::SendRequest<Full<Bytes>>,
}

impl Connection {
    async fn open(url: &str) -> Result<Self> {
        let authority = url
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        let stream = TcpStream::connect(&authority)
            .await
            .map_err(|error| unreachable(url, error))?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(url, error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the endpoint ended");
            }
        });
        Ok(Self {
            url: url.to_owned(),
            authority,
            sender,
        })
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Bytes,
    ) -> Result<Response> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| unreachable(&self.url, error))?;
        let begun = Instant::now();
        let exchange = async {
            // The connection may still be busy with the end of the answer before.
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let status = response.status().as_u16();
            let bytes = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
                .collect()
                .await?
                .to_bytes();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((status, bytes))
        };
        let (status, bytes) = tokio::time::timeout(TIMEOUT, exchange)
            .await
            .map_err(|error| unreachable(&self.url, error))?
            .map_err(|error| unreachable(&self.url, error))?;
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
        Ok(Response {
            status,
            latency: begun.elapsed(),
            body,
        })
    }
}

fn unreachable(url: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Unreachable {
        url: url.to_owned(),
        source: source.into(),
    }
}
