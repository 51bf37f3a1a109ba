//! What a requirements file says, with the files that it names.

use std::path::{Path, PathBuf};

use crate::Result;

/// The texts of a requirements file and of all that it includes with `-r` and `-c`, each once. One that is missing is left
/// to uv, which names it.
pub(crate) fn texts(file: &Path) -> Result<Vec<String>> {
    let mut seen = vec![file.to_owned()];
    let mut texts = Vec::new();
    while let Some(path) = seen.get(texts.len()).cloned() {
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => text,
            Err(_) if path != file => String::new(),
            Err(error) => return Err(error.into()),
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        for named in text.lines().filter_map(included) {
            let named: PathBuf = folder.join(named);
            if !seen.contains(&named) {
                seen.push(named);
            }
        }
        texts.push(text);
    }
    Ok(texts)
}

/// The file that a line includes.
fn included(line: &str) -> Option<&str> {
    let line = line.trim();
    let rest = ["--requirement", "--constraint", "-r", "-c"]
        .iter()
        .find_map(|option| line.strip_prefix(option))?;
    let named = rest.trim_start_matches(['=', ' ', '\t']);
    let named = named.split(" #").next().unwrap_or_default().trim();
    (!named.is_empty() && !named.contains("://")).then_some(named)
}
