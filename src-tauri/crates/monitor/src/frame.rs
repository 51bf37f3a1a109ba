//! Frames: named columns of equal length, over Arrow; read from CSV, Parquet and JSON lines, written as Parquet.

mod columns;
mod json;
mod read;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{SortOptions, cast, concat_batches, sort_limit};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use parquet::arrow::ArrowWriter;

use crate::{Error, Result};
use columns::in_utc;

pub use columns::{float_column, kind_word, parsed_column, text_column};
pub(crate) use columns::{numbers, texts, whole};
pub use read::{Kind, Part, delimiter, is_tabular, kind_of};

/// Named columns of equal length.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    batch: RecordBatch,
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
