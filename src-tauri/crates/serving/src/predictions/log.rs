//! The writer of the prediction log: one thread behind a bounded queue. A request never waits for it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow::array::{
    ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt16Array,
    UInt32Array, new_null_array,
};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use lapwing_core::Timestamp;
use serde_json::Value;

use super::segment::{Growing, left_behind, seal};
use super::{
    AT, ERROR, FEATURE, ID, LATENCY, NUMBER, PREDICTION, REQUEST, REVISION, ROWS, SCORE, STATUS,
    VERSION,
};
use crate::{DeploymentFolder, Result};

/// Requests between the endpoint and the disk; more are counted as dropped.
const MAX_QUEUED: usize = 16_384;
/// What a killed gateway loses at most.
const FLUSH_EVERY: Duration = Duration::from_millis(150);
/// One batch holds no more requests, so that a flood does not grow it without end.
const MAX_GATHERED: usize = 4096;
const SEAL_BYTES: usize = 64 * 1024 * 1024;
const SEAL_AGE: Duration = Duration::from_secs(3600);

/// One request, answered or refused.
pub(crate) struct Entry {
    pub(crate) request_id: String,
    pub(crate) at: Timestamp,
    /// None when it was refused before a revision was chosen.
    pub(crate) revision: Option<u32>,
    pub(crate) model_version: Option<u32>,
    pub(crate) latency_ms: f64,
    pub(crate) status: u16,
    pub(crate) error: Option<String>,
    pub(crate) rows: usize,
    pub(crate) answered: Option<Answered>,
}

/// The rows of an answered request.
pub(crate) struct Answered {
    pub(crate) ids: Vec<String>,
    pub(crate) predictions: Vec<Value>,
    pub(crate) scores: Option<Vec<f64>>,
    pub(crate) features: Option<RecordBatch>,
}

pub(crate) struct PredictionLog {
    sender: Option<SyncSender<Entry>>,
    thread: Option<JoinHandle<()>>,
    dropped: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

impl PredictionLog {
    /// Seals what an earlier gateway left and starts the writer.
    pub(crate) fn open(folder: &DeploymentFolder) -> Result<Self> {
        for place in [folder.predictions(), folder.requests()] {
            fs_err::create_dir_all(&place)?;
            for path in left_behind(&place)? {
                if let Err(error) = seal(&path) {
                    tracing::warn!(path = %path.display(), %error, "a segment of the prediction log stays unsealed");
                }
            }
        }
        let (sender, receiver) = sync_channel(MAX_QUEUED);
        let failed = Arc::new(AtomicU64::new(0));
        let mut writer = Writer {
            predictions: folder.predictions(),
            requests: folder.requests(),
            open: HashMap::new(),
            failed: Arc::clone(&failed),
        };
        let thread = std::thread::Builder::new()
            .name("prediction-log".to_owned())
            .spawn(move || writer.run(&receiver))?;
        Ok(Self {
            sender: Some(sender),
            thread: Some(thread),
            dropped: Arc::default(),
            failed,
        })
    }

    /// Hands over one request; when the disk is too slow it is counted and forgotten.
    pub(crate) fn push(&self, entry: Entry) {
        let Some(sender) = &self.sender else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = sender.try_send(entry) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests that are in no segment, since the queue was full or the disk refused.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed)
    }
}

impl Drop for PredictionLog {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the prediction log panicked");
        }
    }
}

struct Open {
    segment: Growing,
    begun: Instant,
}

struct Writer {
    predictions: PathBuf,
    requests: PathBuf,
    /// By folder and schema: revisions with different features grow side by side.
    open: HashMap<(PathBuf, Fields), Open>,
    failed: Arc<AtomicU64>,
}

