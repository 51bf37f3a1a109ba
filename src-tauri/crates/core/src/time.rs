//! Time as every format here writes it: milliseconds since 1970 in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use specta::Type;

/// Milliseconds since 1970-01-01T00:00:00Z. Functions take it as an argument instead of asking the clock.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, Type,
)]
#[specta(type = u32)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The wall clock, read at the edge: in programs, servers and supervisors.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(Self(0), |elapsed| {
                Self(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
            })
    }

    /// Milliseconds from `earlier` to `self`; negative when `earlier` is later.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// RFC 3339 in UTC, for files and `--json`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .map_or_else(|_| self.0.to_string(), |time| time.to_string())
    }
}
