//! tmp
mod wire;
pub use wire::typescript;
pub struct App;
