//! Talks to other people's servers: storage that data is pushed to, and webhooks that alerts are posted to.
//!
//! It deliberately does not know what is stored or said: names and bodies are the caller's. Start with [`Storage`] and
//! [`webhook`].

mod error;
mod http;
mod storage;

pub use error::{Error, Result};
pub use http::{Answer, post_json, webhook};
pub use storage::Storage;
