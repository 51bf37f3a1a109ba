//! The bundled sample `flight-delays`: embedded in the program, so that it works offline and wherever it is installed.

use std::path::Path;

use lapwing_core::Report;

use crate::file;

/// The name of the sample's folder, project and model.
pub const NAME: &str = "flight-delays";

struct SampleFile {
    path: &'static str,
    content: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/sample.rs"));

/// Writes the project's files into `folder`.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path) -> Result<(), Report> {
    for entry in PROJECT {
        file::write_whole(&folder.join(entry.path), entry.content)?;
    }
    Ok(())
}

/// Names of the later months' files, in order of time: what arrives after the first model was trained.
#[must_use]
pub fn later() -> Vec<&'static str> {
    LATER.iter().map(|entry| entry.path).collect()
}

/// Writes one of the later months' files.
///
/// # Errors
/// When there is no such file, or it cannot be written.
pub fn write_later(name: &str, to: &Path) -> Result<(), Report> {
    let Some(entry) = LATER.iter().find(|entry| entry.path == name) else {
        return Err(Report::new(
            lapwing_core::Code::NotFound,
            "sample.no_month",
            format!("the sample has no file `{name}`"),
        ));
    };
    file::write_whole(to, entry.content)
}
