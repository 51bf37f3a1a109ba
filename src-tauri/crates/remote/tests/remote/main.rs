//! What the crate promises, file by file.
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test should stop it where it is"
)]

mod http;
mod storage;
