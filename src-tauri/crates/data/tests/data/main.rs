//! What the crate promises, with the real `dvc` as judge (`LAPWING_TEST_PEERS` names its venv).
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test should stop it where it is"
)]

mod checkout;
mod commit;
mod dvc;
mod dvcfile;
mod exclusive;
mod hash;
mod place;
mod snapshot;
mod transfer;
mod upload;
mod versions;
