//! What a stage says about other engines: `meta: {lapwing: {image: …}}`, which DVC keeps and does not read.

use crate::{Error, Result, Value, stage::Stage};

/// How a stage wants to be run elsewhere; everything may be left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Settings {
    /// The stage runs in a container of this image.
    pub(super) image: Option<String>,
    pub(super) retries: Option<u32>,
    pub(super) timeout_minutes: Option<f64>,
    pub(super) cpus: Option<f64>,
    pub(super) memory_gib: Option<f64>,
    pub(super) gpus: Option<u32>,
}

impl Settings {
    pub(super) fn of(stage: &Stage) -> Result<Self> {
        let Some(all) = stage.meta.as_ref().and_then(|meta| meta.get("lapwing")) else {
            return Ok(Self::default());
        };
        let read = Read { stage, all };
        if all.as_map().is_none() {
            return Err(read.error("lapwing", "a mapping", all));
        }
        Ok(Self {
            image: read.text("image")?,
            retries: read.count("retries")?,
            timeout_minutes: read.amount("timeout_minutes")?,
            cpus: read.amount("cpus")?,
            memory_gib: read.amount("memory_gib")?,
            gpus: read.count("gpus")?,
        })
    }
}

struct Read<'a> {
    stage: &'a Stage,
    all: &'a Value,
}

impl Read<'_> {
    fn error(&self, key: &str, expected: &str, found: &Value) -> Error {
        Error::Definition {
            file: self.stage.file.clone(),
            line: usize::try_from(self.stage.line).unwrap_or(usize::MAX),
            place: format!("stages.{}.meta", self.stage.name),
            message: format!("'{key}' must be {expected}, not {}", found.display()),
        }
    }

    fn text(&self, key: &str) -> Result<Option<String>> {
        match self.all.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Str(text)) if !text.trim().is_empty() => Ok(Some(text.trim().to_owned())),
            Some(other) => Err(self.error(key, "a text", other)),
        }
    }

    fn count(&self, key: &str) -> Result<Option<u32>> {
        match self.all.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Int(number)) if (0..=100).contains(number) => {
                Ok(u32::try_from(*number).ok()) // In range: the guard says so.
            }
            Some(other) => Err(self.error(key, "a whole number from 0 to 100", other)),
        }
    }

    fn amount(&self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self
            .all
            .get(key)
            .filter(|value| !matches!(value, Value::Null))
        else {
            return Ok(None);
        };
        match value.as_number() {
            Some(number) if number.is_finite() && number > 0.0 => Ok(Some(number)),
            _ => Err(self.error(key, "a number above 0", value)),
        }
    }
}
