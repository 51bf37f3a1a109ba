//! Alerts, posted to somebody's webhook.

use std::time::Duration;

use reqwest::Method;

use crate::{Client, Result};

/// Nobody waits longer for a webhook.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Posts an alert; anything but a success is an error.
///
/// # Errors
/// When the server cannot be reached in time, or refuses.
pub async fn webhook(url: &str, body: &serde_json::Value) -> Result<()> {
    let client = Client::new(url, None)?;
    let request = client.bare(Method::POST, url).json(body).timeout(TIMEOUT);
    client.ask(request).await.map(|_| ())
}
