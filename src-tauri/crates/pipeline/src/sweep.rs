//! Sweeps: which values of which parameters are tried, and which stages feel them. Runs nothing.
//!
//! The words are those of the sweepers that people know: a list as Hydra's and DVC's `key=1,2,3`, `range(1, 10, 2)` without its
//! end, and for a random search also `uniform(0.1, 0.9)` and `log_uniform(1e-4, 1e-1)`.

use std::collections::{BTreeMap, BTreeSet};

use lapwing_data::Project;

use crate::{Assignment, Drafts, Error, Pipeline, Result, graph::Graph, paths, stage::Stage};

/// More trials than a person reads, and the tasks that one Slurm array takes by default.
pub const MAX_TRIALS: usize = 1000;
/// Numbers of one `range`.
const MAX_VALUES: usize = 10_000;
/// A random search stops looking for a trial that it did not have yet.
const TRIES: usize = 100;
/// Values of one parameter that stages are looked at with.
const LOOKED_AT: usize = 20;
/// Digits of a number that was drawn: a person reads it in `params.yaml`.
const DIGITS: usize = 4;

/// Ways to say values.
const FUNCTIONS: [&str; 4] = ["range", "choice", "uniform", "log_uniform"];

/// The parameters of a sweep with their values.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    axes: Vec<Axis>,
}

#[derive(Debug, Clone, PartialEq)]
struct Axis {
    /// As typed: `train.rate`, `conf.toml:layers`.
    name: String,
    values: Values,
}

#[derive(Debug, Clone, PartialEq)]
enum Values {
    Listed(Vec<String>),
    Between { from: f64, to: f64, scale: Scale },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Even,
    /// Each power of ten as often as the next.
    Log,
}

/// What is wrong with the values of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("has no `=` and no values")]
    NoValues,
    #[error("has an empty value")]
    EmptyValue,
    #[error("names a parameter for the second time")]
    Twice,
    #[error("has endlessly many values: try some of them at random")]
    Endless,
    #[error("makes more than {MAX_TRIALS} combinations: try some of them at random")]
    TooMany,
    #[error(
        "is no way to say values: there are range, choice, uniform and log_uniform, and a text stands in quotes"
    )]
    Unknown,
    #[error("has a bracket that is not closed")]
    Open,
    #[error("needs numbers in its brackets")]
    NoNumbers,
    #[error("needs two numbers, the smaller one first")]
    Ends,
    #[error("needs two positive numbers, the smaller one first")]
    LogEnds,
    #[error("is written `range(from, to)` or `range(from, to, step)`")]
    RangeEnds,
    #[error("has no value in it")]
    EmptyRange,
    #[error("has more than {MAX_VALUES} values")]
    LongRange,
}

impl Fault {
    /// How it is done.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::NoValues => {
                "write it as `train.lr=0.1,0.2`, `train.depth=range(2, 9)` or, at random (--random TRIALS), `train.lr=log_uniform(1e-4, 1e-1)`"
            }
            Self::EmptyValue => "take the comma out, or write '' for a text of no letters",
            Self::Twice => "name it once, with all of its values: `train.lr=0.1,0.2`",
            Self::Endless => "say how many (--random 20), or list the values: `train.lr=0.1,0.2`",
            Self::TooMany => "say how many (--random 100), or list fewer values",
            Self::Unknown => {
                "a text with brackets is written `train.name='f(x)'`; a shell takes one pair of quotes for itself"
            }
            Self::Open => {
                "as in `train.depth=range(2, 9)`; a text with brackets is written `train.name='f(x'`"
            }
            Self::NoNumbers | Self::Ends => "as in `train.rate=uniform(0.1, 0.9)`",
            Self::LogEnds => "as in `train.lr=log_uniform(1e-4, 1e-1)`",
            Self::RangeEnds => "as in `train.depth=range(2, 9)`, which ends before 9",
            Self::EmptyRange => {
                "it ends before its second number, `range(2, 9)` with 8; down it goes with a step below zero: `range(9, 2, -1)`"
            }
            Self::LongRange => {
                "take a larger step, as in `range(0, 100000, 500)`, or draw from all of it (--random 20): `uniform(0, 100000)`"
            }
        }
    }
}

/// Changes of one trial, each as [`Assignment::parse`] reads it.
pub type Point = Vec<String>;

impl Space {
    /// Reads `key=values` texts.
    ///
    /// # Errors
    /// When one is no parameter with values, or two name the same one.
    pub fn parse(texts: &[String]) -> Result<Self> {
        let axes = texts
            .iter()
            .map(|text| axis(text))
            .collect::<Result<Vec<_>>>()?;
        let mut names = BTreeSet::new();
        for (axis, text) in axes.iter().zip(texts) {
            let change = Assignment::parse(&format!("{}=0", axis.name))?;
            if !names.insert((change.file, change.key)) {
                return Err(bad(text, Fault::Twice));
            }
        }
        if axes.is_empty() {
            return Err(Error::EmptySweep);
        }
        Ok(Self { axes })
    }

