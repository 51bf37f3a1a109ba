//! The contract between the core and its faces: one table of commands, and the types that travel.
//!
//! The CLI, the window and `lapwing server --ui` reach every use case through [`commands`]; the TypeScript of the
//! window is generated from the same table by [`typescript`], and a test fails when the generated file is stale.
//! Nothing here decides anything: the use cases live in the files named after the nouns.

mod count;
mod data;
mod deployment;
mod model;
mod monitor;
mod pipeline;
mod project;
mod remote;
mod run;
mod scoring;
mod sweep;
mod table;
mod transfer;
mod typescript;

pub use count::Count;
pub use data::*;
pub use deployment::*;
pub use model::*;
pub use monitor::*;
pub use pipeline::*;
pub use project::*;
pub use remote::*;
pub use run::*;
pub use scoring::*;
pub use sweep::*;
pub use table::{COMMANDS, dispatch};
pub use transfer::*;
pub use typescript::typescript;
