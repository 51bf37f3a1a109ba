//! What a requirements file says, with the files that it names.

use std::path::{Path, PathBuf};

use crate::Result;

/// The texts of a requirements file and of all that it includes with `-r` and `-c`, each once. One that is missing is left
/// to uv, which names it.
pub(crate) fn texts(file: &Path) -> Result<Vec<String>> {
    let mut seen = vec![place(Path::new(""), file)];
    let mut texts = Vec::new();
    while let Some(path) = seen.get(texts.len()).cloned() {
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => text,
            Err(_) if !texts.is_empty() => String::new(),
            Err(error) => return Err(error.into()),
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        for named in text.lines().filter_map(included) {
            let named = place(folder, named);
            if !seen.contains(&named) {
                seen.push(named);
            }
        }
        texts.push(text);
    }
    Ok(texts)
}

/// A requirements file as one text without others: what it includes with `-r` stands where it is named, and what it names
/// with `-c` comes as a second text. A file that is missing stays named, so that pip says which.
pub(crate) fn flat(file: &Path) -> Result<(String, String)> {
    let mut flat = Flat::default();
    let mut requirements = String::new();
    let file = &place(Path::new(""), file);
    flat.read(file, &fs_err::read_to_string(file)?, &mut requirements);
    // Constraints may themselves include some.
    let mut constraints = String::new();
    while let Some(named) = flat.constraints.pop() {
        if let Ok(text) = fs_err::read_to_string(&named) {
            flat.read(&named, &text, &mut constraints);
        }
    }
    Ok((requirements, constraints))
}

/// A requirements file as lines for an installer that takes no files: each package once, without comments. What the file names
/// with `-c` bounds packages that may not be wanted at all, and is left out.
///
/// # Errors
/// When the file cannot be read.
pub fn lines(file: &Path) -> Result<Vec<String>> {
    let (requirements, _) = flat(file)?;
    let bare = requirements
        .lines()
        .map(|line| line.split(" #").next().unwrap_or_default().trim());
    Ok(bare
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

#[derive(Default)]
struct Flat {
    seen: Vec<PathBuf>,
    constraints: Vec<PathBuf>,
}

impl Flat {
    fn read(&mut self, file: &Path, text: &str, into: &mut String) {
        self.seen.push(file.to_owned());
        let folder = file.parent().unwrap_or(Path::new(""));
        for line in text.lines() {
            let named = included(line).map(|named| place(folder, named));
            let is_constraint = {
                let line = line.trim();
                line.starts_with("-c") || line.starts_with("--constraint")
            };
            match named.filter(|named| named.is_file()) {
                Some(named) if self.seen.contains(&named) => {}
                Some(named) if is_constraint => {
                    self.seen.push(named.clone());
                    self.constraints.push(named);
                }
                Some(named) => match fs_err::read_to_string(&named) {
                    Ok(text) => self.read(&named, &text, into),
                    Err(_) => into.push_str(&format!("{line}\n")),
                },
                None => into.push_str(&format!("{line}\n")),
            }
        }
    }
}

/// One name for one file: two that include each other, as `../a.txt`, would go on for ever.
fn place(folder: &Path, named: impl AsRef<Path>) -> PathBuf {
    let path = folder.join(named);
    // One that is not there has no other name.
    fs_err::canonicalize(&path).unwrap_or(path)
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

#[cfg(test)]
mod tests {
    use super::{flat, texts};

    #[test]
    fn includes_stand_where_they_are_named_and_constraints_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        write(
            "requirements.txt",
            "a\n-r more/base.txt\n-c pins.txt\n-r gone.txt\nb # -r x\n",
        );
        write(
            "more/base.txt",
            "c\n--requirement=../requirements.txt\n-c ../pins.txt\n-r deep.txt\n",
        );
        write("more/deep.txt", "d==1\n");
        write("pins.txt", "a==2\n-c pins2.txt\n");
        write("pins2.txt", "b==3\n");
        let (requirements, constraints) =
            flat(&folder.path().join("requirements.txt")).expect("read");
        assert_eq!(
            requirements, "a\nc\nd==1\n-r gone.txt\nb # -r x\n",
            "each file once; a missing one stays, so that pip names it"
        );
        assert_eq!(constraints, "a==2\nb==3\n");
        let all = texts(&folder.path().join("requirements.txt")).expect("read");
        assert_eq!(
            all.len(),
            6,
            "each once, though they include each other: {all:?}"
        );
    }
}
