//! The keys of one stage after `${…}`, read into a [`Stage`].

use crate::{
    Error, Result, Value,
    definition::{Key, OUT_FLAGS, PLOT_FLAGS},
    expand::Scope,
    nearest::nearest,
    paths,
    stage::{Cmd, Dep, OutKind, ParamsFile, Stage, StageOut},
};

const DEFAULT_PARAMS: &str = "params.yaml";

/// Builds a stage from resolved keys; every error names the key's line.
pub(crate) fn stage(
    scope: &Scope<'_>,
    name: &str,
    line: usize,
    wdir: String,
    keys: Vec<Key>,
) -> Result<Stage> {
    let mut stage = Stage {
        address: if scope.file == "dvc.yaml" {
            name.to_owned()
        } else {
            format!("{}:{name}", scope.file)
        },
        name: name.to_owned(),
        file: scope.file.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        wdir,
        cmd: Cmd::Many(Vec::new()),
        deps: Vec::new(),
        params: Vec::new(),
        outs: Vec::new(),
        frozen: false,
        always_changed: false,
        desc: None,
        meta: None,
    };
    for key in keys {
        let reader = Reader {
            scope,
            stage: name,
            key: &key,
        };
        match key.name.as_str() {
            "cmd" => stage.cmd = reader.cmd()?,
            "deps" => stage.deps = reader.deps(&stage.wdir)?,
            "params" => stage.params = reader.params(&stage.wdir)?,
            "outs" => reader.outs(&mut stage, OutKind::Output)?,
            "metrics" => reader.outs(&mut stage, OutKind::Metric)?,
            "plots" => reader.outs(&mut stage, OutKind::Plot)?,
            "frozen" => stage.frozen = matches!(key.value, Value::Bool(true)),
            "always_changed" => stage.always_changed = matches!(key.value, Value::Bool(true)),
            "desc" => stage.desc = Some(key.value.python_str()),
            "meta" => stage.meta = Some(key.value.clone()),
            // Nothing else passed the check of the definition.
            _ => {}
        }
    }
    check_paths(&stage)?;
    Ok(stage)
}

struct Reader<'a> {
    scope: &'a Scope<'a>,
    stage: &'a str,
    key: &'a Key,
}