    /// The parameters, as typed.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().map(|axis| axis.name.as_str())
    }

    /// Every combination, the last parameter changing first.
    ///
    /// # Errors
    /// When a parameter has endlessly many values, or there are more than [`MAX_TRIALS`] combinations.
    pub fn grid(&self) -> Result<Vec<Point>> {
        let mut points: Vec<Point> = vec![Vec::new()];
        for axis in &self.axes {
            let Values::Listed(values) = &axis.values else {
                return Err(bad(&axis.name, Fault::Endless));
            };
            if points.len() * values.len() > MAX_TRIALS {
                return Err(bad(&axis.name, Fault::TooMany));
            }
            let with = |point: &Point, value: &String| {
                let mut point = point.clone();
                point.push(format!("{}={value}", axis.name));
                point
            };
            points = points
                .iter()
                .flat_map(|point| values.iter().map(move |value| with(point, value)))
                .collect();
        }
        Ok(points)
    }

    /// `count` different points, the same ones for the same seed; fewer where there are not so many.
    ///
    /// # Errors
    /// When `count` is 0 or more than [`MAX_TRIALS`].
    pub fn random(&self, count: usize, seed: u64) -> Result<Vec<Point>> {
        if count == 0 || count > MAX_TRIALS {
            return Err(Error::BadDraw { count });
        }
        let mut random = fastrand::Rng::with_seed(seed);
        let mut points: Vec<Point> = Vec::new();
        let mut tries = 0;
        while points.len() < count && tries < TRIES {
            let point = self.axes.iter().map(|axis| axis.draw(&mut random));
            let point: Point = point.collect();
            if points.contains(&point) {
                tries += 1;
            } else {
                tries = 0;
                points.push(point);
            }
        }
        Ok(points)
    }
}

impl Axis {
    fn draw(&self, random: &mut fastrand::Rng) -> String {
        let value = match &self.values {
            Values::Listed(values) => random.choice(values).cloned().unwrap_or_default(),
            Values::Between { from, to, scale } => {
                let drawn = match scale {
                    Scale::Even => from + (to - from) * random.f64(),
                    Scale::Log => (from.ln() + (to.ln() - from.ln()) * random.f64()).exp(),
                };
                short(drawn)
            }
        };
        format!("{}={value}", self.name)
    }
}

/// A number with few digits.
fn short(number: f64) -> String {
    let text = format!("{number:.*e}", DIGITS - 1);
    // What `format!` wrote is a number.
    text.parse::<f64>().unwrap_or(number).to_string()
}

fn bad(text: &str, fault: Fault) -> Error {
    Error::BadSweep {
        text: text.to_owned(),
        fault,
    }
}

fn axis(text: &str) -> Result<Axis> {
    let (name, values) = text
        .split_once('=')
        .ok_or_else(|| bad(text, Fault::NoValues))?;
    let values = values.trim();
    let axis = Axis {
        name: name.trim().to_owned(),
        values: match function(values) {
            Some((word, numbers)) => called(text, word, &numbers)?,
            None if is_open(values) => return Err(bad(text, Fault::Open)),
            None if is_unknown(values) => {
                return Err(bad(text, Fault::Unknown));
            }
            None => Values::Listed(listed(text, values)?),
        },
    };
    // That the name can be one, and a value too.
    let shown = match &axis.values {
        Values::Listed(values) => values.first().cloned().unwrap_or_default(),
        Values::Between { from, .. } => from.to_string(),
    };
    Assignment::parse(&format!("{}={shown}", axis.name))?;
    Ok(axis)
}

/// `word(a, b)` as its word and its arguments.
fn function(text: &str) -> Option<(&str, Vec<&str>)> {
    let (word, rest) = text.strip_suffix(')')?.split_once('(')?;
    FUNCTIONS.contains(&word).then(|| (word, parts(rest)))
}

/// A function that was begun.
fn is_open(values: &str) -> bool {
    let word = values.split_once('(').map(|(word, _)| word.trim());
    !values.ends_with(')') && word.is_some_and(|word| FUNCTIONS.contains(&word))
}

/// One word with brackets behind it: a function that was mistyped, rather than a value.
fn is_unknown(values: &str) -> bool {
    let word = values
        .strip_suffix(')')
        .and_then(|text| text.split_once('('));
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    parts(values).len() == 1 && word.is_some_and(|(word, _)| is_word(word))
}

fn called(text: &str, word: &str, arguments: &[&str]) -> Result<Values> {
    if word == "choice" {
        return Ok(Values::Listed(listed(text, &arguments.join(","))?));
    }
    let numbers: Vec<f64> = arguments
        .iter()
        .map(|argument| {
            argument
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
        })
        .collect::<Option<_>>()
        .ok_or_else(|| bad(text, Fault::NoNumbers))?;
    match (word, numbers.as_slice()) {
        ("range", [to]) => range(text, 0.0, *to, 1.0),
        ("range", [from, to]) => range(text, *from, *to, 1.0),
        ("range", [from, to, step]) => range(text, *from, *to, *step),
        ("uniform", [from, to]) if from < to => Ok(Values::Between {
            from: *from,
            to: *to,
            scale: Scale::Even,
        }),
        ("log_uniform", [from, to]) if from < to && *from > 0.0 => Ok(Values::Between {
            from: *from,
            to: *to,
            scale: Scale::Log,
        }),
        ("log_uniform", [_, _]) => Err(bad(text, Fault::LogEnds)),
        ("range", _) => Err(bad(text, Fault::RangeEnds)),
        _ => Err(bad(text, Fault::Ends)),
    }
}

