//! What the crate promises, file by file.
