//! JSON over HTTP to somebody else.

use std::time::Duration;

use crate::{Error, Result};

/// Nobody waits longer for a webhook.
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Posts a JSON body, with a bearer token where one is given, and answers whatever comes back.
///
/// # Errors
/// When the server cannot be reached in time.
pub async fn post_json(
    url: &str,
    body: &serde_json::Value,
    token: Option<&str>,
    timeout: Duration,
) -> Result<Answer> {
    let unreachable = |source| Error::Unreachable {
        url: url.to_owned(),
        source,
    };
    let client = reqwest::Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(unreachable)?;
    let mut request = client.post(url).json(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        let room = MAX_ANSWER_BYTES - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if chunk.len() >= room {
            // The rest is not read: a server must not be able to fill the memory.
            break;
        }
    }
    Ok(Answer { status, body })
}

/// Posts an alert; anything but a success is an error.
///
/// # Errors
/// When the server cannot be reached, or refuses.
pub async fn webhook(url: &str, body: &serde_json::Value) -> Result<()> {
    let answer = post_json(url, body, None, TIMEOUT).await?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    Err(Error::Refused {
        url: url.to_owned(),
        status: answer.status,
    })
}
