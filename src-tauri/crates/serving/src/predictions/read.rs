//! Reading the prediction log, while it grows or long after.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array,
};
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::{
    DataType, Field, Float64Type, Schema, TimestampMillisecondType, UInt32Type,
};
use lapwing_core::{PredictionId, Timestamp};
use serde_json::Map;

use super::segment::{batches, begins, ends, segments};
use super::{
    AT, CLOCK_SLACK, FEATURE, ID, LATENCY, Logged, PREDICTION, Query, REQUEST, REVISION, SCORE,
    VERSION,
};
use crate::{DeploymentFolder, Result};

/// Predictions in the order in which they were logged: what the log knows about each row, and beside it, row for row, its features.
#[derive(Debug, Clone)]
pub struct Predictions {
    /// `prediction_id`, `request_id`, `at`, `revision`, `model_version`, `latency_ms`, `prediction`, `prediction_number`, `score`.
    pub about: RecordBatch,
    /// The model's input columns under their own names.
    pub features: RecordBatch,
}

impl Predictions {
    #[must_use]
    pub fn len(&self) -> usize {
        self.about.num_rows()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One column of [`Predictions::about`].
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.about.column_by_name(name)
    }

    /// Features and `prediction_id`, `at`, `revision`, `prediction`, `prediction_number`, `score` in one batch; a feature of the same name is left out.
    pub fn flat(&self) -> Result<RecordBatch> {
        let mut fields: Vec<Arc<Field>> = self.about.schema().fields().iter().cloned().collect();
        let mut arrays = self.about.columns().to_vec();
        for (field, array) in self
            .features
            .schema()
            .fields()
            .iter()
            .zip(self.features.columns())
        {
            if !fields.iter().any(|own| own.name() == field.name()) {
                fields.push(Arc::clone(field));
                arrays.push(Arc::clone(array));
            }
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }

    /// Each prediction by itself; for lists on a screen, not for thousands.
    #[must_use]
    pub fn rows(&self) -> Vec<Logged> {
        (0..self.len()).filter_map(|row| self.row(row)).collect()
    }

    fn row(&self, row: usize) -> Option<Logged> {
        let text = |name: &str| {
            let array = self.column(name)?.as_string_opt::<i32>()?;
            array.is_valid(row).then(|| array.value(row).to_owned())
        };
        let whole = |name: &str| {
            let array = self.column(name)?.as_primitive_opt::<UInt32Type>()?;
            array.is_valid(row).then(|| array.value(row))
        };
        let real = |name: &str| {
            let array = self.column(name)?.as_primitive_opt::<Float64Type>()?;
            array.is_valid(row).then(|| array.value(row))
        };
        let features = self
            .features
            .schema()
            .fields()
            .iter()
            .zip(self.features.columns())
            .map(|(field, array)| (field.name().clone(), crate::runtime::cell(array, row)))
            .collect::<Map<_, _>>();
        Some(Logged {
            prediction_id: text(ID)?.parse().ok()?,
            request_id: text(REQUEST)?,
            at: Timestamp(
                self.column(AT)?
                    .as_primitive_opt::<TimestampMillisecondType>()?
                    .value(row),
            ),
            revision: whole(REVISION)?,
            model_version: whole(VERSION),
            latency_ms: real(LATENCY)?,
            prediction: text(PREDICTION).unwrap_or_default(),
            score: real(SCORE),
            features,
        })
    }
}

/// Reads predictions; of a log that is being written, everything up to the last 200 milliseconds.
pub fn read(folder: &Path, query: &Query) -> Result<Predictions> {
    let limit = query.limit.unwrap_or(usize::MAX);
    let mut newest_first = Vec::new();
    let mut count = 0;
    for path in segments(&DeploymentFolder::at(folder).predictions())?
        .iter()
        .rev()
    {
        if count >= limit {
            break;
        }
        if outside(path, query) {
            continue;
        }
        let wanted = |field: &Field| match (field.metadata().get(FEATURE), &query.columns) {
            (Some(name), Some(columns)) => columns.contains(name),
            _ => true,
        };
        for batch in batches(path, &wanted)?.into_iter().rev() {
            let batch = matching(&batch, query)?;
            count += batch.num_rows();
            newest_first.push(batch);
        }
    }
    newest_first.reverse();
    let joined = join(&newest_first)?;
    let skip = joined.len().saturating_sub(limit);
    Ok(Predictions {
        about: joined.about.slice(skip, joined.len() - skip),
        features: joined.features.slice(skip, joined.len() - skip),
    })
}

/// Finds one prediction.
pub fn find(folder: &Path, id: &PredictionId) -> Result<Option<Logged>> {
    for path in segments(&DeploymentFolder::at(folder).predictions())?
        .iter()
        .rev()
    {
        // Ids first: their column is small, and nearly every segment is not the one.
        let ids = batches(path, &|field| field.name() == ID)?;
        let mut offset = 0;
        for batch in &ids {
            let column = batch.column(0).as_string::<i32>();
            if let Some(row) = (0..column.len()).find(|row| column.value(*row) == id.as_str()) {
                let whole = join(&batches(path, &|_| true)?)?;
                return Ok(whole.row(offset + row));
            }
            offset += batch.num_rows();
        }
    }
    Ok(None)
}

fn outside(path: &Path, query: &Query) -> bool {
    let too_new = query
        .until
        .zip(begins(path))
        .is_some_and(|(until, begins)| begins > until.0.saturating_add(CLOCK_SLACK));
    let too_old = query
        .since
        .zip(ends(path))
        .is_some_and(|(since, ends)| ends < since.0);
    too_new || too_old
}

fn matching(batch: &RecordBatch, query: &Query) -> Result<RecordBatch> {
    if query.since.is_none() && query.until.is_none() && query.revision.is_none() {
        return Ok(batch.clone());
    }
    let at = batch
        .column_by_name(AT)
        .and_then(|array| array.as_primitive_opt::<TimestampMillisecondType>());
    let revision = batch
        .column_by_name(REVISION)
        .and_then(|array| array.as_primitive_opt::<UInt32Type>());
    let keep: BooleanArray = (0..batch.num_rows())
        .map(|row| {
            let time = at.map(|at| at.value(row));
            let in_time = query
                .since
                .is_none_or(|since| time.is_some_and(|time| time >= since.0))
                && query
                    .until
                    .is_none_or(|until| time.is_some_and(|time| time < until.0));
            let mine = query.revision.is_none_or(|wanted| {
                revision
                    .is_some_and(|revision| revision.is_valid(row) && revision.value(row) == wanted)
            });
            Some(in_time && mine)
        })
        .collect();
    Ok(filter_record_batch(batch, &keep)?)
}

/// Batches of possibly different schemas as one: a feature that a revision did not have is null there.
fn join(parts: &[RecordBatch]) -> Result<Predictions> {
    let mut about = Vec::<Arc<Field>>::new();
    let mut features = Vec::<Field>::new();
    for field in parts
        .iter()
        .flat_map(|part| part.schema().fields().iter().cloned().collect::<Vec<_>>())
    {
        match field.metadata().get(FEATURE) {
            Some(name) => match features.iter_mut().find(|known| known.name() == name) {
                Some(known) => {
                    *known = Field::new(name, common(known.data_type(), field.data_type()), true)
                }
                None => features.push(Field::new(name, field.data_type().clone(), true)),
            },
            None if about.iter().any(|known| known.name() == field.name()) => {}
            None => about.push(field),
        }
    }
    let about = Arc::new(Schema::new(about));
    let features = Arc::new(Schema::new(features));
    let mut about_parts = Vec::new();
    let mut feature_parts = Vec::new();
    for part in parts {
        let rows = RecordBatchOptions::new().with_row_count(Some(part.num_rows()));
        let own = about.fields().iter().map(|field| {
            pick(part, field, |given| {
                given.metadata().get(FEATURE).is_none() && given.name() == field.name()
            })
        });
        about_parts.push(RecordBatch::try_new_with_options(
            Arc::clone(&about),
            own.collect::<Result<_>>()?,
            &rows,
        )?);
        let given = features.fields().iter().map(|field| {
            pick(part, field, |given| {
                given.metadata().get(FEATURE) == Some(field.name())
            })
        });
        feature_parts.push(RecordBatch::try_new_with_options(
            Arc::clone(&features),
            given.collect::<Result<_>>()?,
            &rows,
        )?);
    }
    Ok(Predictions {
        about: concat_batches(&about, &about_parts)?,
        features: concat_batches(&features, &feature_parts)?,
    })
}

fn pick(part: &RecordBatch, field: &Field, is: impl Fn(&Field) -> bool) -> Result<ArrayRef> {
    match part.schema().fields().iter().position(|given| is(given)) {
        Some(index) => Ok(cast(part.column(index), field.data_type())?),
        None => Ok(new_null_array(field.data_type(), part.num_rows())),
    }
}

/// The type that holds both: two revisions may have declared the same feature differently.
fn common(left: &DataType, right: &DataType) -> DataType {
    if left == right {
        left.clone()
    } else if left.is_numeric() && right.is_numeric() {
        DataType::Float64
    } else {
        DataType::Utf8
    }
}
