//! How far the making of an image is, in one line for whoever waits: heard from what the engine says meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bollard::models::CreateImageInfo;

use crate::ssh::size;

/// What a row of a table has room for, and more.
const MAX_CHARS: usize = 160;
/// Between two lines about the same download.
const BETWEEN: Duration = Duration::from_secs(2);
/// How our own first lines begin.
pub(super) const BUILDING: &str = "building the image";
pub(super) const PULLING: &str = "pulling";

/// What is being done for an image.
#[derive(Debug, Default)]
pub struct Making {
    what: String,
    step: String,
    said: String,
    /// What was told last.
    told: String,
}

impl Making {
    /// Hears a piece of what was said; how far it is, where that is not what was told before.
    pub fn hear(&mut self, text: &str) -> Option<String> {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !is_noise(line))
            .for_each(|line| self.line(line));
        let step = if self.step.is_empty() {
            String::new()
        } else {
            format!(", {}", self.step)
        };
        let said = if self.said.is_empty() {
            String::new()
        } else {
            format!(": {}", self.said)
        };
        let now = format!("{}{step}{said}", self.what);
        let now: String = now.chars().take(MAX_CHARS).collect();
        (now != self.told).then(|| {
            self.told.clone_from(&now);
            now
        })
    }

    fn line(&mut self, line: &str) {
        if line.starts_with(BUILDING) || line.starts_with(PULLING) {
            (self.what, self.step, self.said) = (line.to_owned(), String::new(), String::new());
        } else if let Some(step) = step(line) {
            (self.step, self.said) = (step, String::new());
        } else {
            line.clone_into(&mut self.said);
        }
    }
}

/// `step 7 of 8` of the classic builder's `Step 7/8 : RUN …`.
fn step(line: &str) -> Option<String> {
    let (number, of) = line
        .strip_prefix("Step ")?
        .split_once(" :")?
        .0
        .split_once('/')?;
    Some(format!("step {number} of {of}"))
}

/// Ids of layers and containers, which tell a person nothing.
pub(super) fn is_noise(line: &str) -> bool {
    let line = line.trim();
    ["--->", "Removing intermediate container", "Successfully "]
        .iter()
        .any(|noise| line.starts_with(noise))
        && !line.starts_with("Successfully installed")
}

/// How much of an image has come.
pub(super) struct Pulling {
    name: String,
    layers: BTreeMap<String, (u64, u64)>,
    told: Option<Instant>,
}

impl Pulling {
    pub fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            layers: BTreeMap::new(),
            told: None,
        }
    }

    /// A line now and then.
    pub fn hear(&mut self, step: &CreateImageInfo) -> Option<String> {
        let detail = step.progress_detail.as_ref()?;
        if step.status.as_deref() != Some("Downloading") {
            return None;
        }
        let bytes = |count: Option<i64>| u64::try_from(count?).ok(); // Less than nothing: not said.
        let (done, all) = (bytes(detail.current)?, bytes(detail.total)?);
        self.layers.insert(step.id.clone()?, (done, all));
        if self.told.is_some_and(|at| at.elapsed() < BETWEEN) {
            return None;
        }
        self.told = Some(Instant::now());
        let (done, all) = self
            .layers
            .values()
            .fold((0, 0), |(done, all), layer| (done + layer.0, all + layer.1));
        Some(format!(
            "{PULLING} {}: {} of {} so far\n",
            self.name,
            size(done),
            size(all)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::Making;

    #[test]
    fn who_waits_reads_the_step_and_the_newest_line() {
        let mut making = Making::default();
        let mut hear = |text: &str| making.hear(text).unwrap_or_default();
        assert_eq!(
            hear("building the image from base\n"),
            "building the image from base"
        );
        assert_eq!(
            hear("Step 7/8 : RUN pip install\n"),
            "building the image from base, step 7 of 8"
        );
        assert_eq!(hear(" ---> Running in ebae67094b4c\n"), "", "no news");
        assert_eq!(
            hear("Collecting six\n  Downloading six.whl\n"),
            "building the image from base, step 7 of 8: Downloading six.whl"
        );
        assert_eq!(
            hear("Step 8/8 : ENV A=b\n"),
            "building the image from base, step 8 of 8"
        );
    }
}
