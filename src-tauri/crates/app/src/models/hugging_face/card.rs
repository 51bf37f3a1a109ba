//! The card of a repository: Markdown behind a head of YAML, as the Hub reads it
//! (<https://huggingface.co/docs/hub/model-cards>).

use serde_json::{Value, json};

use super::super::package::Package;
use super::PUSHED;

pub(super) const CARD: &str = "README.md";
/// As long as this line stays, a push may write the card anew.
const OURS: &str =
    "<!-- Written by Lapwing. Remove this line, and the card stays as you write it. -->";

/// Whether Lapwing wrote a card.
pub(super) fn is_ours(text: &[u8]) -> bool {
    String::from_utf8_lossy(text).contains(OURS)
}

/// The card of a version: what the Hub reads, and what people read.
pub(super) fn card(package: &Package) -> String {
    let mut head = vec![
        ("library_name", json!("mlflow")),
        ("tags", json!([PUSHED, "mlflow"])),
    ];
    head.extend(results(package).map(|results| ("model-index", results)));
    // JSON is YAML.
    let head: Vec<String> = head
        .into_iter()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    format!(
        "---\n{}\n---\n{OURS}\n\n# {}\n\n{}\n",
        head.join("\n"),
        package.version.name,
        package.card
    )
}

/// The last value of each metric, in the shape in which the Hub lists results. What JSON has no number for is left out.
fn results(package: &Package) -> Option<Value> {
    let run = package.run.as_ref()?;
    let mut metrics: Vec<Value> = Vec::new();
    for (key, value) in run.last_values() {
        if value.is_finite() {
            metrics.push(json!({ "type": key, "name": key, "value": value }));
        }
    }
    if metrics.is_empty() {
        return None;
    }
    Some(json!([{
        "name": package.version.name,
        "results": [{
            // The Hub wants to know task and data. A run knows neither in the Hub's words.
            "task": { "type": "other" },
            "dataset": { "type": "run", "name": run.name },
            "metrics": metrics,
        }],
    }]))
}

/// What people read of a card.
pub(super) fn body(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("---\n") else {
        return text.trim();
    };
    rest.split_once("\n---\n")
        .map_or(rest, |(_, body)| body)
        .trim()
}

#[cfg(test)]
mod tests {
    use super::body;

    #[test]
    fn the_head_of_a_card_is_no_description() {
        assert_eq!(body("---\nlicense: mit\n---\n\n# A model\n"), "# A model");
        assert_eq!(body("# A model\n---\nmore"), "# A model\n---\nmore");
        assert_eq!(body(""), "");
    }
}
