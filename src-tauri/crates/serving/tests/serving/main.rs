//! What the crate promises, file by file. Real models of the real libraries are the oracle.

mod config;
mod convert;
mod gateway;
mod image;
mod invocations;
mod log;
mod mlflow;
mod model_folder;
mod peers;
mod pickle;
mod process;
mod scoring;
mod v2;
mod worker;
