//! What `/metrics` says, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Upper bounds in seconds.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

#[derive(Default)]
struct Series {
    by_code: BTreeMap<u16, u64>,
    buckets: [u64; BUCKETS.len()],
    count: u64,
    seconds: f64,
    rows: u64,
}

#[derive(Default)]
pub(super) struct Metrics {
    /// By revision; 0 is a request that was refused before it had one.
    series: Mutex<BTreeMap<u32, Series>>,
    in_flight: AtomicI64,
}

/// Counts a request as in flight while it lives.
pub(super) struct InFlight<'a>(&'a AtomicI64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One serving revision, for the info metric.
pub(super) struct Info {
    pub(super) revision: u32,
    pub(super) model: String,
    pub(super) version: String,
    pub(super) runtime: &'static str,
    pub(super) weight: f64,
}

impl Metrics {
    pub(super) fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(&self.in_flight)
    }

    pub(super) fn count(&self, revision: Option<u32>, status: u16, rows: usize, seconds: f64) {
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let series = all.entry(revision.unwrap_or(0)).or_default();
        *series.by_code.entry(status).or_default() += 1;
        series.count += 1;
        series.seconds += seconds;
        series.rows += u64::try_from(rows).unwrap_or(0);
        for (bucket, bound) in series.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= bound);
        }
    }

    pub(super) fn text(&self, name: &str, infos: &[Info], dropped: u64) -> String {
        let all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let mut line = |args: std::fmt::Arguments<'_>| {
            let _ = text.write_fmt(args); // writing to a String cannot fail
            text.push('\n');
        };
        let name = escape(name);
        head(
            &mut line,
            "lapwing_requests_total",
            "counter",
            "Scoring requests by revision and status code.",
        );
        for (revision, series) in &*all {
            for (code, count) in &series.by_code {
                line(format_args!(
                    "lapwing_requests_total{{deployment=\"{name}\",revision=\"{revision}\",code=\"{code}\"}} {count}"
                ));
            }
        }
        head(
            &mut line,
            "lapwing_request_duration_seconds",
            "histogram",
            "Time from the whole body to the answer.",
        );
        for (revision, series) in &*all {
            let labels = format!("deployment=\"{name}\",revision=\"{revision}\"");
            for (count, bound) in series.buckets.iter().zip(BUCKETS) {
                line(format_args!(
                    "lapwing_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {count}"
                ));
            }
            let (count, seconds) = (series.count, series.seconds);
            line(format_args!(
                "lapwing_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {count}"
            ));
            line(format_args!(
                "lapwing_request_duration_seconds_sum{{{labels}}} {seconds}"
            ));
            line(format_args!(
                "lapwing_request_duration_seconds_count{{{labels}}} {count}"
            ));
        }
        head(
            &mut line,
            "lapwing_rows_total",
            "counter",
            "Rows in scoring requests.",
        );
        for (revision, series) in &*all {
            let rows = series.rows;
            line(format_args!(
                "lapwing_rows_total{{deployment=\"{name}\",revision=\"{revision}\"}} {rows}"
            ));
        }
        head(
            &mut line,
            "lapwing_requests_in_flight",
            "gauge",
            "Requests that are being answered now.",
        );
        line(format_args!(
            "lapwing_requests_in_flight{{deployment=\"{name}\"}} {}",
            self.in_flight.load(Ordering::Relaxed)
        ));
        head(
            &mut line,
            "lapwing_log_dropped_total",
            "counter",
            "Requests that the prediction log could not take.",
        );
        line(format_args!(
            "lapwing_log_dropped_total{{deployment=\"{name}\"}} {dropped}"
        ));
        head(
            &mut line,
            "lapwing_model_info",
            "gauge",
            "The revisions that are served; the value is the share of the traffic.",
        );
        for info in infos {
            line(format_args!(
                "lapwing_model_info{{deployment=\"{name}\",revision=\"{}\",model=\"{}\",version=\"{}\",runtime=\"{}\"}} {}",
                info.revision,
                escape(&info.model),
                escape(&info.version),
                info.runtime,
                info.weight
            ));
        }
        text
    }
}

fn head(line: &mut impl FnMut(std::fmt::Arguments<'_>), name: &str, kind: &str, help: &str) {
    line(format_args!("# HELP {name} {help}"));
    line(format_args!("# TYPE {name} {kind}"));
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
