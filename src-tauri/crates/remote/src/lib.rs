//! Talks to other people's servers: registries, storage, schedulers, webhooks; and keeps the credentials for them.
//!
//! It deliberately does not know what is stored or said there, nor how things are called in a project: names, bodies and paths are
//! the caller's. Start with [`Client`], [`Vault`] and [`Storage`].

pub mod airflow;
pub mod check;
mod client;
mod credentials;
mod diagnose;
pub mod digest;
pub mod engine;
mod error;
mod found;
pub mod hugging_face;
pub mod kubeflow;
pub mod mlflow;
pub mod oci;
pub mod ray;
mod secret;
mod sessions;
mod storage;
mod webhook;

pub use client::{Client, Moved};
pub use credentials::{Place, Vault};
pub use error::{Error, Result, Sent};
pub use found::{Found, HuggingFaceFiles, found, hugging_face_endpoint};
pub use secret::{Credential, Secret};
pub use sessions::Sessions;
pub use storage::{Around, Settings, Storage, Watch};
pub use webhook::webhook;
