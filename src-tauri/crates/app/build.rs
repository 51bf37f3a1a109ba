//! Lists the sample's files, so that they are embedded in the program.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    let root =
        PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("sample");
    println!("cargo:rerun-if-changed={}", root.display());
    let mut text = String::new();
    for (constant, folder) in [("PROJECT", "flight-delays"), ("LATER", "later")] {
        let base = root.join(folder);
        let mut files = Vec::new();
        collect(&base, &base, &mut files);
        files.sort();
        writeln!(text, "static {constant}: &[SampleFile] = &[")
            .expect("writing to a String cannot fail");
        for path in files {
            let full = base.join(&path);
            writeln!(
                text,
                "    SampleFile {{ path: {path:?}, content: include_bytes!({full:?}) }},"
            )
            .expect("writing to a String cannot fail");
        }
        text.push_str("];\n");
    }
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it")).join("sample.rs");
    std::fs::write(out, text).expect("the build folder can be written");
}

/// What a run of the sample in its source folder may have left there.
const LEFT_OVERS: [&str; 5] = ["__pycache__", ".venv", ".git", ".dvc", "mlruns"];

fn collect(base: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("the sample can be read") {
        let path = entry.expect("the sample can be read").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if LEFT_OVERS.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            collect(base, &path, files);
        } else {
            let relative = path
                .strip_prefix(base)
                .expect("the file lies below its base");
            files.push(relative.to_string_lossy().replace('\\', "/"));
        }
    }
}
