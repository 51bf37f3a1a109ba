//! How requests and answers look on the wire: one file for each protocol. Nothing here computes or keeps anything.

pub(crate) mod mlflow;
pub(crate) mod openapi;
pub(crate) mod v2;
