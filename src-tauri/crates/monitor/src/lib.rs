//! The mathematics of watching: frames, profiles, drift, quality, performance, alert rules, verdicts.
//!
//! Pure, but for reading and writing frames from files. It deliberately does not know deployments, projects or the store: rows come
//! in, numbers with their names go out. Start with [`Frame`], [`drift()`] and [`performance`].

pub mod alert;
mod binning;
pub mod drift;
mod error;
pub mod frame;
pub mod performance;
pub mod profile;
pub mod quality;
mod sample;
mod tests_of_fit;
pub mod verdict;

pub use drift::drift;
pub use error::{Error, Result};
pub use frame::Frame;
