//! Reading: CSV, Parquet and JSON lines, whole or in part.

use std::io::{BufRead as _, Read as _, Seek as _};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatchReader as _;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::json::reader::infer_json_schema_from_seekable;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};

use super::Frame;
use crate::{Error, Result};

/// Rows from which CSV's and JSON's column types are guessed.
const INFERENCE_ROWS: usize = 10_000;
const BATCH_ROWS: usize = 65_536;

/// Which part of a file to read.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// All columns without it.
    pub columns: Option<Vec<String>>,
    pub offset: usize,
    /// All rows without it.
    pub limit: Option<usize>,
}

/// What a file with rows is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Csv,
    Parquet,
    JsonLines,
}

/// By the ending of its name.
///
/// # Errors
/// When it is another one.
pub fn kind_of(path: &Path) -> Result<Kind> {
    match path
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase())
        .as_deref()
    {
        Some("csv" | "tsv") => Ok(Kind::Csv),
        Some("parquet" | "pq") => Ok(Kind::Parquet),
        Some("jsonl" | "ndjson") => Ok(Kind::JsonLines),
        _ => Err(Error::UnknownKind(path.to_owned())),
    }
}

/// True for the endings that [`Frame::read`] knows.
#[must_use]
pub fn is_tabular(path: &Path) -> bool {
    kind_of(path).is_ok()
}

fn unreadable(path: &Path) -> impl Fn(String) -> Error + '_ {
    |reason| Error::Unreadable {
        path: path.to_owned(),
        reason,
    }
}

fn open(path: &Path) -> Result<std::fs::File> {
    match std::fs::File::open(path) {
        Ok(file) if file.metadata().is_ok_and(|meta| meta.is_dir()) => Err(Error::Unreadable {
            path: path.to_owned(),
            reason: "it is a folder".to_owned(),
        }),
        Ok(file) => Ok(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::NoFile(path.to_owned()))
        }
        Err(error) => Err(Error::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

impl Frame {
    /// Reads a file, or a part of it, by its ending.
    ///
    /// # Errors
    /// When it is not there, of an unknown kind or damaged, or has no such column.
    pub fn read(path: &Path, part: &Part) -> Result<Self> {
        match kind_of(path)? {
            Kind::Csv => read_csv(path, part),
            Kind::Parquet => read_parquet(path, part),
            Kind::JsonLines => read_json(path, part),
        }
    }

    /// How many rows a file has; without reading them where the format says so.
    ///
    /// # Errors
    /// As [`Frame::read`].
    pub fn count_rows(path: &Path) -> Result<u64> {
        match kind_of(path)? {
            Kind::Parquet => {
                let builder = ParquetRecordBatchReaderBuilder::try_new(open(path)?)
                    .map_err(|error| unreadable(path)(error.to_string()))?;
                Ok(u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0))
            }
            Kind::Csv => count_csv(path),
            Kind::JsonLines => Ok(Self::read(path, &Part::default())?.rows() as u64),
        }
    }
}

fn wanted(part: &Part, schema: &Schema) -> Result<Option<Vec<usize>>> {
    let Some(columns) = &part.columns else {
        return Ok(None);
    };
    columns
        .iter()
        .map(|name| {
            schema
                .index_of(name)
                .map_err(|_| Error::NoColumn(name.clone()))
        })
        .collect::<Result<Vec<_>>>()
        .map(Some)
}

fn read_parquet(path: &Path, part: &Part) -> Result<Frame> {
    let bad = unreadable(path);
    let mut builder = ParquetRecordBatchReaderBuilder::try_new(open(path)?)
        .map_err(|error| bad(error.to_string()))?;
    if let Some(columns) = wanted(part, builder.schema())? {
        let mask = ProjectionMask::roots(builder.parquet_schema(), columns);
        builder = builder.with_projection(mask);
    }
    let total = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let offset = part.offset.min(total);
    let limit = part.limit.unwrap_or(total).min(total - offset);
    builder = builder
        .with_row_selection(RowSelection::from(vec![
            RowSelector::skip(offset),
            RowSelector::select(limit),
        ]))
        .with_batch_size(BATCH_ROWS);
    let reader = builder.build().map_err(|error| bad(error.to_string()))?;
    let schema = reader.schema();
    let batches = reader
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad(error.to_string()))?;
    let frame = Frame::from_batches(&schema, &batches)?;
    match &part.columns {
        Some(columns) => frame.select(columns),
        None => Ok(frame),
    }
}

