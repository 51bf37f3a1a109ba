//! Drift of columns: which test, its value, its threshold, and both distributions.
//!
//! Two modes. `Evidently` gives the numbers of Evidently 0.7.23. `Corrected`, the default, differs where that misleads: small
//! categorical samples are tested with a contingency table (goodness of fit takes the reference for the truth and raises 33 % false
//! alarms at 5 %), p-values are adjusted for the number of columns (Benjamini–Hochberg), infinities are counted
//! instead of poisoning, an empty column is reported as such, and a column of tiny spread is normed by its own spread.

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::binning::{Shares, categories, shares};
use crate::sample::{Sample, Storage};
use crate::tests_of_fit as fit;
use crate::{Frame, Result};

const P_THRESHOLD: f64 = 0.05;
const DISTANCE_THRESHOLD: f64 = 0.1;
/// Evidently takes distances above so many reference rows, tests up to them.
const SMALL_SAMPLE: usize = 1000;
/// Whole numbers with more distinct values are numerical.
const CATEGORIES: usize = 10;
/// Numbers with more distinct values in both samples together are tested as numbers.
const FEW_VALUES: usize = 5;
const EVIDENTLY_LEAST_DEVIATION: f64 = 0.001;
/// A chart shows so many categories; the rest are summed up.
const SHOWN_CATEGORIES: usize = 24;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Corrected,
    Evidently,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    Numerical,
    Categorical,
    Text,
    Datetime,
    Unknown,
}

impl ColumnKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Numerical => "numerical",
            Self::Categorical => "categorical",
            Self::Text => "text",
            Self::Datetime => "datetime",
            Self::Unknown => "unknown",
        }
    }
}

/// How two samples are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    KolmogorovSmirnov,
    ChiSquare,
    Contingency,
    Z,
    Wasserstein,
    JensenShannon,
    StabilityIndex,
    KullbackLeibler,
    Hellinger,
}

impl Test {
    /// The name that people read.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KolmogorovSmirnov => "Kolmogorov–Smirnov p-value",
            Self::ChiSquare => "chi-square p-value",
            Self::Contingency => "chi-square contingency p-value",
            Self::Z => "Z-test p-value",
            Self::Wasserstein => "Wasserstein distance (normed)",
            Self::JensenShannon => "Jensen–Shannon distance",
            Self::StabilityIndex => "population stability index",
            Self::KullbackLeibler => "Kullback–Leibler divergence",
            Self::Hellinger => "Hellinger distance",
        }
    }

    /// True where a small value means drift.
    #[must_use]
    pub fn is_p_value(self) -> bool {
        matches!(
            self,
            Self::KolmogorovSmirnov | Self::ChiSquare | Self::Contingency | Self::Z
        )
    }
}

/// What to compare, and how.
#[derive(Debug, Clone, Default)]
pub struct DriftOptions {
    pub mode: Mode,
    /// All columns that both frames have, without it.
    pub columns: Option<Vec<String>>,
    /// A test for a column, instead of the default one.
    pub tests: Vec<(String, Test)>,
    /// A limit for a column, instead of the test's.
    pub thresholds: Vec<(String, f64)>,
}

/// Both sides over the same bins or categories; shares sum to 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Type)]
pub struct Distribution {
    pub labels: Vec<String>,
    pub reference: Vec<f64>,
    pub current: Vec<f64>,
}

/// One column's verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct ColumnDrift {
    pub column: String,
    pub kind: ColumnKind,
    /// `None` where nothing could be tested; the note says why.
    pub test: Option<Test>,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    pub drifted: bool,
    pub note: Option<String>,
    pub distribution: Distribution,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct DriftReport {
    pub mode: Mode,
    pub columns: Vec<ColumnDrift>,
    pub drifted: u32,
    /// Share of the columns that drifted.
    pub share: f64,
    /// At least half of the columns drifted.
    pub dataset_drift: bool,
    pub reference_rows: u32,
    pub current_rows: u32,
}

/// Compares the columns of two frames.
///
/// # Errors
/// When a named column is missing in one of them.
pub fn drift(reference: &Frame, current: &Frame, options: &DriftOptions) -> Result<DriftReport> {
    let names = match &options.columns {
        Some(names) => names.clone(),
        None => reference
            .names()
            .into_iter()
            .filter(|name| current.has(name))
            .collect(),
    };
    let compare = |name: &String| -> Result<ColumnDrift> {
        Ok(column(
            name,
            &Sample::of(reference, name)?,
            &Sample::of(current, name)?,
            options,
        ))
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = names.len().div_ceil(threads).max(1);
    let mut columns = Vec::with_capacity(names.len());
    let parts: Vec<Vec<Result<ColumnDrift>>> = std::thread::scope(|scope| {
        let compare = &compare;
        let workers: Vec<_> = names
            .chunks(part)
            .map(|names| scope.spawn(move || names.iter().map(compare).collect()))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_default())
            .collect()
    });
    for part in parts {
        for column in part {
            columns.push(column?);
        }
    }
    if options.mode == Mode::Corrected {
        control_false_alarms(&mut columns, options);
    }
    let drifted = columns.iter().filter(|column| column.drifted).count();
    let share = drifted as f64 / columns.len().max(1) as f64;
    Ok(DriftReport {
        mode: options.mode,
        drifted: u32::try_from(drifted).unwrap_or(u32::MAX),
        share,
        dataset_drift: share >= 0.5 && drifted > 0,
        reference_rows: u32::try_from(reference.rows()).unwrap_or(u32::MAX),
        current_rows: u32::try_from(current.rows()).unwrap_or(u32::MAX),
        columns,
    })
}

