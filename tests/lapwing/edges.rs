//! The table of crates in ARCHITECTURE.md, held against the manifests.

use std::collections::BTreeSet;
use std::path::Path;

/// Crate, the crates of ours that it may use, and the outside worlds that only those named here may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("store", &["core"]),
    ("remote", &["core"]),
    ("monitor", &["core"]),
    ("data", &["core", "remote"]),
    ("jobs", &["core", "remote"]),
    ("tracking", &["core", "store", "remote"]),
    ("pipeline", &["core", "data"]),
    ("serving", &["core", "store", "jobs", "monitor"]),
    (
        "app",
        &[
            "core", "store", "remote", "monitor", "data", "jobs", "tracking", "pipeline", "serving",
        ],
    ),
];

/// An outside world, and the crates that may know it.
const WORLDS: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("git2", &["data"]),
    ("bollard", &["jobs"]),
    ("kube", &["jobs"]),
    ("k8s-openapi", &["jobs"]),
    ("ort", &["serving"]),
    ("reqwest", &["remote"]),
    ("object_store", &["remote"]),
    ("aws-config", &["remote"]),
    ("openssh-sftp-client", &["remote"]),
    ("keyring", &["remote"]),
    ("statrs", &["monitor"]),
];

fn manifest(folder: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src-tauri/crates")
        .join(folder)
        .join("Cargo.toml");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names in `[dependencies]`, not those of tests.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['=', '.']).next())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .collect()
}

#[test]
fn every_crate_uses_only_what_the_table_allows() {
    for (folder, allowed) in ALLOWED {
        for name in dependencies(&manifest(folder)) {
            if let Some(ours) = name.strip_prefix("lapwing-") {
                assert!(
                    allowed.contains(&ours),
                    "{folder} may not use {ours}: layers would form a cycle or skip one"
                );
            }
            for (world, knowers) in WORLDS {
                assert!(
                    name != *world || knowers.contains(folder),
                    "{folder} may not use {world}: only {knowers:?} knows that outside world"
                );
            }
        }
    }
}

#[test]
fn every_crate_is_in_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src-tauri/crates");
    let known: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(
            known.contains(name.as_str()),
            "crate `{name}` has no line in the table of edges"
        );
    }
}
