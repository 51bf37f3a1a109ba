//! The sample's training on every kind of machine: unchanged, and its outputs in `dvc.lock` are those from here, byte for byte.
//! `make test-anywhere` has it: it takes a minute or two. Ray is in `ray.rs`.

use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::elsewhere::{Machine, lock};
use crate::left_out::left_out;
use crate::place::{Place, told};
use crate::slurmd::Slurm;

/// Few trees of few rows: bytes are compared, and few will differ as well as many.
const SMALL: [(&str, &str); 2] = [
    ("last_months: 6", "last_months: 1"),
    ("max_iter: 250", "max_iter: 10"),
];

/// The name of a remote, its address, and what more is said of it.
type Kind = (&'static str, &'static str, &'static [&'static str]);

const KINDS: [Kind; 3] = [
    ("host", "ssh://box", &[]),
    ("queue", "slurm://box", &["-o", "memory_mib=1800"]),
    ("engine", "ssh://box", &["--kind", "docker"]),
];

/// Where a kind of machine cannot be had, nothing can be said about it.
fn is_here(name: &str, slurm: Option<&Slurm>) -> bool {
    match name {
        "queue" => slurm.is_some(),
        "engine" => std::env::var_os("LAPWING_TEST_DOCKER").is_some(),
        _ => true,
    }
}

/// What a session there has of itself: where Slurm is, and where packages come from.
pub fn environment(slurm: Option<&Slurm>) -> String {
    let index = ["UV_", "PIP_", "SSL_CERT_"];
    let is_index = |name: &str| index.iter().any(|prefix| name.starts_with(prefix));
    let mut line = "SetEnv".to_owned();
    for (name, value) in std::env::vars().filter(|(name, _)| is_index(name)) {
        line.push_str(&format!(" \"{name}={value}\""));
    }
    if let Some(slurm) = slurm {
        line.push_str(&format!(" SLURM_CONF={}", slurm.conf().display()));
    }
    line + "\n"
}

/// The bundled sample, as the window makes it.
pub fn sample(place: &Place) -> PathBuf {
    let folder = place.path("flights");
    let path = folder.display().to_string();
    place.json(&place.path(""), &["projects", "sample", &path]);
    folder
}

fn make_small(folder: &Path) {
    let file = folder.join("params.yaml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    for (full, small) in SMALL {
        assert!(text.contains(full), "the sample's parameters: {text}");
        text = text.replace(full, small);
    }
    std::fs::write(file, text).unwrap();
}

/// The project with its data and cache, without its Python.
fn copy(place: &Place, from: &Path, name: &str) -> PathBuf {
    let folder = place.path(name);
    let copied = Command::new("cp")
        .arg("-a")
        .args([from, &folder])
        .output()
        .unwrap();
    assert!(copied.status.success(), "{}", told(&copied));
    let _ = std::fs::remove_dir_all(folder.join(".venv"));
    place.text(&folder, &["projects", "open"]);
    folder
}

/// An image that has what the sample needs, kept for the next time. Lapwing would make one with pip, which takes a minute; that is
/// tried with smaller ones.
fn image(place: &Place, folder: &Path) -> String {
    let base = std::env::var("LAPWING_TEST_DOCKER").unwrap();
    let requirements = folder.join("requirements.txt");
    let mut hasher = std::hash::DefaultHasher::new();
    std::fs::read_to_string(&requirements)
        .unwrap()
        .hash(&mut hasher);
    let tag = format!("lapwing-test-sample:{:016x}", hasher.finish());
    let docker = |arguments: &[&str]| Command::new("docker").args(arguments).output().unwrap();
    if docker(&["image", "inspect", &tag]).status.success() {
        return tag;
    }
    let version = "import sys; print(*sys.version_info[:2], sep='.')";
    let version = docker(&["run", "--rm", &base, "python3", "-c", version]).stdout;
    let version = String::from_utf8(version).unwrap();
    let context = place.path("image");
    std::fs::create_dir_all(&context).unwrap();
    let installed = Command::new(std::env::var_os("LAPWING_UV").unwrap())
        .args(["pip", "install", "--quiet", "--only-binary", ":all:"])
        .args(["--python-version", version.trim(), "--requirements"])
        .arg(requirements)
        .arg("--target")
        .arg(context.join("site"))
        .output()
        .unwrap();
    assert!(installed.status.success(), "{}", told(&installed));
    let file = format!("FROM {base}\nCOPY site /opt/site\nENV PYTHONPATH=/opt/site\n");
    std::fs::write(context.join("Dockerfile"), file).unwrap();
    let built = docker(&["build", "-q", "-t", &tag, &context.display().to_string()]);
    assert!(built.status.success(), "{}", told(&built));
    tag
}

/// What a run says of itself, without what a clock says.
fn tracked(run: &Value) -> Value {
    let row = &run["row"];
    json!([row["status"], row["metrics"], row["params"]])
}

#[test]
#[ignore = "trains four times: make test-anywhere"]
fn the_sample_trains_the_same_model_on_every_machine() {
    let place = Place::new();
    let slurm = Slurm::start();
    let machine = Machine::start_with(&place, &environment(slurm.as_ref()));
    let local = sample(&place);
    make_small(&local);
    place.json(&local, &["run", "features"]);
    let copies = KINDS.map(|(name, ..)| copy(&place, &local, name));
    let trained = place.json(&local, &["run", "train"]);
    assert_eq!(trained["row"]["status"], "FINISHED", "{trained}");

    for ((name, address, more), folder) in KINDS.into_iter().zip(copies) {
        if !is_here(name, slurm.as_ref()) {
            left_out(&format!("there is no {name} on this machine"));
            continue;
        }
        machine.add(&place, name, address, more);
        if name == "engine" {
            let file = folder.join("lapwing.toml");
            let text = std::fs::read_to_string(&file).unwrap();
            let image = image(&place, &folder);
            std::fs::write(file, format!("{text}\n[docker]\nimage = \"{image}\"\n")).unwrap();
        }
        let begun = std::time::Instant::now();
        let run = place.json(&folder, &["run", "train", "--on", name]);
        eprintln!("training on the {name} took {:.1?}", begun.elapsed());
        assert_eq!(
            lock(&folder),
            lock(&local),
            "{name}: the same, byte for byte"
        );
        assert_eq!(tracked(&run), tracked(&trained), "{name}: what it tracked");
        assert_eq!(run["jobs"][0]["on"], name, "{run}");
        let again = place.json(&folder, &["run", "train", "--on", name]);
        assert!(again["run_id"].is_null(), "{name}: nothing to run: {again}");
    }
}
