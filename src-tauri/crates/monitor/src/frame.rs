//! Frames: named columns of equal length, over Arrow; read from CSV, Parquet and JSON lines, written as Parquet.

use std::io::{BufRead as _, Read as _, Seek as _};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, RecordBatch, RecordBatchReader as _, new_null_array,
};
use arrow::compute::{SortOptions, cast, concat_batches, sort_limit};
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use arrow::json::reader::infer_json_schema_from_seekable;
use arrow::util::display::array_value_to_string;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use serde_json::Value;

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

/// Named columns of equal length.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    batch: RecordBatch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Csv,
    Parquet,
    JsonLines,
}

fn kind_of(path: &Path) -> Result<Kind> {
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

impl Default for Frame {
    /// No columns, no rows.
    fn default() -> Self {
        Self {
            batch: RecordBatch::new_empty(Arc::new(Schema::empty())),
        }
    }
}

impl Frame {
    /// From batches of one schema.
    ///
    /// # Errors
    /// When a batch has another schema.
    pub fn from_batches(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Self> {
        Ok(Self {
            batch: concat_batches(schema, batches)?,
        })
    }

    /// From named columns of equal length.
    ///
    /// # Errors
    /// When their lengths differ.
    pub fn from_columns(columns: Vec<(String, ArrayRef)>) -> Result<Self> {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, array)| Field::new(name, array.data_type().clone(), true))
            .collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        Ok(Self {
            batch: RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?,
        })
    }

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

    /// Writes a Parquet file; it appears under its name only when it is whole.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_parquet(&self, path: &Path) -> Result<()> {
        let unwritable = |reason: String| Error::Unwritable {
            path: path.to_owned(),
            reason,
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| unwritable(error.to_string()))?;
        }
        let part = path.with_extension("part");
        let file = std::fs::File::create(&part).map_err(|error| unwritable(error.to_string()))?;
        let mut writer = ArrowWriter::try_new(file, self.batch.schema(), None)
            .map_err(|error| unwritable(error.to_string()))?;
        writer
            .write(&self.batch)
            .map_err(|error| unwritable(error.to_string()))?;
        let file = writer
            .into_inner()
            .map_err(|error| unwritable(error.to_string()))?;
        file.sync_all()
            .map_err(|error| unwritable(error.to_string()))?;
        std::fs::rename(&part, path).map_err(|error| unwritable(error.to_string()))
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

    #[must_use]
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.batch
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    }

    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    #[must_use]
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The column of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn column(&self, name: &str) -> Result<&ArrayRef> {
        self.batch
            .column_by_name(name)
            .ok_or_else(|| Error::NoColumn(name.to_owned()))
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.batch.column_by_name(name).is_some()
    }

    /// A column as numbers; null stays null, booleans are 0 and 1.
    ///
    /// # Errors
    /// When there is none, or it holds no numbers.
    pub fn numbers(&self, name: &str) -> Result<Vec<Option<f64>>> {
        let array = self.column(name)?;
        numbers(array).ok_or_else(|| Error::NotNumbers {
            column: name.to_owned(),
            found: kind_word(array.data_type()).to_owned(),
        })
    }

    /// A column as people would write its values.
    ///
    /// # Errors
    /// When there is none.
    pub fn texts(&self, name: &str) -> Result<Vec<Option<String>>> {
        texts(self.column(name)?)
    }

    /// A column of times as milliseconds since 1970; whole numbers are taken as they are.
    ///
    /// # Errors
    /// When there is none, or it holds no times.
    pub fn millis(&self, name: &str) -> Result<Vec<Option<f64>>> {
        let array = self.column(name)?;
        let array = match array.data_type() {
            DataType::Timestamp(_, zone) => cast(
                array,
                &DataType::Timestamp(arrow::datatypes::TimeUnit::Millisecond, zone.clone()),
            )?,
            _ => Arc::clone(array),
        };
        let whole = cast(&array, &DataType::Int64)?;
        Ok(numbers(&whole).unwrap_or_default())
    }

    /// Only these columns, in this order.
    ///
    /// # Errors
    /// When one is missing.
    pub fn select(&self, names: &[String]) -> Result<Self> {
        let columns = names
            .iter()
            .map(|name| Ok((name.clone(), Arc::clone(self.column(name)?))))
            .collect::<Result<Vec<_>>>()?;
        Self::from_columns(columns)
    }

    /// These rows in this order.
    ///
    /// # Errors
    /// When an index is out of range.
    pub fn take(&self, rows: &[usize]) -> Result<Self> {
        let indices =
            arrow::array::UInt64Array::from_iter_values(rows.iter().map(|row| *row as u64));
        let columns = self
            .batch
            .columns()
            .iter()
            .map(|array| arrow::compute::take(array, &indices, None));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            batch: RecordBatch::try_new(self.batch.schema(), columns)?,
        })
    }

    /// `count` rows from `offset`; fewer at the end.
    #[must_use]
    pub fn slice(&self, offset: usize, count: usize) -> Self {
        let offset = offset.min(self.rows());
        Self {
            batch: self.batch.slice(offset, count.min(self.rows() - offset)),
        }
    }

    /// At most `max` rows, spread evenly: what stands for the whole where all of it is too much.
    ///
    /// # Errors
    /// Never for a frame that was read.
    pub fn thinned(&self, max: usize) -> Result<Self> {
        if self.rows() <= max {
            return Ok(self.clone());
        }
        let rows: Vec<usize> = (0..max).map(|index| index * self.rows() / max).collect();
        self.take(&rows)
    }

    /// One frame after the other; columns that one lacks are null there.
    ///
    /// # Errors
    /// When a column has incompatible types.
    pub fn concat(frames: &[Self]) -> Result<Self> {
        let schemas = frames
            .iter()
            .map(|frame| frame.batch.schema().as_ref().clone());
        let schema: SchemaRef = Arc::new(
            Schema::try_merge(schemas).map_err(|error| Error::Different(error.to_string()))?,
        );
        let mut batches = Vec::new();
        for frame in frames {
            let columns = schema.fields().iter().map(|field| {
                match frame.batch.column_by_name(field.name()) {
                    Some(array) => cast(array, field.data_type()),
                    None => Ok(new_null_array(field.data_type(), frame.rows())),
                }
            });
            batches.push(RecordBatch::try_new(
                Arc::clone(&schema),
                columns.collect::<Result<Vec<_>, _>>()?,
            )?);
        }
        Self::from_batches(&schema, &batches)
    }

    /// The rows as JSON scalars: what the window's table shows.
    ///
    /// # Errors
    /// When a column's type has no text form.
    pub fn json_rows(&self) -> Result<Vec<Vec<Value>>> {
        let columns = self
            .batch
            .columns()
            .iter()
            .map(json_column)
            .collect::<Result<Vec<_>>>()?;
        Ok((0..self.rows())
            .map(|row| {
                columns
                    .iter()
                    .map(|column| column.get(row).cloned().unwrap_or(Value::Null))
                    .collect()
            })
            .collect())
    }

    /// The least and the greatest value of a column of whole numbers or times, as text; `None` for another or an empty one.
    ///
    /// # Errors
    /// When Arrow cannot order or print the type.
    pub fn ends(&self, name: &str) -> Result<Option<(String, String)>> {
        let Some(array) = self.batch.column_by_name(name) else {
            return Ok(None);
        };
        let kind = array.data_type();
        if !kind.is_integer() && !kind.is_temporal() {
            return Ok(None);
        }
        let array = in_utc(array)?;
        let end = |descending| {
            let options = SortOptions {
                descending,
                nulls_first: false,
            };
            let one = sort_limit(&array, Some(options), Some(1))?;
            if one.null_count() == one.len() {
                return Ok::<_, arrow::error::ArrowError>(None);
            }
            array_value_to_string(&one, 0).map(Some)
        };
        Ok(end(false)?.zip(end(true)?))
    }

    /// The word for a column's type.
    #[must_use]
    pub fn kind(&self, name: &str) -> &'static str {
        self.batch
            .column_by_name(name)
            .map_or("missing", |array| kind_word(array.data_type()))
    }
}

