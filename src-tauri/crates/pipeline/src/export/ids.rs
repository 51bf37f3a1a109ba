//! Names that an engine accepts, made from any name, and never twice the same.

use std::collections::BTreeSet;

/// A name's identifier is cut here, so that a number still fits behind it: engines allow 63 (Kubernetes) or more.
const MAX_CHARS: usize = 56;

/// One identifier for each name, in their order. `clean` makes a name acceptable, and may make two names equal.
pub(super) fn unique(names: &[&str], reserved: &[&str], clean: fn(&str) -> String) -> Vec<String> {
    let mut taken: BTreeSet<String> = reserved.iter().map(|&name| name.to_owned()).collect();
    names
        .iter()
        .map(|name| {
            let wanted: String = clean(name).chars().take(MAX_CHARS).collect();
            let wanted = clean(wanted.trim_end_matches(['-', '_']));
            let mut id = wanted.clone();
            let mut number = 2;
            while !taken.insert(id.clone()) {
                id = clean(&format!("{wanted}-{number}"));
                number += 1;
            }
            id
        })
        .collect()
}

/// Letters, digits, `_`, `.` and `-`, as Airflow wants them: `fit@rf` is `fit__rf`.
pub(super) fn airflow(name: &str) -> String {
    let id: String = name
        .replace('@', "__")
        .chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' | '-' => character,
            _ => '_',
        })
        .collect();
    if id.is_empty() {
        "stage".to_owned()
    } else {
        id
    }
}

/// Lowercase letters, digits and `-`, beginning with a letter, as Kubernetes wants them.
pub(super) fn kubernetes(name: &str) -> String {
    words(name, '-', "stage")
}

/// Lowercase letters, digits and `_`, beginning with a letter.
pub(super) fn key(name: &str) -> String {
    words(name, '_', "a")
}

fn words(name: &str, between: char, prefix: &str) -> String {
    let parts: Vec<String> = name
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let id = parts.join(&between.to_string());
    if id.starts_with(|first: char| first.is_ascii_lowercase()) {
        id
    } else if id.is_empty() {
        prefix.to_owned()
    } else {
        format!("{prefix}{between}{id}")
    }
}
