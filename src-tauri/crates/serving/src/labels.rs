//! Truth that arrives later, kept beside the predictions: one Parquet file for each delivery, joined by prediction id.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use lapwing_core::{PredictionId, Timestamp};

use crate::predictions::ID;
use crate::predictions::segment::{batches, segments, write_parquet};
use crate::{DeploymentFolder, Result};

const LABEL: &str = "label";
const RECEIVED: &str = "received";

/// Keeps a delivery of labels. A later label for the same prediction replaces the earlier one when they are read.
pub fn append(folder: &Path, labels: &[(PredictionId, String)], now: Timestamp) -> Result<()> {
    if labels.is_empty() {
        return Ok(());
    }
    let place = DeploymentFolder::at(folder).labels();
    fs_err::create_dir_all(&place)?;
    let schema = Arc::new(Schema::new(vec![
        Field::new(ID, DataType::Utf8, false),
        Field::new(LABEL, DataType::Utf8, false),
        Field::new(
            RECEIVED,
            DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            false,
        ),
    ]));
    let batch = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            Arc::new(
                labels
                    .iter()
                    .map(|(id, _)| Some(id.as_str()))
                    .collect::<StringArray>(),
            ),
            Arc::new(
                labels
                    .iter()
                    .map(|(_, label)| Some(label.as_str()))
                    .collect::<StringArray>(),
            ),
            Arc::new(
                TimestampMillisecondArray::from_iter_values(labels.iter().map(|_| now.0))
                    .with_timezone("UTC"),
            ),
        ],
    )?;
    // The random part keeps two deliveries of the same millisecond apart; names sort by time.
    let name = format!("{:013}-{}.parquet", now.0, PredictionId::random());
    write_parquet(&place.join(name), &schema, &[batch])
}

/// All labels, the newest for each prediction.
pub fn read(folder: &Path) -> Result<HashMap<String, String>> {
    let mut labels = HashMap::new();
    for path in segments(&DeploymentFolder::at(folder).labels())? {
        for batch in batches(&path, &|field| field.name() == ID || field.name() == LABEL)? {
            let (Some(ids), Some(values)) = (batch.column_by_name(ID), batch.column_by_name(LABEL))
            else {
                continue;
            };
            let (Some(ids), Some(values)) =
                (ids.as_string_opt::<i32>(), values.as_string_opt::<i32>())
            else {
                continue;
            };
            for (id, value) in ids.iter().zip(values.iter()) {
                if let (Some(id), Some(value)) = (id, value) {
                    labels.insert(id.to_owned(), value.to_owned());
                }
            }
        }
    }
    Ok(labels)
}