/// `int64`, `double`, `string`, `bool`, `timestamp`, `date`, or `other`.
#[must_use]
pub fn kind_word(kind: &DataType) -> &'static str {
    match kind {
        DataType::Boolean => "bool",
        kind if kind.is_integer() => "int64",
        kind if kind.is_floating()
            || matches!(kind, DataType::Decimal128(..) | DataType::Decimal256(..)) =>
        {
            "double"
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string",
        DataType::Dictionary(_, value) => kind_word(value),
        DataType::Timestamp(..) => "timestamp",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Null => "null",
        _ => "other",
    }
}

/// The values of a column of whole numbers, to the last digit; empty for another kind.
pub(crate) fn whole(array: &ArrayRef) -> Result<Vec<i64>> {
    if !array.data_type().is_integer() {
        return Ok(Vec::new());
    }
    let array = cast(array, &DataType::Int64)?;
    let values = array.as_primitive::<arrow::datatypes::Int64Type>();
    Ok(values.iter().flatten().collect())
}

pub(crate) fn numbers(array: &ArrayRef) -> Option<Vec<Option<f64>>> {
    if !matches!(
        kind_word(array.data_type()),
        "bool" | "int64" | "double" | "null"
    ) {
        return None;
    }
    let array = cast(array, &DataType::Float64).ok()?; // What cannot be cast holds no numbers.
    Some(array.as_primitive::<Float64Type>().iter().collect())
}

