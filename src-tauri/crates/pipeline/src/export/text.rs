//! YAML that every reader takes for the same: texts always in quotes or in blocks, so that `yes`, `1e3` and `010` stay texts.

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
                let _ = write!(out, "{:indent$}{}:", "", name(key));
                below(out, value, indent + 2);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(out, "{:indent$}-", "");
                below(out, item, indent + 2);
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
            let _ = writeln!(out, " {}", quoted(text));
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

fn name(key: &str) -> String {
    let plain = !key.is_empty()
        && key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.chars().all(|character| {
            character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.' | '/')
        })
        && !matches!(
            key.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    if plain { key.to_owned() } else { quoted(key) }
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
