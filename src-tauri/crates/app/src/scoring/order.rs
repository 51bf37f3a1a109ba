//! What somebody wants to have scored, looked at before anything is started or sent: whether model and data are there and fit.

use std::path::{Path, PathBuf};

use lapwing_core::{Code, Report};
use lapwing_monitor::Frame;
use lapwing_monitor::frame::{Kind, Part, delimiter, kind_of};
use lapwing_serving::scoring::{Order, ROWS, Reads, Writes};
use lapwing_serving::{ModelFolder, model_folder};
use lapwing_tracking::Resolved;

use crate::config::Config;
use crate::error::Reported as _;
use crate::wire::StartScoring;
use crate::{App, deployments, file, models};

/// Folders in a folder of data.
const MAX_DEPTH: usize = 16;
/// Of a folder; each of them is a link, and a line of the list.
const MAX_FILES: usize = 100_000;
/// What the output adds to the columns of the data.
const ADDED: [&str; 2] = ["prediction", "score"];

/// A scoring that can be begun.
pub(super) struct Asked {
    pub input: StartScoring,
    pub config: Config,
    pub model: Resolved,
    folder: ModelFolder,
    pub data: PathBuf,
    pub out: PathBuf,
    pub order: Order,
}

impl Asked {
    pub fn of(
        app: &App,
        input: StartScoring,
        base: &Path,
        say: &dyn Fn(&str),
    ) -> Result<Self, Report> {
        let config = match &input.project {
            Some(project) => Config::read(Path::new(project))?,
            None => Config::default(),
        };
        let out = absolute(&input.out)?;
        let writes = Writes::of(&out).ok_or_else(|| no_ending(&out))?;
        let (data, files) = found(&absolute(&input.data)?)?;
        let reads = read_as(&files)?;
        let here = models::brought(app, input.project.as_deref(), &input.model, say)?;
        let called = models::source_uri(app, &here, base)?;
        let model = app.tracking().resolve(&called).reported()?;
        let folder = model_folder::read(&model.folder).reported()?;
        refuse_unsafe(&folder)?;
        check_columns(&folder, &files, reads)?;
        let order = Order {
            model: model.folder.clone(),
            data: files,
            reads,
            writes,
            requirements: requirements(&folder, reads, writes)?,
            rows: ROWS,
        };
        let input = StartScoring {
            model: called,
            ..input
        };
        Ok(Self {
            input,
            config,
            model,
            folder,
            data,
            out,
            order,
        })
    }

    /// `flight-delays v3`, or what the model was called.
    pub fn called(&self) -> String {
        match self.model.version {
            Some(version) => format!("{} v{version}", self.name()),
            None => self.name(),
        }
    }

    /// The registered name, or what the model was called.
    pub fn name(&self) -> String {
        let name = self.model.name.clone();
        name.unwrap_or_else(|| self.input.model.clone())
    }

    /// `3.11`, where the model says which Python it was made with.
    pub fn python(&self) -> Option<String> {
        let version = self.folder.python_version.as_deref();
        version.map(deployments::minor)
    }

    /// That the output can be written, and destroys nothing that is read.
    pub fn check_out(&self) -> Result<(), Report> {
        let out = &self.out;
        if out.is_dir() {
            return Err(Report::new(
                Code::Invalid,
                "scoring.out_is_folder",
                format!("{} is a folder", out.display()),
            )
            .hint("name a file in it"));
        }
        let above = out.parent().unwrap_or(Path::new("/"));
        fs_err::create_dir_all(above).map_err(|error| file::unwritable(above, &error))?;
        // Gone meanwhile: then nothing lies below it.
        let real = fs_err::canonicalize(above).unwrap_or_default();
        let real = real.join(out.file_name().unwrap_or_default());
        let model = fs_err::canonicalize(&self.model.folder).unwrap_or_default();
        if real.starts_with(&self.data) || real.starts_with(model) {
            return Err(Report::new(
                Code::Invalid,
                "scoring.out_is_input",
                format!("{} is part of what is read", out.display()),
            )
            .hint("write the predictions somewhere else"));
        }
        Ok(())
    }
}

/// Another process has another folder: only a whole path means the same everywhere.
fn absolute(path: &str) -> Result<PathBuf, Report> {
    if Path::new(path).is_absolute() {
        return Ok(PathBuf::from(path));
    }
    Err(Report::new(
        Code::Invalid,
        "scoring.path",
        format!("`{path}` is no whole path"),
    )
    .hint("write it from the root on"))
}

fn no_ending(out: &Path) -> Report {
    Report::new(
        Code::Invalid,
        "scoring.out_kind",
        format!("the ending of {} says not what to write", out.display()),
    )
    .hint("name it .csv, .tsv or .parquet")
}

/// The data's real path, and its files with the names that they have below it.
fn found(path: &Path) -> Result<(PathBuf, Vec<(String, PathBuf)>), Report> {
    let real = fs_err::canonicalize(path)
        .map_err(|_| lapwing_monitor::Error::NoFile(path.to_owned()))
        .reported()?;
    if !real.is_dir() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        kind_of(path).reported()?;
        return Ok((real.clone(), vec![(name.into_owned(), real)]));
    }
    let mut files = Vec::new();
    collect(&real, "", 0, &mut files)
        .map_err(|error| Report::new(Code::Failed, "scoring.data", error.to_string()))?;
    files.sort();
    if files.is_empty() || files.len() > MAX_FILES {
        let many = match files.len() {
            0 => "no CSV, Parquet or JSON-lines file".to_owned(),
            many => format!("{many} files, more than can be scored at once"),
        };
        return Err(Report::new(
            Code::Invalid,
            "scoring.data",
            format!("{} has {many}", path.display()),
        )
        .hint("name a file, or another folder"));
    }
    Ok((real, files))
}