/// A time in a named zone, in UTC: its moments are the same, and naming zones would take the table of all of them.
fn in_utc(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            cast(array, &DataType::Timestamp(*unit, Some("+00:00".into())))?
        }
        _ => Arc::clone(array),
    })
}

pub(crate) fn texts(array: &ArrayRef) -> Result<Vec<Option<String>>> {
    let array = cast(&in_utc(array)?, &DataType::Utf8)?;
    Ok(array
        .as_string::<i32>()
        .iter()
        .map(|text| text.map(str::to_owned))
        .collect())
}

fn json_column(array: &ArrayRef) -> Result<Vec<Value>> {
    if array.data_type() == &DataType::Boolean {
        return Ok(array
            .as_boolean()
            .iter()
            .map(|value| value.map_or(Value::Null, Value::Bool))
            .collect());
    }
    if array.data_type().is_integer() {
        let array = cast(array, &DataType::Int64)?;
        let values = array.as_primitive::<arrow::datatypes::Int64Type>();
        return Ok(values
            .iter()
            .map(|value| value.map_or(Value::Null, Value::from))
            .collect());
    }
    if let Some(values) = numbers(array) {
        return Ok(values
            .into_iter()
            .map(|value| value.map_or(Value::Null, float))
            .collect());
    }
    Ok(texts(array)?
        .into_iter()
        .map(|value| value.map_or(Value::Null, Value::String))
        .collect())
}

/// JSON has no NaN and no infinity: they travel as their words.
fn float(value: f64) -> Value {
    serde_json::Number::from_f64(value)
        .map_or_else(|| Value::String(value.to_string()), Value::Number)
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

/// What separates the fields: of the marks that programs write, the one that the header has most often.
fn delimiter(path: &Path) -> Result<u8> {
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

/// A column of numbers.
#[must_use]
pub fn float_column(values: Vec<Option<f64>>) -> ArrayRef {
    Arc::new(arrow::array::Float64Array::from(values))
}

/// A column of texts.
#[must_use]
pub fn text_column(values: Vec<Option<String>>) -> ArrayRef {
    Arc::new(arrow::array::StringArray::from(values))
}

/// What was written as text, as numbers where all of it is numbers: the predictions of a regression, say. Whole numbers stay
/// whole: a few of them are classes.
#[must_use]
pub fn parsed_column(values: Vec<Option<String>>) -> ArrayRef {
    if let Some(whole) = parsed::<i64>(&values) {
        return Arc::new(arrow::array::Int64Array::from(whole));
    }
    match parsed(&values) {
        Some(numbers) => float_column(numbers),
        None => text_column(values),
    }
}

fn parsed<T: std::str::FromStr>(values: &[Option<String>]) -> Option<Vec<Option<T>>> {
    if values.iter().all(Option::is_none) {
        return None;
    }
    values
        .iter()
        .map(|value| match value {
            Some(text) => text.parse().ok().map(Some), // One word makes words of all.
            None => Some(None),
        })
        .collect()
}
