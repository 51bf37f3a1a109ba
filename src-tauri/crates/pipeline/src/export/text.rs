//! YAML that every reader takes for the same: texts stand in quotes or in blocks wherever some reader could see a number, a date or a
//! boolean in them, so that `yes`, `1e3` and `010` stay texts.

use std::fmt::Write as _;

use serde_json::Value as Json;

/// A document in block style.
#[must_use]
pub fn yaml(document: &Json) -> String {
    let mut out = String::new();
    block(&mut out, document, 0);
    out
}

fn block(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                let _ = write!(out, "{:indent$}{}:", "", word(key));
                below(out, value, indent + 2);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(out, "{:indent$}-", "");
                match item {
                    // Its first line stands behind the dash.
                    Json::Object(entries) if !entries.is_empty() => {
                        let mut inner = String::new();
                        block(&mut inner, item, indent + 2);
                        out.push(' ');
                        out.push_str(inner.trim_start_matches(' '));
                    }
                    _ => below(out, item, indent + 2),
                }
            }
        }
        Json::Object(_)
        | Json::Array(_)
        | Json::Null
        | Json::Bool(_)
        | Json::Number(_)
        | Json::String(_) => {
            let _ = writeln!(out, "{value}");
        }
    }
}

/// What stands behind `key:` or `-`.
fn below(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::Object(entries) if !entries.is_empty() => {
            out.push('\n');
            block(out, value, indent);
        }
        Json::Array(items) if !items.is_empty() => {
            out.push('\n');
            block(out, value, indent);
        }
        Json::String(text) if is_block(text) => {
            out.push_str(" |-\n");
            for line in text.split('\n') {
                let _ = if line.is_empty() {
                    writeln!(out)
                } else {
                    writeln!(out, "{:indent$}{line}", "")
                };
            }
        }
        Json::String(text) => {
            let _ = writeln!(out, " {}", word(text));
        }
        Json::Object(_) | Json::Array(_) | Json::Null | Json::Bool(_) | Json::Number(_) => {
            let _ = writeln!(out, " {value}");
        }
    }
}

/// Several lines that a literal block keeps as they are.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.ends_with('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text
            .chars()
            .all(|character| character == '\n' || is_plain(character))
}

/// Printable in YAML, and no line break of any version of it.
fn is_plain(character: char) -> bool {
    character == '\t'
        || !character.is_control()
            && !matches!(
                character,
                '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
            )
}

/// A text as it is where no reader can take it for something else.
fn word(text: &str) -> String {
    let plain = !text.is_empty()
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|character| {
            character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.' | '/')
        })
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    if plain { text.to_owned() } else { quoted(text) }
}

/// JSON's quotes and escapes are YAML's too.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if is_plain(other) => out.push(other),
            other => {
                let _ = write!(out, "\\u{:04x}", u32::from(other));
            }
        }
    }
    out.push('"');
    out
}
