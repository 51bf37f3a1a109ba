//! What the crate promises, file by file.

mod jobs;
mod lock;
mod runs;
mod writer;
