//! The names that `${…}` can use: `params.yaml`, the files and mappings of `vars`, and what `foreach` and `matrix` add.

use std::path::Path;

use crate::{
    Drafts, Value,
    params::{self, values_in},
    paths, template,
};

/// Values by name. The same key from two sources is an error, as in DVC.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    values: Value,
    /// Which file or mapping set a dotted path, for the message about a second one.
    sources: Vec<(String, String)>,
    /// Files read so far: wholly, or only these keys.
    imports: Vec<(String, Option<Vec<String>>)>,
    /// Names that `vars` of a generated stage must leave alone.
    reserved: Vec<String>,
    drafts: Drafts,
}

impl Context {
    pub(crate) fn new(drafts: &Drafts) -> Self {
        Self {
            values: Value::Map(Vec::new()),
            sources: Vec::new(),
            imports: Vec::new(),
            reserved: Vec::new(),
            drafts: drafts.clone(),
        }
    }

    /// The value of an expression such as `train.lr` or `models[0].name`.
    pub(crate) fn select(&self, expression: &str) -> Result<&Value, String> {
        let mut value = &self.values;
        for segment in template::path(expression)? {
            let next = match value {
                Value::Map(_) => value.get(&segment),
                Value::List(items) => list_index(&segment, items.len()).and_then(|i| items.get(i)),
                Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {
                    None
                }
            };
            value = next.ok_or_else(|| format!("could not find '{expression}'"))?;
        }
        Ok(value)
    }

    /// The same names with some set anew, for one stage of a group.
    pub(crate) fn with(&self, names: Vec<(&str, Value)>) -> Self {
        let mut clone = self.clone();
        for (name, value) in names {
            clone.reserved.push(name.to_owned());
            clone.values.set(name, value);
        }
        clone
    }

    /// Reads `vars`: files (`path` or `path:key1,key2`) relative to `wdir`, and mappings. `owner` names them in messages.
    pub(crate) fn load_vars(
        &mut self,
        root: &Path,
        wdir: &str,
        vars: &[Value],
        owner: &str,
    ) -> Result<(), String> {
        for (index, item) in vars.iter().enumerate() {
            match item {
                Value::Str(text) => self.load_file(root, wdir, text)?,
                Value::Map(_) => {
                    let source = format!("{owner}vars[{index}]");
                    self.merge(item, &source)?;
                }
                Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::List(_) => {
                    return Err(format!(
                        "'vars' holds {} where a file or a mapping belongs",
                        item.kind()
                    ));
                }
            }
        }
        Ok(())
    }

    /// `params.yaml` beside the pipeline file, where there is one.
    pub(crate) fn load_default(&mut self, root: &Path, wdir: &str) -> crate::Result<()> {
        let path = paths::join(wdir, "params.yaml");
        let full = root.join(&path);
        if !full.exists() {
            return Ok(());
        }
        let values = self.read(&full)?;
        self.take(&path, values, None).map_err(|message| {
            params::syntax(&full.display().to_string(), "as parameters", 1, message)
        })
    }

    fn read(&self, full: &Path) -> crate::Result<Value> {
        values_in(full, &self.drafts.text(full)?)
    }

    fn load_file(&mut self, root: &Path, wdir: &str, item: &str) -> Result<(), String> {
        let (name, keys) = match item.split_once(':') {
            Some((name, keys)) => {
                let keys: Vec<_> = keys.split(',').filter(|key| !key.is_empty()).collect();
                (name, (!keys.is_empty()).then_some(keys))
            }
            None => (item, None),
        };
        let path = paths::join(wdir, name);
        if let Some((_, loaded)) = self.imports.iter().find(|(file, _)| *file == path) {
            match (loaded, &keys) {
                (None, None) => return Ok(()),
                (None, Some(_)) => return Err(format!("'{item}' is already loaded whole")),
                (Some(_), None) => return Err(format!("'{name}' is already loaded in part")),
                (Some(before), Some(now)) if now.iter().any(|k| before.iter().any(|b| b == k)) => {
                    return Err(format!("'{item}' is already loaded in part"));
                }
                (Some(_), Some(_)) => {}
            }
        }
        let full = root.join(&path);
        if !full.is_file() {
            return Err(format!("'{path}' does not exist"));
        }
        let values = self.read(&full).map_err(|error| error.to_string())?;
        self.take(&path, values, keys)
    }

    /// The names of a file, or the named ones of them.
    fn take(
        &mut self,
        path: &str,
        mut values: Value,
        keys: Option<Vec<&str>>,
    ) -> Result<(), String> {
        if let Some(keys) = &keys {
            values = pick(&values, keys, path)?;
        }
        if values.as_map().is_none() {
            return Err(format!("'{path}' holds {}, not a mapping", values.kind()));
        }
        self.merge(&values, path)?;
        let keys = keys.map(|keys| keys.into_iter().map(str::to_owned).collect());
        self.imports.push((path.to_owned(), keys));
        Ok(())
    }

    fn merge(&mut self, update: &Value, source: &str) -> Result<(), String> {
        if let Some(name) = self.reserved.iter().find(|name| update.get(name).is_some()) {
            return Err(format!(
                "'{source}' sets '{name}', which belongs to the group"
            ));
        }
        let sources = &mut self.sources;
        merge_into(&mut self.values, update, "", source, sources)
    }
}

fn pick(values: &Value, keys: &[&str], path: &str) -> Result<Value, String> {
    keys.iter()
        .map(|key| match values.get(key) {
            Some(value) => Ok((Value::str(*key), value.clone())),
            None => Err(format!("could not find '{key}' in '{path}'")),
        })
        .collect::<Result<_, _>>()
        .map(Value::Map)
}

fn merge_into(
    into: &mut Value,
    update: &Value,
    prefix: &str,
    source: &str,
    sources: &mut Vec<(String, String)>,
) -> Result<(), String> {
    let (Value::Map(entries), Value::Map(updates)) = (into, update) else {
        return Ok(());
    };
    for (key, value) in updates {
        // Only names can be interpolated; other keys are of no use here.
        let Value::Str(name) = key else { continue };
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match entries
            .iter_mut()
            .find(|(key, _)| key.as_str() == Some(name))
        {
            Some((_, old)) if old.as_map().is_some() && value.as_map().is_some() => {
                merge_into(old, value, &path, source, sources)?;
            }
            Some(_) => {
                let before = origin(sources, &path);
                return Err(format!(
                    "cannot redefine '{path}' from '{source}': it already exists in '{before}'"
                ));
            }
            None => {
                entries.push((key.clone(), value.clone()));
                sources.push((path, source.to_owned()));
            }
        }
    }
    Ok(())
}

/// The source of a path is the one that set it or the nearest mapping around it.
fn origin<'a>(sources: &'a [(String, String)], path: &str) -> &'a str {
    let around = |set: &str| {
        path == set
            || path
                .strip_prefix(set)
                .is_some_and(|rest| rest.starts_with('.'))
    };
    sources
        .iter()
        .filter(|(set, _)| around(set))
        .max_by_key(|(set, _)| set.len())
        .map_or("", |(_, source)| source)
}

/// Python's list index: counts from the end when negative.
fn list_index(segment: &str, length: usize) -> Option<usize> {
    let index: i64 = segment.parse().ok()?;
    if index < 0 {
        usize::try_from(i64::try_from(length).ok()? + index).ok()
    } else {
        usize::try_from(index).ok()
    }
}
