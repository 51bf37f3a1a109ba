//! Requests in numbers: how many, how many failed, how fast; per revision and per slice of time.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Float64Type, TimestampMillisecondType, UInt16Type, UInt32Type};
use lapwing_core::Timestamp;
use serde::{Deserialize, Serialize};
use specta::Type;

use super::segment::{batches, begins, ends, segments};
use super::{AT, CLOCK_SLACK, LATENCY, REVISION, ROWS, STATUS};
use crate::{DeploymentFolder, Result};

/// Which requests to sum up, in slices of how long.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub since: Timestamp,
    pub until: Timestamp,
    /// At least one millisecond.
    pub bucket_millis: i64,
}

/// Numbers of a set of requests. Latencies in milliseconds, of answered requests only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Type)]
pub struct Totals {
    #[specta(type = f64)]
    pub requests: u64,
    /// Answered with 400 or more.
    #[specta(type = f64)]
    pub errors: u64,
    /// Answered with 500 or more: the endpoint's fault, not the client's.
    #[specta(type = f64)]
    pub failures: u64,
    #[specta(type = f64)]
    pub rows: u64,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Bucket {
    pub at: Timestamp,
    pub totals: Totals,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Type)]
pub struct Summary {
    pub totals: Totals,
    pub revisions: BTreeMap<u32, Totals>,
    /// Oldest first; slices without a request are left out.
    pub buckets: Vec<Bucket>,
}

#[derive(Default)]
struct Gathered {
    totals: Totals,
    latencies: Vec<f64>,
}

impl Gathered {
    fn add(&mut self, status: u16, rows: u32, latency: f64) {
        self.totals.requests += 1;
        self.totals.rows += u64::from(rows);
        self.totals.errors += u64::from(status >= 400);
        self.totals.failures += u64::from(status >= 500);
        if status < 400 {
            self.latencies.push(latency);
        }
    }

    fn finish(mut self) -> Totals {
        self.latencies.sort_by(f64::total_cmp);
        self.totals.p50 = percentile(&self.latencies, 0.50);
        self.totals.p95 = percentile(&self.latencies, 0.95);
        self.totals.p99 = percentile(&self.latencies, 0.99);
        self.totals
    }
}

/// The nearest-rank percentile of sorted values.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank within the length of a list in memory"
    )]
    let rank = ((sorted.len() as f64) * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// Sums up the requests of a window.
pub fn summary(folder: &Path, window: Window) -> Result<Summary> {
    let mut all = Gathered::default();
    let mut revisions: BTreeMap<u32, Gathered> = BTreeMap::new();
    let mut buckets: BTreeMap<i64, Gathered> = BTreeMap::new();
    let width = window.bucket_millis.max(1);
    for path in segments(&DeploymentFolder::at(folder).requests())? {
        let too_new =
            begins(&path).is_some_and(|begins| begins > window.until.0.saturating_add(CLOCK_SLACK));
        if too_new || ends(&path).is_some_and(|ends| ends < window.since.0) {
            continue;
        }
        for batch in batches(&path, &|field| {
            [AT, REVISION, LATENCY, STATUS, ROWS].contains(&field.name().as_str())
        })? {
            each(&batch, |at, revision, status, rows, latency| {
                if at < window.since.0 || at >= window.until.0 {
                    return;
                }
                all.add(status, rows, latency);
                buckets
                    .entry(at - at.rem_euclid(width))
                    .or_default()
                    .add(status, rows, latency);
                if let Some(revision) = revision {
                    revisions
                        .entry(revision)
                        .or_default()
                        .add(status, rows, latency);
                }
            });
        }
    }
    Ok(Summary {
        totals: all.finish(),
        revisions: revisions
            .into_iter()
            .map(|(revision, gathered)| (revision, gathered.finish()))
            .collect(),
        buckets: buckets
            .into_iter()
            .map(|(at, gathered)| Bucket {
                at: Timestamp(at),
                totals: gathered.finish(),
            })
            .collect(),
    })
}

fn each(batch: &RecordBatch, mut see: impl FnMut(i64, Option<u32>, u16, u32, f64)) {
    let (Some(at), Some(revision), Some(status), Some(rows), Some(latency)) = (
        batch
            .column_by_name(AT)
            .and_then(|array| array.as_primitive_opt::<TimestampMillisecondType>()),
        batch
            .column_by_name(REVISION)
            .and_then(|array| array.as_primitive_opt::<UInt32Type>()),
        batch
            .column_by_name(STATUS)
            .and_then(|array| array.as_primitive_opt::<UInt16Type>()),
        batch
            .column_by_name(ROWS)
            .and_then(|array| array.as_primitive_opt::<UInt32Type>()),
        batch
            .column_by_name(LATENCY)
            .and_then(|array| array.as_primitive_opt::<Float64Type>()),
    ) else {
        return;
    };
    for row in 0..batch.num_rows() {
        let revision = revision.is_valid(row).then(|| revision.value(row));
        see(
            at.value(row),
            revision,
            status.value(row),
            rows.value(row),
            latency.value(row),
        );
    }
}
