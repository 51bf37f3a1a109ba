//! Segments: files of one folder and one schema. Growing ones are Arrow IPC streams, sealed ones Parquet.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::{Error, Result};

const GROWING: &str = "arrows";
const SEALED: &str = "parquet";
const ROW_GROUP: usize = 65_536;

/// A segment that grows.
pub(crate) struct Growing {
    path: PathBuf,
    writer: StreamWriter<File>,
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

impl Growing {
    /// A new file, named by its time so that names sort by age.
    pub(crate) fn create(folder: &Path, now: i64, schema: &SchemaRef) -> Result<Self> {
        fs_err::create_dir_all(folder)?;
        for number in 0..1000 {
            let path = folder.join(format!("{now:013}-{number:03}.{GROWING}"));
            if path.with_extension(SEALED).exists() {
                continue;
            }
            match fs_err::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)
            {
                Ok(file) => {
                    let writer = StreamWriter::try_new(file.into_parts().0, schema)?;
                    return Ok(Self {
                        path,
                        writer,
                        rows: 0,
                        bytes: 0,
                    });
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Io(std::io::Error::other(
            "too many segments begin in the same millisecond",
        )))
    }

    /// Appends and syncs: what this returns from is kept.
    pub(crate) fn append(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch)?;
        self.writer.flush()?;
        self.writer.get_ref().sync_data()?;
        self.rows += batch.num_rows();
        self.bytes += batch.get_array_memory_size();
        Ok(())
    }

    /// Turns it into Parquet.
    pub(crate) fn seal(mut self) -> Result<()> {
        self.writer.finish()?;
        self.writer.get_ref().sync_data()?;
        drop(self.writer);
        seal(&self.path)
    }
}

/// Turns what is whole of a stream into Parquet; a stream without a whole batch is removed.
pub(crate) fn seal(path: &Path) -> Result<()> {
    let sealed = path.with_extension(SEALED);
    if !sealed.exists() {
        let batches = growing_batches(path)?;
        if let Some(first) = batches.first() {
            write_parquet(&sealed, &first.schema(), &batches)?;
        }
    }
    fs_err::remove_file(path)?;
    Ok(())
}

/// Writes a Parquet file that appears whole.
pub(crate) fn write_parquet(
    path: &Path,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .build();
    let mut writer = ArrowWriter::try_new(file.reopen()?, Arc::clone(schema), Some(properties))?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.close()?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// Streams that a gateway left behind when it ended.
pub(crate) fn left_behind(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(files(folder)?
        .into_iter()
        .filter(|path| has_extension(path, GROWING))
        .collect())
}

/// The segments of a folder, oldest first, each once.
pub(crate) fn segments(folder: &Path) -> Result<Vec<PathBuf>> {
    let all = files(folder)?;
    Ok(all
        .iter()
        // Between renaming the Parquet file and removing the stream both are there.
        .filter(|path| {
            !(has_extension(path, GROWING) && all.contains(&path.with_extension(SEALED)))
        })
        .cloned()
        .collect())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if has_extension(&path, GROWING) || has_extension(&path, SEALED) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|given| given == extension)
}

/// When the segment begins, from its name.
pub(crate) fn begins(path: &Path) -> Option<i64> {
    path.file_stem()?.to_str()?.split('-').next()?.parse().ok()
}

/// When it was last written to.
pub(crate) fn ends(path: &Path) -> Option<i64> {
    let modified = fs_err::metadata(path).ok()?.modified().ok()?;
    let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

/// The batches of a segment with the columns that `wanted` accepts. Of a stream, those that are whole; nothing of a segment that
/// was sealed and removed meanwhile (its Parquet file is read instead).
pub(crate) fn batches(
    path: &Path,
    wanted: &dyn Fn(&arrow::datatypes::Field) -> bool,
) -> Result<Vec<RecordBatch>> {
    if has_extension(path, SEALED) {
        return parquet_batches(path, wanted);
    }
    match growing_batches(path) {
        Ok(batches) => batches.iter().map(|batch| project(batch, wanted)).collect(),
        Err(_) if path.with_extension(SEALED).is_file() => {
            parquet_batches(&path.with_extension(SEALED), wanted)
        }
        Err(error) => Err(error),
    }
}

fn project(
    batch: &RecordBatch,
    wanted: &dyn Fn(&arrow::datatypes::Field) -> bool,
) -> Result<RecordBatch> {
    let schema = batch.schema();
    let kept: Vec<usize> = (0..schema.fields().len())
        .filter(|index| wanted(schema.field(*index)))
        .collect();
    Ok(batch.project(&kept)?)
}

fn parquet_batches(
    path: &Path,
    wanted: &dyn Fn(&arrow::datatypes::Field) -> bool,
) -> Result<Vec<RecordBatch>> {
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(fs_err::File::open(path)?.into_parts().0)?;
    let schema = Arc::clone(builder.schema());
    let kept: Vec<usize> = (0..schema.fields().len())
        .filter(|index| wanted(schema.field(*index)))
        .collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), kept);
    let reader = builder
        .with_projection(mask)
        .with_batch_size(ROW_GROUP)
        .build()?;
    reader.map(|batch| batch.map_err(Error::from)).collect()
}

/// Reads a stream until its first torn message: a writer that was killed leaves at most one.
fn growing_batches(path: &Path) -> Result<Vec<RecordBatch>> {
    let file = fs_err::File::open(path)?.into_parts().0;
    if file.metadata()?.len() == 0 {
        return Ok(Vec::new());
    }
    let Ok(reader) = StreamReader::try_new(BufReader::new(file), None) else {
        return Ok(Vec::new());
    };
    Ok(reader.map_while(std::result::Result::ok).collect())
}
