//! One column of a frame, cleaned as drift, quality and profile need it.

use std::collections::HashMap;

use crate::Result;
use crate::frame::Frame;

/// How the values lie in memory, as pandas would have it: whole numbers with nulls are floats there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    Float,
    Integer,
    Bool,
    Text,
    Time,
    Other,
}

/// The cleaned values of a column.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub storage: Storage,
    /// Rows before cleaning.
    pub rows: usize,
    pub nulls: usize,
    pub infinite: usize,
    /// Finite numbers in order of the rows; empty for text.
    pub numbers: Vec<f64>,
    /// Texts in order of the rows; empty for numbers.
    pub texts: Vec<String>,
}

impl Sample {
    pub fn of(frame: &Frame, name: &str) -> Result<Self> {
        let kind = frame.kind(name);
        let rows = frame.rows();
        if matches!(kind, "int64" | "double" | "bool" | "null") {
            let values = frame.numbers(name)?;
            let numbers: Vec<f64> = values
                .iter()
                .flatten()
                .copied()
                .filter(|value| value.is_finite())
                .collect();
            let infinite = values
                .iter()
                .flatten()
                .filter(|value| value.is_infinite())
                .count();
            let nulls = rows - numbers.len() - infinite;
            let storage = match kind {
                "int64" if nulls == 0 => Storage::Integer,
                "bool" => Storage::Bool,
                _ => Storage::Float,
            };
            return Ok(Self {
                storage,
                rows,
                nulls,
                infinite,
                numbers,
                texts: Vec::new(),
            });
        }
        let storage = match kind {
            "timestamp" | "date" => Storage::Time,
            "string" => Storage::Text,
            _ => Storage::Other,
        };
        let texts: Vec<String> = if storage == Storage::Other {
            Vec::new()
        } else {
            frame.texts(name)?.into_iter().flatten().collect()
        };
        Ok(Self {
            storage,
            rows,
            nulls: rows - texts.len(),
            infinite: 0,
            numbers: Vec::new(),
            texts,
        })
    }

    pub fn len(&self) -> usize {
        self.numbers.len().max(self.texts.len())
    }

    pub fn distinct(&self) -> usize {
        self.counts().len()
    }

    /// Value → how often, values as people write them.
    pub fn counts(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        if self.numbers.is_empty() {
            for text in &self.texts {
                *counts.entry(text.clone()).or_insert(0) += 1;
            }
            return counts;
        }
        let mut bits: HashMap<u64, usize> = HashMap::new();
        for number in &self.numbers {
            // −0 and 0 are one value.
            *bits.entry((number + 0.0).to_bits()).or_insert(0) += 1;
        }
        bits.into_iter()
            .map(|(bits, count)| (self.word(f64::from_bits(bits)), count))
            .collect()
    }

    fn word(&self, number: f64) -> String {
        match self.storage {
            Storage::Bool => {
                if number == 0.0 {
                    "False".to_owned()
                } else {
                    "True".to_owned()
                }
            }
            Storage::Float | Storage::Integer | Storage::Text | Storage::Time | Storage::Other => {
                number.to_string()
            }
        }
    }
}
