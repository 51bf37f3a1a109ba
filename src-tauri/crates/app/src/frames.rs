//! Rows of a file for a face that sends them on, and small JSON files that a face keeps.

use std::path::Path;

use lapwing_core::Report;
use lapwing_monitor::Frame;
use lapwing_monitor::frame::Part;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Reported as _;
use crate::file;

/// Some rows of a table.
pub struct Rows {
    frame: Frame,
}

impl Rows {
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// A column as people write its values.
    ///
    /// # Errors
    /// When there is none.
    pub fn texts(&self, column: &str) -> Result<Vec<Option<String>>, Report> {
        self.frame.texts(column).reported()
    }
}

/// At most `max` rows of a file, spread evenly over it.
///
/// # Errors
/// When the file cannot be read.
pub fn rows(path: &Path, max: usize) -> Result<Rows, Report> {
    let frame = Frame::read(path, &Part::default())
        .reported()?
        .thinned(max)
        .reported()?;
    Ok(Rows { frame })
}

/// Reads a JSON file; `None` when it is not there.
///
/// # Errors
/// When it is there and cannot be understood.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Report> {
    file::read_json(path)
}

/// Writes a JSON file whole.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Report> {
    file::write_json(path, value)
}
