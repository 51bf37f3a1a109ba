//! What monitors measured, over time.

use lapwing_core::{DeploymentName, Report, Timestamp};
use lapwing_store::measurements as table;

use crate::App;
use crate::deployments::known;
use crate::error::Reported as _;
use crate::wire::{DeploymentRef, Measured};

const MAX_SHOWN: u32 = 20_000;

/// One number of a check.
pub(super) struct Number<'a> {
    pub metric: &'a str,
    pub value: Option<f64>,
    pub line: Option<f64>,
    pub rows: usize,
}

/// Keeps what a check found; what could not be computed is no measurement.
pub(super) fn keep(app: &App, name: &DeploymentName, number: &Number<'_>) -> Result<(), Report> {
    let Some(value) = number.value.filter(|value| value.is_finite()) else {
        return Ok(());
    };
    let new = table::Measurement {
        metric: number.metric.to_owned(),
        at: Timestamp::now(),
        value,
        line: number.line,
        rows: u32::try_from(number.rows).unwrap_or(u32::MAX),
    };
    table::append(app.store(), name, new).reported()
}

/// What the checks of a deployment found, oldest first.
///
/// # Errors
/// When there is none with that name, or the store cannot be read.
pub fn history(app: &App, input: DeploymentRef) -> Result<Vec<Measured>, Report> {
    known(app, &input.name)?;
    let rows = table::list(app.store(), &input.name, MAX_SHOWN).reported()?;
    Ok(rows
        .into_iter()
        .map(|row| Measured {
            metric: row.metric,
            at: row.at,
            value: row.value,
            line: row.line,
            rows: row.rows,
        })
        .collect())
}
