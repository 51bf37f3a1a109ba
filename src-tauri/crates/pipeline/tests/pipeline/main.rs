//! What the crate promises, file by file. The real `dvc` is the judge wherever it can be asked.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod definition;
mod edit;
mod export;
mod export_kubeflow;
mod lock;
mod peer;
mod plan;
mod sandbox;
mod sources;
mod sweep;
mod template;
mod yaml;