fn kind_of(sample: &Sample) -> ColumnKind {
    match sample.storage {
        Storage::Float => ColumnKind::Numerical,
        Storage::Integer if sample.distinct() <= CATEGORIES => ColumnKind::Categorical,
        Storage::Integer => ColumnKind::Numerical,
        Storage::Bool => ColumnKind::Categorical,
        Storage::Text if sample.distinct() * 2 > sample.len() => ColumnKind::Text,
        Storage::Text => ColumnKind::Categorical,
        Storage::Time => ColumnKind::Datetime,
        Storage::Other => ColumnKind::Unknown,
    }
}

fn untested(name: &str, kind: ColumnKind, note: &str) -> ColumnDrift {
    ColumnDrift {
        column: name.to_owned(),
        kind,
        test: None,
        value: None,
        threshold: None,
        drifted: false,
        note: Some(note.to_owned()),
        distribution: Distribution::default(),
    }
}

fn column(name: &str, reference: &Sample, current: &Sample, options: &DriftOptions) -> ColumnDrift {
    // Where the two differ, the current one decides.
    let mut kind = kind_of(current);
    if options.mode == Mode::Corrected
        && kind_of(reference) == ColumnKind::Numerical
        && !current.numbers.is_empty()
    {
        kind = ColumnKind::Numerical;
    }
    match kind {
        ColumnKind::Text => return untested(name, kind, "text is not tested for drift"),
        ColumnKind::Datetime => return untested(name, kind, "times always move on: not tested"),
        ColumnKind::Unknown => return untested(name, kind, "values of this type are not tested"),
        ColumnKind::Numerical | ColumnKind::Categorical => {}
    }
    if reference.len() == 0 || current.len() == 0 {
        let side = if current.len() == 0 {
            "no data"
        } else {
            "no data in the reference"
        };
        return untested(name, kind, side);
    }
    if reference.numbers.is_empty() != current.numbers.is_empty() {
        let mut found = untested(name, kind, "numbers on one side and text on the other");
        found.drifted = true;
        return found;
    }
    tested(name, kind, reference, current, options)
}

fn tested(
    name: &str,
    kind: ColumnKind,
    reference: &Sample,
    current: &Sample,
    options: &DriftOptions,
) -> ColumnDrift {
    let named = options
        .tests
        .iter()
        .find(|(column, _)| column == name)
        .map(|(_, test)| *test);
    let test = named.unwrap_or_else(|| default_test(kind, reference, current, options.mode));
    let threshold = options
        .thresholds
        .iter()
        .find(|(column, _)| column == name)
        .map_or_else(
            || {
                if test.is_p_value() {
                    P_THRESHOLD
                } else {
                    DISTANCE_THRESHOLD
                }
            },
            |(_, limit)| *limit,
        );
    let value = value_of(test, kind, reference, current, options.mode);
    let drifted = match test {
        Test::KolmogorovSmirnov => value <= threshold,
        test if test.is_p_value() => value < threshold,
        _ => value >= threshold,
    };
    ColumnDrift {
        column: name.to_owned(),
        kind,
        test: Some(test),
        value: Some(value),
        threshold: Some(threshold),
        drifted,
        note: note(reference, current),
        distribution: shown(reference, current, kind),
    }
}

fn note(reference: &Sample, current: &Sample) -> Option<String> {
    let mut notes = Vec::new();
    if reference.infinite + current.infinite > 0 {
        notes.push(format!(
            "{} infinite values left out",
            reference.infinite + current.infinite
        ));
    }
    let share = |sample: &Sample| sample.nulls as f64 / sample.rows.max(1) as f64;
    if share(current) > share(reference) + 0.01 {
        notes.push(format!(
            "{:.1}% missing, {:.1}% in the reference",
            share(current) * 100.0,
            share(reference) * 100.0
        ));
    }
    if notes.is_empty() {
        None
    } else {
        Some(notes.join("; "))
    }
}

/// Evidently's rule over the cleaned samples.
fn default_test(kind: ColumnKind, reference: &Sample, current: &Sample, mode: Mode) -> Test {
    let together = categories(reference, current).labels.len();
    let numerical = kind == ColumnKind::Numerical && together > FEW_VALUES;
    match (reference.len() <= SMALL_SAMPLE, numerical) {
        (true, true) => Test::KolmogorovSmirnov,
        (true, false) if mode == Mode::Corrected => Test::Contingency,
        (true, false) if together > 2 => Test::ChiSquare,
        (true, false) => Test::Z,
        (false, true) => Test::Wasserstein,
        (false, false) => Test::JensenShannon,
    }
}

