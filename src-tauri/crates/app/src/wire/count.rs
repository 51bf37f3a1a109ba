//! How many, or how large: whole numbers that TypeScript holds as `number`.

use serde::{Deserialize, Serialize};
use specta::Type;

/// Bytes, rows or requests. At most 2^53 − 1 keeps its exact value in the window.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Type,
)]
#[specta(type = u32)]
pub struct Count(pub u64);

impl From<u64> for Count {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

impl From<usize> for Count {
    fn from(value: usize) -> Self {
        Self(value as u64)
    }
}
