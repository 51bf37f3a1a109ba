//! What the crate promises, file by file.
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test should stop it where it is"
)]

mod check;
mod client;
mod credentials;
mod engines;
mod found;
mod oci_token;
mod ray;
mod storage;