/// What other programs leave beside the data, `_SUCCESS` or `.part-0.crc`, is none.
fn collect(
    root: &Path,
    above: &str,
    depth: usize,
    files: &mut Vec<(String, PathBuf)>,
) -> std::io::Result<()> {
    for entry in fs_err::read_dir(root.join(above))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(['.', '_']) {
            continue;
        }
        let path = match above {
            "" => name,
            above => format!("{above}/{name}"),
        };
        let place = entry.path();
        if place.is_dir() {
            if depth < MAX_DEPTH {
                collect(root, &path, depth + 1, files)?;
            }
        } else if kind_of(&place).is_ok() {
            files.push((path, place));
        }
    }
    Ok(())
}

/// What all files are.
fn read_as(files: &[(String, PathBuf)]) -> Result<Reads, Report> {
    let mut all: Option<(&str, Reads)> = None;
    for (name, path) in files {
        let reads = match kind_of(path).reported()? {
            Kind::Csv => Reads::Csv {
                separator: char::from(delimiter(path).reported()?),
            },
            Kind::Parquet => Reads::Parquet,
            Kind::JsonLines => Reads::JsonLines,
        };
        match all {
            None => all = Some((name, reads)),
            Some((_, known)) if known == reads => {}
            Some((first, _)) => {
                return Err(Report::new(
                    Code::Invalid,
                    "scoring.data",
                    format!("{first} and {name} are of different kinds"),
                )
                .hint("keep files of one kind in a folder, with the same separator"));
            }
        }
    }
    all.map(|(_, reads)| reads)
        .ok_or_else(|| Report::new(Code::Invalid, "scoring.data", "there is no data"))
}

fn refuse_unsafe(model: &ModelFolder) -> Result<(), Report> {
    let (safety, imports) = models::safety(model)?;
    if safety == "unsafe" {
        return Err(Report::new(
            Code::Invalid,
            "model.unsafe",
            format!("loading this model would run {}", imports.join(", ")),
        )
        .hint("ask whoever made it; a model needs no such calls"));
    }
    Ok(())
}

/// That the data has what the model takes, before an hour in a queue. Lines of JSON may each have other keys: only the script
/// sees all of them.
fn check_columns(
    model: &ModelFolder,
    files: &[(String, PathBuf)],
    reads: Reads,
) -> Result<(), Report> {
    let Some((name, path)) = files.first() else {
        return Ok(());
    };
    if reads == Reads::JsonLines {
        return Ok(());
    }
    let head = Frame::read(
        path,
        &Part {
            limit: Some(1),
            ..Part::default()
        },
    )
    .reported()?;
    // Excel begins a text with a mark that is no part of it.
    let names: Vec<String> = head
        .names()
        .into_iter()
        .map(|name| name.trim_start_matches('\u{feff}').to_owned())
        .collect();
    let columns = model.signature.inputs.columns();
    let missing: Vec<String> = columns
        .iter()
        .filter(|column| column.required && !column.name.is_empty())
        .filter(|column| !names.contains(&column.name))
        .map(|column| format!("`{}`", column.name))
        .collect();
    if !missing.is_empty() {
        return Err(Report::new(
            Code::Invalid,
            "scoring.columns",
            format!(
                "{name} has no column {}, which the model takes",
                missing.join(", ")
            ),
        )
        .hint(format!("it has {}", names.join(", "))));
    }
    if let Some(taken) = ADDED
        .into_iter()
        .find(|added| names.iter().any(|name| name == added))
    {
        return Err(Report::new(
            Code::Invalid,
            "scoring.column_taken",
            format!("{name} has a column `{taken}` already, which the output adds"),
        )
        .hint("give that column another name"));
    }
    Ok(())
}

/// The model's own, and what reads and writes the rows where they do not bring it.
fn requirements(model: &ModelFolder, reads: Reads, writes: Writes) -> Result<Vec<String>, Report> {
    let file = model.path.join("requirements.txt");
    let mut lines = if file.is_file() {
        lapwing_jobs::requirement_lines(&file).reported()?
    } else {
        Vec::new()
    };
    let has = |lines: &[String], package: &str| lines.iter().any(|line| named(line) == package);
    // The whole of MLflow has them.
    if has(&lines, "mlflow") {
        return Ok(lines);
    }
    let arrow = reads == Reads::Parquet || writes == Writes::Parquet;
    for (package, wanted) in [
        ("mlflow-skinny", true),
        ("pandas", true),
        ("pyarrow", arrow),
    ] {
        if wanted && !has(&lines, package) {
            lines.push(package.to_owned());
        }
    }
    Ok(lines)
}

/// `scikit-learn` of `scikit-learn==1.5; python_version > "3"`.
fn named(line: &str) -> &str {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    line.get(..end.unwrap_or(line.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_package_is_known_by_its_name_alone() {
        for line in [
            "mlflow",
            "mlflow==3.1",
            "mlflow>=2,<4",
            "mlflow ; x",
            "mlflow[extras]",
        ] {
            assert_eq!(named(line), "mlflow", "{line}");
        }
        assert_eq!(named("mlflow-skinny==3.1"), "mlflow-skinny");
        assert_eq!(named("-r more.txt"), "-r");
    }
}
