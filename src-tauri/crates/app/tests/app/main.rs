//! What the crate promises beyond what the whole program's tests show.
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test should stop it where it is"
)]

mod alerts;
mod registry;
mod schedule;
mod transfers;
mod typescript;
