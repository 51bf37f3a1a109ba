//! One test program that uses Lapwing as a person would: through its programs, in a workspace of its own.
//!
//! What a crate promises by itself is tested in that crate; here are the promises of the whole. Peers are real: their
//! places come from `LAPWING_TEST_PEERS` and the other variables that `make test` sets.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed step of a test should stop it where it is"
)]

#[cfg(unix)]
mod automations;
mod bad_input;
mod cut;
mod edges;
mod elsewhere;
mod export;
#[cfg(unix)]
mod git_remotes;
mod google;
mod hard_use;
mod hugging_face;
mod kubernetes;
mod place;
#[cfg(target_os = "linux")]
mod ray;
mod registries;
mod remotes;
mod storage;
mod storage_breaks;
mod the_loop;
#[cfg(all(unix, feature = "desktop"))]
mod window;
