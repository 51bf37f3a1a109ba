//! What the crate promises; Evidently and scikit-learn judge the numbers (`LAPWING_TEST_EVIDENTLY` names their venv).
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test should stop it where it is"
)]

mod drift;
mod evidently;
mod frame;
mod performance;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray};
use lapwing_monitor::Frame;

/// A small generator with a seed: tests must not differ from day to day. (Numbers of xorshift64*, Vigna 2016.)
pub struct Seeded(u64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Between 0 and 1.
    pub fn draw(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

pub fn numbers(name: &str, values: Vec<f64>) -> (String, ArrayRef) {
    (name.to_owned(), Arc::new(Float64Array::from(values)))
}

pub fn texts(name: &str, values: Vec<String>) -> (String, ArrayRef) {
    (name.to_owned(), Arc::new(StringArray::from(values)))
}

pub fn frame(columns: Vec<(String, ArrayRef)>) -> Frame {
    Frame::from_columns(columns).unwrap()
}
