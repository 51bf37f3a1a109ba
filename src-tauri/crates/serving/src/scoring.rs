//! A model over the rows of files: the folder that such a job runs in, and what it leaves there.
//!
//! The folder has the order, the scripts, and links to model and data, so that it runs here and travels as it is. What the
//! script makes appears in its folder `made` when it is whole.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Error, Result};

/// What is run, in the folder: `python3 score.py order.json`.
pub const COMMAND: [&str; 3] = ["python3", "score.py", ORDER];
/// What comes of it, in the folder.
pub const MADE: &str = "made";
/// The packages that the script needs, in the folder.
pub const REQUIREMENTS: &str = "requirements.txt";
/// So many rows are in memory at a time; fewer of a wide table.
pub const ROWS: usize = 65_536;
const ORDER: &str = "order.json";
const SCRIPTS: [(&str, &str); 3] = [
    ("score.py", include_str!("scoring/score.py")),
    ("lapwing_rows.py", include_str!("scoring/rows.py")),
    ("lapwing_worker.py", include_str!("worker.py")),
];
const MODEL: &str = "model";
const DATA: &str = "data";

/// What the data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    Csv { separator: char },
    Parquet,
    JsonLines,
}

/// What the predictions are written as, with the columns of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    Csv { separator: char },
    Parquet,
}

impl Writes {
    /// By the ending of a file's name; `None` for another one.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_string_lossy().to_lowercase();
        match ending.as_str() {
            "csv" => Some(Self::Csv { separator: ',' }),
            "tsv" => Some(Self::Csv { separator: '\t' }),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// Where the predictions appear, in the folder.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Csv { .. } => "made/predictions.csv",
            Self::Parquet => "made/predictions.parquet",
        }
    }
}

/// What is scored, with what.
#[derive(Debug, Clone)]
pub struct Order {
    /// The MLflow model's folder.
    pub model: PathBuf,
    /// Each file with the name that it has in the folder.
    pub data: Vec<(String, PathBuf)>,
    pub reads: Reads,
    pub writes: Writes,
    /// Lines of a requirements file.
    pub requirements: Vec<String>,
    pub rows: usize,
}

/// Fills the folder.
///
/// # Errors
/// When it cannot be written.
pub fn lay_out(folder: &Path, order: &Order) -> Result<()> {
    fs_err::create_dir_all(folder)?;
    for (name, text) in SCRIPTS {
        fs_err::write(folder.join(name), text)?;
    }
    fs_err::write(folder.join(REQUIREMENTS), order.requirements.join("\n"))?;
    link(&order.model, &folder.join(MODEL))?;
    for (name, file) in &order.data {
        let place = folder.join(DATA).join(name);
        fs_err::create_dir_all(place.parent().unwrap_or(folder))?;
        link(file, &place)?;
    }
    let (reads, separator) = match order.reads {
        Reads::Csv { separator } => ("csv", separator),
        Reads::Parquet => ("parquet", ','),
        Reads::JsonLines => ("json", ','),
    };
    let (writes, writes_separator) = match order.writes {
        Writes::Csv { separator } => ("csv", separator),
        Writes::Parquet => ("parquet", ','),
    };
    let data: Vec<String> = order.data.iter().map(|(name, _)| inside(name)).collect();
    let text = json!({
        "model": MODEL,
        "data": data,
        "reads": reads,
        "separator": separator,
        "writes": writes,
        "writes_separator": writes_separator,
        "out": order.writes.file(),
        "rows": order.rows,
    });
    Ok(fs_err::write(folder.join(ORDER), text.to_string())?)
}

fn inside(name: &str) -> String {
    format!("{DATA}/{name}")
}

/// They are read, never written: a link is enough.
#[cfg(unix)]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    fs_err::os::unix::fs::symlink(fs_err::canonicalize(from)?, to)
}

#[cfg(windows)]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_dir() {
        std::os::windows::fs::symlink_dir(from, to)
    } else {
        std::os::windows::fs::symlink_file(from, to)
    }
}

/// Why a file goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Model,
    Data,
    /// Lapwing's own: what runs there, and what it needs.
    Script,
}

/// A file of the folder, as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Travelling {
    /// Relative to the folder, with slashes.
    pub path: String,
    pub size: u64,
    pub part: Part,
}

/// Everything that a folder just laid out has: what goes when it runs elsewhere.
///
/// # Errors
/// When a file cannot be read.
pub fn travelling(folder: &Path) -> Result<Vec<Travelling>> {
    let mut all = Vec::new();
    collect(folder, "", &mut all)?;
    all.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}

fn collect(folder: &Path, above: &str, all: &mut Vec<Travelling>) -> Result<()> {
    for entry in fs_err::read_dir(folder.join(above))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let path = match above {
            "" => name,
            above => format!("{above}/{name}"),
        };
        let meta = fs_err::metadata(folder.join(&path))?;
        if meta.is_dir() {
            collect(folder, &path, all)?;
            continue;
        }
        let part = match path.split('/').next() {
            Some(MODEL) => Part::Model,
            Some(DATA) => Part::Data,
            _ => Part::Script,
        };
        all.push(Travelling {
            path,
            size: meta.len(),
            part,
        });
    }
    Ok(())
}

/// What the script says of an output that is whole.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Summary {
    pub rows: u64,
    pub seconds: f64,
    /// Of the output.
    pub md5: String,
    pub bytes: u64,
    /// What was read, in this order.
    pub data: Vec<Read>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Read {
    /// In the folder.
    pub path: String,
    pub md5: String,
    pub bytes: u64,
}

impl Read {
    /// The name that the file had in the [`Order`].
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.path.strip_prefix(DATA).unwrap_or(&self.path);
        name.trim_start_matches('/')
    }
}

/// Why the script made nothing, for people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Refusal {
    pub message: String,
    pub hint: Option<String>,
}

/// What is in the folder when the script has ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Left {
    Output(Summary),
    Refused(Refusal),
    /// It was ended before it could say anything.
    Nothing,
}

/// Looks at what the script left.
///
/// # Errors
/// When it is there and cannot be understood.
pub fn left(folder: &Path) -> Result<Left> {
    let made = folder.join(MADE);
    if let Some(summary) = read(&made.join("summary.json"))? {
        return Ok(Left::Output(summary));
    }
    Ok(match read(&made.join("failure.json"))? {
        Some(refusal) => Left::Refused(refusal),
        None => Left::Nothing,
    })
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs_err::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| Error::unreadable(path, "what a scoring says of itself", source)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Takes away everything but the words about it: links, scripts, and the output, which is where it was wanted.
///
/// # Errors
/// When something cannot be removed.
pub fn clear(folder: &Path) -> Result<()> {
    let kept = ["summary.json", "failure.json"];
    remove(&folder.join(DATA))?;
    let ours = SCRIPTS.map(|(name, _)| name);
    for name in [MODEL, ORDER, REQUIREMENTS, "making.part"]
        .into_iter()
        .chain(ours)
    {
        remove(&folder.join(name))?;
    }
    let Ok(made) = fs_err::read_dir(folder.join(MADE)) else {
        return Ok(()); // Nothing was made.
    };
    for entry in made {
        let entry = entry?;
        if !kept.contains(&entry.file_name().to_string_lossy().as_ref()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// A link goes, and not what it leads to. Somebody else may be quicker.
fn remove(path: &Path) -> Result<()> {
    let is_folder = fs_err::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    let removed = if is_folder {
        fs_err::remove_dir_all(path)
    } else {
        fs_err::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