impl Writer {
    fn run(&mut self, queue: &Receiver<Entry>) {
        let mut gathered = Vec::new();
        let mut deadline: Option<Instant> = None;
        loop {
            let wait = deadline.map_or(SEAL_AGE, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            match queue.recv_timeout(wait) {
                Ok(entry) => {
                    deadline.get_or_insert_with(|| Instant::now() + FLUSH_EVERY);
                    gathered.push(entry);
                    if gathered.len() < MAX_GATHERED
                        && deadline.is_some_and(|deadline| Instant::now() < deadline)
                    {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.flush(&mut gathered);
                    self.seal_all(&|_| true);
                    return;
                }
            }
            self.flush(&mut gathered);
            deadline = None;
            self.seal_all(&|open| {
                open.segment.bytes > SEAL_BYTES || open.begun.elapsed() > SEAL_AGE
            });
        }
    }

    fn flush(&mut self, gathered: &mut Vec<Entry>) {
        if gathered.is_empty() {
            return;
        }
        let entries = std::mem::take(gathered);
        if let Err(error) = self.write(&entries) {
            tracing::error!(%error, requests = entries.len(), "the prediction log cannot be written");
            self.failed.fetch_add(
                u64::try_from(entries.len()).unwrap_or(u64::MAX),
                Ordering::Relaxed,
            );
            // A half-written stream cannot be continued: readers stop at its torn message.
            self.open.clear();
        }
    }

    fn write(&mut self, entries: &[Entry]) -> Result<()> {
        let (predictions, requests) = (self.predictions.clone(), self.requests.clone());
        let mut groups: HashMap<Fields, Vec<(&Entry, &Answered)>> = HashMap::new();
        for entry in entries {
            if let Some(answered) = &entry.answered {
                let fields = answered
                    .features
                    .as_ref()
                    .map_or_else(Fields::empty, |batch| batch.schema().fields().clone());
                groups.entry(fields).or_default().push((entry, answered));
            }
        }
        for group in groups.values() {
            self.append(&predictions, &prediction_rows(group)?)?;
        }
        self.append(&requests, &request_rows(entries)?)
    }

    fn append(&mut self, folder: &Path, batch: &RecordBatch) -> Result<()> {
        let key = (folder.to_owned(), batch.schema().fields().clone());
        let open = match self.open.entry(key) {
            std::collections::hash_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => place.insert(Open {
                segment: Growing::create(folder, Timestamp::now().0, &batch.schema())?,
                begun: Instant::now(),
            }),
        };
        open.segment.append(batch)
    }

    fn seal_all(&mut self, ripe: &dyn Fn(&Open) -> bool) {
        let keys: Vec<_> = self
            .open
            .iter()
            .filter(|(_, open)| ripe(open))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            if let Some(open) = self.open.remove(&key)
                && let Err(error) = open.segment.seal()
            {
                tracing::error!(%error, "a segment of the prediction log cannot be sealed");
            }
        }
    }
}

fn about_fields() -> Vec<Field> {
    vec![
        Field::new(ID, DataType::Utf8, false),
        Field::new(REQUEST, DataType::Utf8, false),
        Field::new(
            AT,
            DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            false,
        ),
        Field::new(REVISION, DataType::UInt32, true),
        Field::new(VERSION, DataType::UInt32, true),
        Field::new(LATENCY, DataType::Float64, false),
        Field::new(PREDICTION, DataType::Utf8, true),
        Field::new(NUMBER, DataType::Float64, true),
        Field::new(SCORE, DataType::Float64, true),
    ]
}

fn feature_field(field: &Field, about: &[Field]) -> Field {
    let taken = about.iter().any(|own| own.name() == field.name());
    let name = if taken {
        format!("feature.{}", field.name())
    } else {
        field.name().clone()
    };
    Field::new(name, field.data_type().clone(), true)
        .with_metadata(HashMap::from([(FEATURE.to_owned(), field.name().clone())]))
}

fn prediction_rows(group: &[(&Entry, &Answered)]) -> Result<RecordBatch> {
    let mut fields = about_fields();
    let rows: Vec<(&Entry, &Answered, usize)> = group
        .iter()
        .flat_map(|(entry, answered)| {
            (0..answered.ids.len()).map(move |row| (*entry, *answered, row))
        })
        .collect();
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let mut arrays: Vec<ArrayRef> = vec![
        Arc::new(
            rows.iter()
                .map(|(_, answered, row)| answered.ids.get(*row).map(String::as_str))
                .collect::<StringArray>(),
        ),
        Arc::new(
            rows.iter()
                .map(|(entry, ..)| Some(entry.request_id.as_str()))
                .collect::<StringArray>(),
        ),
        Arc::new(
            TimestampMillisecondArray::from_iter_values(rows.iter().map(|(entry, ..)| entry.at.0))
                .with_timezone("UTC"),
        ),
        Arc::new(
            rows.iter()
                .map(|(entry, ..)| entry.revision)
                .collect::<UInt32Array>(),
        ),
        Arc::new(
            rows.iter()
                .map(|(entry, ..)| entry.model_version)
                .collect::<UInt32Array>(),
        ),
        Arc::new(
            rows.iter()
                .map(|(entry, ..)| entry.latency_ms)
                .collect::<Float64Array>(),
        ),
        Arc::new(
            rows.iter()
                .map(|(_, answered, row)| answered.predictions.get(*row).map(text))
                .collect::<StringArray>(),
        ),
        Arc::new(
            rows.iter()
                .map(|(_, answered, row)| answered.predictions.get(*row).and_then(Value::as_f64))
                .collect::<Float64Array>(),
        ),
        Arc::new(
            rows.iter()
                .map(|(_, answered, row)| {
                    answered
                        .scores
                        .as_ref()
                        .and_then(|scores| scores.get(*row).copied())
                })
                .collect::<Float64Array>(),
        ),
    ];
    let about = fields.clone();
    if let Some(first) = group
        .first()
        .and_then(|(_, answered)| answered.features.as_ref())
    {
        for (index, field) in first.schema().fields().iter().enumerate() {
            let parts: Vec<ArrayRef> = group
                .iter()
                .map(|(_, answered)| {
                    answered.features.as_ref().map_or_else(
                        || new_null_array(field.data_type(), answered.ids.len()),
                        |batch| Arc::clone(batch.column(index)),
                    )
                })
                .collect();
            let parts: Vec<&dyn arrow::array::Array> = parts.iter().map(AsRef::as_ref).collect();
            arrays.push(concat(&parts)?);
            fields.push(feature_field(field, &about));
        }
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

fn request_rows(entries: &[Entry]) -> Result<RecordBatch> {
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        Field::new(REQUEST, DataType::Utf8, false),
        Field::new(
            AT,
            DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            false,
        ),
        Field::new(REVISION, DataType::UInt32, true),
        Field::new(VERSION, DataType::UInt32, true),
        Field::new(LATENCY, DataType::Float64, false),
        Field::new(STATUS, DataType::UInt16, false),
        Field::new(ROWS, DataType::UInt32, false),
        Field::new(ERROR, DataType::Utf8, true),
    ]));
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(
            entries
                .iter()
                .map(|entry| Some(entry.request_id.as_str()))
                .collect::<StringArray>(),
        ),
        Arc::new(
            TimestampMillisecondArray::from_iter_values(entries.iter().map(|entry| entry.at.0))
                .with_timezone("UTC"),
        ),
        Arc::new(
            entries
                .iter()
                .map(|entry| entry.revision)
                .collect::<UInt32Array>(),
        ),
        Arc::new(
            entries
                .iter()
                .map(|entry| entry.model_version)
                .collect::<UInt32Array>(),
        ),
        Arc::new(
            entries
                .iter()
                .map(|entry| entry.latency_ms)
                .collect::<Float64Array>(),
        ),
        Arc::new(
            entries
                .iter()
                .map(|entry| entry.status)
                .collect::<UInt16Array>(),
        ),
        Arc::new(
            entries
                .iter()
                .map(|entry| u32::try_from(entry.rows).unwrap_or(u32::MAX))
                .collect::<UInt32Array>(),
        ),
        Arc::new(
            entries
                .iter()
                .map(|entry| entry.error.as_deref())
                .collect::<StringArray>(),
        ),
    ];
    Ok(RecordBatch::try_new(schema, arrays)?)
}