/// As Python's: without its end.
fn range(text: &str, from: f64, to: f64, step: f64) -> Result<Values> {
    let count = ((to - from) / step).ceil();
    // Of a step of nothing there are endlessly many, or none.
    if count.is_nan() || count < 1.0 {
        return Err(bad(text, Fault::EmptyRange));
    }
    if count > MAX_VALUES as f64 {
        return Err(bad(text, Fault::LongRange));
    }
    // Each from the first one: a sum of steps drifts. 0.1 + 2 · 0.1 is 0.30000000000000004, and 0.3 was meant.
    let at = |index: usize| from + step * index as f64;
    let plain = |number: f64| {
        format!("{number:.12}")
            .parse::<f64>()
            .unwrap_or(number)
            .to_string()
    };
    Ok(Values::Listed(
        (0..count as usize).map(|index| plain(at(index))).collect(),
    ))
}

fn listed(text: &str, values: &str) -> Result<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for part in parts(values) {
        if part.is_empty() {
            return Err(bad(text, Fault::EmptyValue));
        }
        if !all.iter().any(|known| known == part) {
            all.push(part.to_owned());
        }
    }
    Ok(all)
}

/// What commas separate that are in no brackets and no quotes.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut quote, mut from) = (0_usize, None, 0);
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (Some(mark), c) if c == mark => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{' | '(') => depth += 1,
            (None, ']' | '}' | ')') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(text.get(from..index).unwrap_or_default().trim());
                from = index + 1;
            }
            (None, _) => {}
        }
    }
    parts.push(text.get(from..).unwrap_or_default().trim());
    parts
}

/// The pipeline with some values of each parameter, one at a time: a thousand values of one change a stage as the first few do.
///
/// # Errors
/// When a parameter is not there, or the pipeline is not valid with one of the values.
pub fn variants(project: &Project, points: &[Point]) -> Result<Vec<(Assignment, Pipeline)>> {
    let changes = some_of_each(points)?.into_iter();
    changes
        .map(|change| {
            let drafts = Drafts::of(project.root(), std::slice::from_ref(&change))?;
            Ok((change, Pipeline::drafted(project, &drafts)?))
        })
        .collect()
}

/// The addresses of the stages that are not the same in all trials: those that read a swept parameter or are written with it,
/// those that only some values make, and all that read from them.
#[must_use]
pub fn felt_by(pipeline: &Pipeline, variants: &[(Assignment, Pipeline)]) -> Vec<String> {
    let mut felt = BTreeSet::new();
    let mut new = BTreeSet::new();
    for (change, variant) in variants {
        for (index, stage) in pipeline.stages().iter().enumerate() {
            // A stage of a list that one of the values makes shorter is felt too.
            let is_same = variant.stage(&stage.address).ok() == Some(stage);
            if !is_same || reads(stage, change) {
                felt.insert(index);
            }
        }
        let known = |stage: &&Stage| pipeline.stage(&stage.address).is_err();
        let addresses = variant.stages().iter().filter(known);
        new.extend(addresses.map(|stage| stage.address.clone()));
    }
    let first: Vec<usize> = felt.into_iter().collect();
    let readers = |index: usize| {
        let readers = pipeline.graph().downstream.get(index);
        readers.into_iter().flatten().copied().collect()
    };
    let stages = pipeline.stages();
    Graph::reach(&first, readers)
        .into_iter()
        .filter_map(|index| stages.get(index))
        .map(|stage| stage.address.clone())
        .chain(new)
        .collect()
}

fn some_of_each(points: &[Point]) -> Result<Vec<Assignment>> {
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut changes = Vec::new();
    for text in points.iter().flatten() {
        let name = text.split_once('=').map_or("", |(name, _)| name);
        let values = seen.entry(name).or_default();
        if values.len() < LOOKED_AT && values.insert(text) {
            changes.push(Assignment::parse(text)?);
        }
    }
    Ok(changes)
}

fn reads(stage: &Stage, change: &Assignment) -> bool {
    let whole = stage
        .deps
        .iter()
        .any(|dep| paths::is_within(&change.file, &dep.path));
    let below = |key: &str, other: &str| {
        key.strip_prefix(other)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let part = stage.params.iter().any(|file| {
        let mut keys = file.keys.iter();
        let named = keys.any(|key| below(key, &change.key) || below(&change.key, key));
        file.path == change.file && (file.keys.is_empty() || named)
    });
    whole || part
}
