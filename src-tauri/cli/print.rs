//! How things are printed: words for people, one JSON document for machines.
//!
//! Standard output is data, standard error is talk.

use std::io::Write as _;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use lapwing_app::wire::Exported;
use lapwing_core::{Report, Timestamp};
use serde::Serialize;

/// Where answers go, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Words,
    Json,
}

/// An answer with what went wrong beside it.
#[derive(Serialize)]
struct Failed<'a, T> {
    #[serde(flatten)]
    answer: &'a T,
    error: &'a Report,
}

impl Output {
    /// Prints `answer` as one JSON document, or what `words` makes of it.
    pub fn answer<T: Serialize>(self, answer: &T, words: impl FnOnce(&T)) -> Result<(), Report> {
        match self {
            Self::Json => self.json(answer),
            Self::Words => {
                words(answer);
                Ok(())
            }
        }
    }

    /// Prints what there is of work that failed, and why: still one JSON document.
    ///
    /// # Errors
    /// The report, for whoever prints words.
    pub fn failed<T: Serialize>(
        self,
        answer: &T,
        report: Report,
        words: impl FnOnce(&T),
    ) -> Result<ExitCode, Report> {
        if self == Self::Words {
            words(answer);
            return Err(report);
        }
        self.json(&Failed {
            answer,
            error: &report,
        })?;
        say(&paint("error:", AnsiColor::Red), &report);
        Ok(ExitCode::from(report.exit_code()))
    }

    pub fn json<T: Serialize>(self, answer: &T) -> Result<(), Report> {
        let text = serde_json::to_string_pretty(answer).map_err(|error| {
            Report::new(
                lapwing_core::Code::Internal,
                "cli.encode",
                error.to_string(),
            )
        })?;
        line(&text);
        Ok(())
    }

    /// Prints what went wrong: on standard error, or as JSON where JSON was asked for.
    pub fn report(self, report: &Report) {
        if self == Self::Json {
            line(&serde_json::json!({ "error": report }).to_string());
        }
        say(&paint("error:", AnsiColor::Red), report);
    }
}

/// What is wrong beside the answer.
pub fn warn(report: &Report) {
    say(&paint("warning:", AnsiColor::Yellow), report);
}

fn say(word: &str, report: &Report) {
    talk(&format!("{word} {}", report.message));
    if let Some(hint) = &report.hint {
        talk(&format!("{} {hint}", paint(" hint:", AnsiColor::Cyan)));
    }
}

/// An export: its text as data unless it was written to a file, and what to know about it as talk.
pub fn exported(out: Output, exported: &Exported) -> Result<(), Report> {
    out.answer(exported, |exported| match &exported.written {
        Some(path) => talk(&format!("Written to {path}")),
        None => raw(&exported.text),
    })?;
    exported.notes.iter().for_each(|note| talk(&dim(note)));
    Ok(())
}

/// One line of data. A closed pipe (`| head`) is not an error.
pub fn line(text: &str) {
    let mut out = anstream::stdout().lock();
    // A reader that went away wants no more lines: there is nobody left to tell.
    let _ = writeln!(out, "{text}");
}

/// Text as it is, without a line end of its own.
pub fn raw(text: &str) {
    let mut out = anstream::stdout().lock();
    // As in `line`.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// One line of talk.
pub fn talk(text: &str) {
    let mut err = anstream::stderr().lock();
    // As in `line`.
    let _ = writeln!(err, "{text}");
}

#[must_use]
pub fn paint(text: &str, color: AnsiColor) -> String {
    let style = Style::new().fg_color(Some(color.into()));
    format!("{style}{text}{style:#}")
}

#[must_use]
pub fn bold(text: &str) -> String {
    let style = Style::new().bold();
    format!("{style}{text}{style:#}")
}

#[must_use]
pub fn dim(text: &str) -> String {
    let style = Style::new().dimmed();
    format!("{style}{text}{style:#}")
}

/// Columns as wide as their widest cell; numbers are the caller's to align by padding.
pub fn table(headers: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = headers
        .iter()
        .map(|header| header.chars().count())
        .collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let right: Vec<bool> = (0..headers.len())
        .map(|column| {
            !rows.is_empty()
                && rows
                    .iter()
                    .all(|row| row.get(column).is_some_and(|cell| is_number(cell)))
        })
        .collect();
    let head: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
    line(&dim(&join(&head, &widths, &right)));
    for row in rows {
        line(&join(row, &widths, &right));
    }
}

fn is_number(cell: &str) -> bool {
    cell == "–"
        || cell
            .trim_end_matches(|c: char| c == '%' || c.is_alphabetic() || c == ' ')
            .parse::<f64>()
            .is_ok()
}

fn join(cells: &[String], widths: &[usize], right: &[bool]) -> String {
    let mut text = String::new();
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
        if index > 0 {
            text.push_str("  ");
        }
        if right.get(index).copied().unwrap_or(false) {
            text.push_str(&gap);
            text.push_str(cell);
        } else {
            text.push_str(cell);
            text.push_str(&gap);
        }
    }
    text.trim_end().to_owned()
}

/// `1.2 GB`, in powers of 1000 as file managers show it.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{count} B")
    } else {
        format!("{value:.1} {}", UNITS.get(unit).unwrap_or(&""))
    }
}

/// `1 commit`, `2 commits`.
pub fn counted(count: u64, noun: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{end}")
}

/// Local date and time.
#[must_use]
pub fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(
        |_| at.0.to_string(),
        |time| {
            time.to_zoned(jiff::tz::TimeZone::system())
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string()
        },
    )
}

/// `850 ms`, `12.3 s`, `4 min 5 s`.
#[must_use]
pub fn duration(millis: i64) -> String {
    match millis {
        ..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{:.1} s", millis as f64 / 1000.0),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
    }
}

/// Three decimals, or a dash.
#[must_use]
pub fn number(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() && value.fract() == 0.0 && value.abs() < 1e9 => {
            format!("{value:.0}")
        }
        Some(value) if value.abs() >= 0.001 || value == 0.0 => format!("{value:.3}"),
        Some(value) => format!("{value:.2e}"),
        None => "–".to_owned(),
    }
}

/// The first eight characters of an id.
#[must_use]
pub fn short(id: &str) -> String {
    id.chars().take(8).collect()
}
