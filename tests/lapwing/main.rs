//! One test program that uses Lapwing as a person would: through its programs, in a workspace of its own.
//!
//! What a crate promises by itself is tested in that crate; here are the promises of the whole. Peers are real: their
//! places come from `LAPWING_TEST_PEERS` and the other variables that `make test` sets.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed step of a test should stop it where it is"
)]

#[cfg(target_os = "linux")]
mod anywhere;
#[cfg(unix)]
mod automations;
#[cfg(unix)]
mod aws;
mod azure;
mod bad_input;
#[cfg(target_os = "linux")]
mod closed;
#[cfg(target_os = "linux")]
mod clusters;
mod cut;
mod edges;
mod elsewhere;
#[cfg(target_os = "linux")]
mod engine;
mod engine_away;
mod export;
#[cfg(target_os = "linux")]
mod git_breaks;
#[cfg(unix)]
mod git_remotes;
mod google;
mod hard_use;
mod hugging_face;
mod kubernetes;
#[path = "../../src-tauri/crates/jobs/tests/jobs/left_out.rs"]
#[cfg(target_os = "linux")]
mod left_out;
mod place;
#[cfg(target_os = "linux")]
mod ray;
mod registries;
#[path = "../../src-tauri/crates/app/tests/app/registry.rs"]
#[expect(dead_code, reason = "the app's own tests use more of it")]
mod registry;
mod remotes;
#[cfg(target_os = "linux")]
mod scoring;
#[cfg(target_os = "linux")]
#[path = "../../src-tauri/crates/jobs/tests/jobs/slurmd.rs"]
#[expect(dead_code, reason = "the jobs' own tests use more of it")]
mod slurmd;
mod storage;
mod storage_breaks;
#[cfg(target_os = "linux")]
mod sweeps;
mod the_loop;
#[cfg(all(unix, feature = "desktop"))]
mod window;

#[cfg(target_os = "linux")]
use place::until;