fn value_of(test: Test, kind: ColumnKind, reference: &Sample, current: &Sample, mode: Mode) -> f64 {
    let binned = || shares(reference, current, kind == ColumnKind::Numerical);
    let counted = || categories(reference, current);
    match test {
        Test::KolmogorovSmirnov => fit::kolmogorov_smirnov(&reference.numbers, &current.numbers).1,
        Test::Wasserstein => normed_wasserstein(reference, current, mode),
        Test::ChiSquare => {
            let Shares {
                reference,
                current: shares,
                ..
            } = counted();
            fit::chi_square_fit(&reference, &shares, current.len())
        }
        Test::Contingency => {
            let both = counted();
            fit::chi_square_contingency(
                &both.reference,
                &both.current,
                reference.len(),
                current.len(),
            )
        }
        Test::Z => {
            let both = counted();
            if both.labels.len() < 2 {
                return 1.0;
            }
            let not_first = |shares: &[f64]| 1.0 - shares.first().copied().unwrap_or(0.0);
            fit::two_proportions(
                not_first(&both.reference),
                not_first(&both.current),
                reference.len(),
                current.len(),
            )
        }
        Test::JensenShannon => {
            let both = binned();
            fit::jensen_shannon(&both.reference, &both.current)
        }
        Test::StabilityIndex => {
            let both = binned();
            fit::stability_index(&both.reference, &both.current)
        }
        Test::KullbackLeibler => {
            let both = binned();
            fit::kullback_leibler(&both.reference, &both.current)
        }
        Test::Hellinger => {
            let both = binned();
            fit::hellinger(&both.reference, &both.current)
        }
    }
}

fn normed_wasserstein(reference: &Sample, current: &Sample, mode: Mode) -> f64 {
    let distance = fit::wasserstein(&reference.numbers, &current.numbers);
    let spread = fit::deviation(&reference.numbers);
    match mode {
        Mode::Evidently => distance / spread.max(EVIDENTLY_LEAST_DEVIATION),
        Mode::Corrected if distance == 0.0 => 0.0,
        // A reference that never varied: any difference is a whole one.
        Mode::Corrected if spread == 0.0 => 1.0,
        Mode::Corrected => distance / spread,
    }
}

/// Benjamini–Hochberg: of all columns that were tested with a p-value, at most the threshold's share of alarms is false.
fn control_false_alarms(columns: &mut [ColumnDrift], options: &DriftOptions) {
    let own_limit = |name: &str| options.thresholds.iter().any(|(column, _)| column == name);
    let mut tested: Vec<(usize, f64)> = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| {
            column.test.is_some_and(Test::is_p_value) && !own_limit(&column.column)
        })
        .filter_map(|(index, column)| column.value.map(|value| (index, value)))
        .collect();
    tested.sort_by(|a, b| a.1.total_cmp(&b.1));
    let count = tested.len() as f64;
    let last = tested
        .iter()
        .enumerate()
        .filter(|(rank, (_, p))| *p <= P_THRESHOLD * (*rank as f64 + 1.0) / count)
        .map(|(rank, _)| rank)
        .next_back();
    let limit = last.map_or(P_THRESHOLD / count.max(1.0), |rank| {
        P_THRESHOLD * (rank as f64 + 1.0) / count
    });
    for (rank, (index, _)) in tested.iter().enumerate() {
        if let Some(column) = columns.get_mut(*index) {
            column.drifted = last.is_some_and(|last| rank <= last);
            column.threshold = Some(limit);
        }
    }
}

/// What a chart shows: bins of numbers, or the largest categories and the rest.
fn shown(reference: &Sample, current: &Sample, kind: ColumnKind) -> Distribution {
    let all = shares(reference, current, kind == ColumnKind::Numerical);
    if kind == ColumnKind::Numerical || all.labels.len() <= SHOWN_CATEGORIES {
        return Distribution {
            labels: all.labels,
            reference: all.reference,
            current: all.current,
        };
    }
    let mut rows: Vec<(String, f64, f64)> = all
        .labels
        .into_iter()
        .zip(all.reference)
        .zip(all.current)
        .map(|((label, reference), current)| (label, reference, current))
        .collect();
    rows.sort_by(|a, b| (b.1 + b.2).total_cmp(&(a.1 + a.2)));
    let rest = rows.split_off(SHOWN_CATEGORIES - 1);
    let sum = rest
        .iter()
        .fold((0.0, 0.0), |sum, row| (sum.0 + row.1, sum.1 + row.2));
    rows.push((format!("{} others", rest.len()), sum.0, sum.1));
    Distribution {
        labels: rows.iter().map(|row| row.0.clone()).collect(),
        reference: rows.iter().map(|row| row.1).collect(),
        current: rows.iter().map(|row| row.2).collect(),
    }
}
