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
            let mut id = wanted.clone();
            let mut number = 2;
            while !taken.insert(id.clone()) {
                id = format!("{wanted}-{number}");
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