impl Reader<'_> {
    fn error(&self, message: impl Into<String>) -> Error {
        let place = format!("stages.{}.{}", self.stage, self.key.name);
        self.scope.error(self.key.line, &place, message)
    }

    fn items(&self) -> &[Value] {
        self.key.value.as_list().unwrap_or_default()
    }

    fn text(&self, value: &Value) -> Result<String> {
        match value {
            Value::Str(text) if !text.trim().is_empty() => Ok(text.clone()),
            Value::Int(_) | Value::Float(_) => Ok(value.python_str()),
            Value::Str(_) => Err(self.error("an empty text where a name belongs")),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => {
                Err(self.error(format!("{} where a name belongs", value.kind())))
            }
        }
    }

    fn cmd(&self) -> Result<Cmd> {
        match &self.key.value {
            Value::List(items) => items
                .iter()
                .map(|item| self.text(item))
                .collect::<Result<_>>()
                .map(Cmd::Many),
            other => self.text(other).map(Cmd::One),
        }
    }

    fn deps(&self, wdir: &str) -> Result<Vec<Dep>> {
        self.items()
            .iter()
            .map(|item| {
                let written = self.text(item)?;
                let path = place(wdir, &written);
                Ok(Dep { written, path })
            })
            .collect()
    }

    /// Names belong to `params.yaml`; a mapping names other files. A file that is named without keys is read whole.
    fn params(&self, wdir: &str) -> Result<Vec<ParamsFile>> {
        let mut files: Vec<(String, Vec<String>)> = Vec::new();
        let mut whole: Vec<String> = Vec::new();
        for item in self.items() {
            match item {
                Value::Map(entries) => {
                    for (file, keys) in entries {
                        let file = self.text(file)?;
                        let keys = self.param_keys(&file, keys)?;
                        if keys.is_empty() {
                            whole.push(file.clone());
                        }
                        add_keys(&mut files, file, keys);
                    }
                }
                other => {
                    let key = self.text(other)?;
                    add_keys(&mut files, DEFAULT_PARAMS.to_owned(), vec![key]);
                }
            }
        }
        Ok(files
            .into_iter()
            .map(|(written, keys)| ParamsFile {
                path: place(wdir, &written),
                keys: if whole.contains(&written) {
                    Vec::new()
                } else {
                    keys
                },
                written,
            })
            .collect())
    }

    fn param_keys(&self, file: &str, keys: &Value) -> Result<Vec<String>> {
        match keys {
            Value::Null => Ok(Vec::new()),
            Value::List(keys) => keys.iter().map(|key| self.text(key)).collect(),
            other => {
                let kind = other.kind();
                Err(self.error(format!(
                    "expected the list of names in {file}, found {kind}"
                )))
            }
        }
    }

    fn outs(&self, stage: &mut Stage, kind: OutKind) -> Result<()> {
        for item in self.items() {
            match item {
                Value::Map(entries) => {
                    for (path, flags) in entries {
                        let out = self.out(&stage.wdir, kind, path, flags)?;
                        stage.outs.push(out);
                    }
                }
                other => {
                    let flags = Value::Null;
                    let out = self.out(&stage.wdir, kind, other, &flags)?;
                    stage.outs.push(out);
                }
            }
        }
        Ok(())
    }

    fn out(&self, wdir: &str, kind: OutKind, path: &Value, flags: &Value) -> Result<StageOut> {
        let written = self.text(path)?;
        let mut out = StageOut {
            path: place(wdir, &written),
            written,
            kind,
            cache: true,
            persist: false,
            push: true,
            remote: None,
            desc: None,
            extra: Vec::new(),
        };
        match flags {
            Value::Null => {}
            Value::Map(flags) => self.flags(&mut out, flags)?,
            // Several plots of one file: only their properties, which are shown and not stored.
            Value::List(several) if kind == OutKind::Plot => {
                out.extra
                    .push(("plots".to_owned(), Value::List(several.clone())));
            }
            other => {
                let kind = other.kind();
                let message = format!("expected flags of {}, found {kind}", out.written);
                return Err(self.error(message));
            }
        }
        Ok(out)
    }

    fn flags(&self, out: &mut StageOut, flags: &[(Value, Value)]) -> Result<()> {
        for (name, value) in flags {
            let name = name.python_str();
            match (name.as_str(), value) {
                ("cache", Value::Bool(flag)) => out.cache = *flag,
                ("persist", Value::Bool(flag)) => out.persist = *flag,
                ("push", Value::Bool(flag)) => out.push = *flag,
                ("checkpoint", Value::Bool(_)) => {}
                ("remote", Value::Str(text)) => out.remote = Some(text.clone()),
                ("desc", Value::Str(text)) => out.desc = Some(text.clone()),
                ("type" | "labels" | "meta", _) => out.extra.push((name, value.clone())),
                (known, _) if OUT_FLAGS.contains(&known) => {
                    let message = format!("'{name}' of {} cannot be {}", out.written, value.kind());
                    return Err(self.error(message));
                }
                (known, _) if out.kind == OutKind::Plot && PLOT_FLAGS.contains(&known) => {
                    out.extra.push((name, value.clone()));
                }
                (unknown, _) => {
                    let hint = nearest(unknown, OUT_FLAGS)
                        .map(|near| format!("; did you mean '{near}'?"))
                        .unwrap_or_default();
                    let message = format!("'{name}' is not a flag of an output{hint}");
                    return Err(self.error(message));
                }
            }
        }
        Ok(())
    }
}

fn add_keys(files: &mut Vec<(String, Vec<String>)>, file: String, keys: Vec<String>) {
    let known = match files.iter_mut().find(|(name, _)| *name == file) {
        Some((_, known)) => known,
        None => {
            files.push((file, Vec::new()));
            match files.last_mut() {
                Some((_, known)) => known,
                None => return,
            }
        }
    };
    for key in keys {
        if !known.contains(&key) {
            known.push(key);
        }
    }
}

/// A written path relative to the root; a URL or an absolute path stays as it is.
fn place(wdir: &str, written: &str) -> String {
    if paths::is_url(written) {
        written.to_owned()
    } else {
        paths::join(wdir, written)
    }
}

/// Outputs must be made once and not be read by who makes them; inputs may be named twice, as DVC lets them.
fn check_paths(stage: &Stage) -> Result<()> {
    let reads = |path: &String| {
        stage.deps.iter().any(|dep| dep.path == *path)
            || stage.params.iter().any(|file| file.path == *path)
    };
    for (index, out) in stage.outs.iter().enumerate() {
        check_place(stage, &out.path, &out.written)?;
        let (name, path) = (stage.address.clone(), out.path.clone());
        if reads(&path) {
            return Err(Error::SelfDependency { stage: name, path });
        }
        if stage.outs[..index].iter().any(|other| other.path == path) {
            return Err(Error::DuplicatePath { stage: name, path });
        }
    }
    Ok(())
}

/// Outputs are deleted before a run, so they must not hold the pipeline itself, git's or DVC's own files.
fn check_place(stage: &Stage, path: &str, written: &str) -> Result<()> {
    let own = [".git", ".dvc"];
    let refused = if paths::is_within(&stage.file, path) {
        Some("an output cannot hold the pipeline file of its stage")
    } else if own.iter().any(|own| paths::is_within(path, own)) {
        Some("this place belongs to git or DVC")
    } else {
        None
    };
    match refused {
        Some(message) => Err(Error::UnsupportedPath {
            stage: stage.address.clone(),
            path: written.to_owned(),
            message,
        }),
        None => Ok(()),
    }
}
