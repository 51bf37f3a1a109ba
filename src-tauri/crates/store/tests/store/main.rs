//! What the crate promises, file by file.

mod lock;
mod runs;
mod writer;