/// What separates the fields of a CSV file: of the marks that programs write, the one that the header has most often.
///
/// # Errors
/// When it cannot be read.
pub fn delimiter(path: &Path) -> Result<u8> {
    /// A header is no longer than this, or it is none.
    const HEADER_BYTES: u64 = 64 * 1024;
    let mut header = Vec::new();
    std::io::BufReader::new(open(path)?)
        .take(HEADER_BYTES)
        .read_until(b'\n', &mut header)
        .map_err(|error| unreadable(path)(error.to_string()))?;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in header {
        quoted ^= byte == b'"';
        for (mark, count) in &mut counts {
            *count += u32::from(!quoted && byte == *mark);
        }
    }
    // The comma is first and stays where nothing is more frequent.
    let most = counts.iter().rev().max_by_key(|(_, count)| *count);
    Ok(most.map_or(b',', |(mark, _)| *mark))
}

fn read_csv(path: &Path, part: &Part) -> Result<Frame> {
    let bad = unreadable(path);
    let mut file = open(path)?;
    let format = Format::default()
        .with_header(true)
        .with_delimiter(delimiter(path)?);
    let (schema, _) = format
        .infer_schema(&mut file, Some(INFERENCE_ROWS))
        .map_err(|error| bad(error.to_string()))?;
    if schema.fields().is_empty() {
        return Err(bad("it is empty".to_owned()));
    }
    let read = |schema: Schema| -> Result<Frame> {
        let schema = Arc::new(schema);
        let mut builder = arrow::csv::ReaderBuilder::new(Arc::clone(&schema))
            .with_format(format.clone())
            .with_batch_size(BATCH_ROWS);
        if let Some(limit) = part.limit {
            builder = builder.with_bounds(part.offset, part.offset.saturating_add(limit));
        } else if part.offset > 0 {
            builder = builder.with_bounds(part.offset, usize::MAX);
        }
        let reader = builder
            .build(open(path)?)
            .map_err(|error| bad(error.to_string()))?;
        let batches = reader
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| bad(error.to_string()))?;
        Frame::from_batches(&schema, &batches)
    };
    // The guess is from the first rows: where a later row contradicts it, whole numbers become floats, then everything text.
    let frame = read(schema.clone())
        .or_else(|_| read(widened(&schema, &DataType::Float64)))
        .or_else(|_| read(widened(&schema, &DataType::Utf8)))?;
    match &part.columns {
        Some(columns) => frame.select(columns),
        None => Ok(frame),
    }
}

fn widened(schema: &Schema, to: &DataType) -> Schema {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            let widen = to == &DataType::Utf8 || field.data_type().is_integer();
            Field::new(
                field.name(),
                if widen {
                    to.clone()
                } else {
                    field.data_type().clone()
                },
                true,
            )
        })
        .collect();
    Schema::new(fields)
}

fn count_csv(path: &Path) -> Result<u64> {
    let bad = unreadable(path);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .delimiter(delimiter(path)?)
        .from_reader(open(path)?);
    let mut record = csv::ByteRecord::new();
    let mut rows = 0;
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| bad(error.to_string()))?
    {
        rows += 1;
    }
    Ok(rows)
}

fn read_json(path: &Path, part: &Part) -> Result<Frame> {
    let bad = unreadable(path);
    let mut file = std::io::BufReader::new(open(path)?);
    let (schema, _) = infer_json_schema_from_seekable(&mut file, Some(INFERENCE_ROWS))
        .map_err(|error| bad(error.to_string()))?;
    file.rewind().map_err(|error| bad(error.to_string()))?;
    let schema = Arc::new(schema);
    let reader = arrow::json::ReaderBuilder::new(Arc::clone(&schema))
        .with_batch_size(BATCH_ROWS)
        .build(file)
        .map_err(|error| bad(error.to_string()))?;
    let batches = reader
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad(error.to_string()))?;
    let frame = Frame::from_batches(&schema, &batches)?
        .slice(part.offset, part.limit.unwrap_or(usize::MAX));
    match &part.columns {
        Some(columns) => frame.select(columns),
        None => Ok(frame),
    }
}
