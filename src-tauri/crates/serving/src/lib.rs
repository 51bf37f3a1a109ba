//! Endpoints: runtimes, protocols, traffic split, prediction log.
//!
//! A deployment is a folder. The caller writes what should be served into it ([`write_config`], `revisions/<n>/model`), and a
//! gateway process ([`gateway::run`]) serves it and appends to its prediction log. This crate deliberately knows neither the store nor
//! the registry: what a revision means to the rest of Lapwing is the caller's. Start with [`GatewayConfig`], [`ModelFolder`]
//! and [`predictions::Query`].

mod answer;
mod config;
mod error;
mod onnx;
mod places;
mod runtime;
mod signature;
mod table;
mod worker;

pub mod client;
pub mod convert;
pub mod exported;
pub mod gateway;
pub mod image;
pub mod labels;
pub mod model_folder;
pub mod pickle;
pub mod predictions;
mod protocol;
pub mod scoring;

pub use config::{
    Exposure, GatewayConfig, LogConfig, RevisionConfig, RuntimeKind, TrafficShare, read_config,
    token_digest, write_config,
};
pub use error::{Error, Result};
pub use model_folder::ModelFolder;
pub use onnx::{library as onnxruntime_library, library_version as onnxruntime_version};
pub use places::DeploymentFolder;
pub use signature::{Column, ColumnType, Inputs, Signature, Tensor};
