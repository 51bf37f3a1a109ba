//! Alert rules: when a number is on the wrong side of its line.

/// Which side of the line is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Line {
    Below(f64),
    Above(f64),
}

impl Line {
    /// True when `value` is on the wrong side.
    #[must_use]
    pub fn crossed(self, value: f64) -> bool {
        match self {
            Self::Below(line) => value < line,
            Self::Above(line) => value > line,
        }
    }

    #[must_use]
    pub fn value(self) -> f64 {
        match self {
            Self::Below(line) | Self::Above(line) => line,
        }
    }

    /// `below 0.68`.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Below(line) => format!("below {line}"),
            Self::Above(line) => format!("above {line}"),
        }
    }
}

/// What a check says of an alert. Too few rows say nothing: an open alert stays open.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    Raise(String),
    Resolve,
    Unknown,
}

/// Holds a number against its line.
#[must_use]
pub fn judge(what: &str, value: Option<f64>, line: Line, rows: usize, min_rows: usize) -> Finding {
    let Some(value) = value.filter(|value| value.is_finite() && rows >= min_rows) else {
        return Finding::Unknown;
    };
    if line.crossed(value) {
        Finding::Raise(format!(
            "{what} is {value:.3}, {} ({rows} rows)",
            line.words()
        ))
    } else {
        Finding::Resolve
    }
}
