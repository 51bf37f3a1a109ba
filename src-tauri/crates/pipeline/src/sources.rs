//! What the commands of a run come from, so that whoever goes on with it later knows what was changed since, by name.

use std::collections::BTreeMap;

use lapwing_data::Project;
use serde::{Deserialize, Serialize};

use crate::{
    PlanOptions, Result,
    content::Files,
    params, paths,
    pipeline::Pipeline,
    plan::selected,
    run_cache::hex_digest,
    stage::{Stage, StageOut},
};

/// Each thing by the name that a sentence gives it, with a digest of what it is. Compared by the program that wrote it: another
/// version may see other things in a stage, and is none the wiser.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sources(BTreeMap<String, String>);

impl Sources {
    /// What the stages that a run with these targets may execute are and read now: their definitions, their parameters, and the files
    /// that none of them makes.
    pub fn of(pipeline: &Pipeline, project: &Project, targets: &[String]) -> Result<Self> {
        let options = PlanOptions {
            targets: targets.to_vec(),
            ..PlanOptions::default()
        };
        let files = Files::new(project);
        let stages = selected(pipeline, &options)?;
        // A frozen stage makes nothing: what it once made is read as any other file.
        let run: Vec<&Stage> = stages.iter().filter(|one| !one.frozen).copied().collect();
        let mut sources = Self::default();
        for stage in stages {
            sources.add(format!("stage `{}`", stage.address), &executed(stage));
        }
        for stage in &run {
            sources.add_parameters(&files, stage, &run)?;
            for dep in stage.deps.iter().filter(|dep| !is_made(&run, &dep.path)) {
                sources.add_path(&files, &dep.path)?;
            }
        }
        Ok(sources)
    }

    /// One thing more, by its name in a sentence.
    pub fn add(&mut self, name: String, text: &str) {
        self.0.insert(name, hex_digest(text));
    }

    /// A file that is read beside those of the stages, where it is there.
    pub fn add_file(&mut self, project: &Project, path: &str) -> Result<()> {
        self.add_path(&Files::new(project), path)
    }

    fn add_path(&mut self, files: &Files<'_>, path: &str) -> Result<()> {
        if !paths::is_url(path) && files.exists(path) {
            let id = files.id(path, false)?.unwrap_or_default();
            self.0.insert(format!("`{path}`"), id);
        }
        Ok(())
    }

    fn add_parameters(&mut self, files: &Files<'_>, stage: &Stage, run: &[&Stage]) -> Result<()> {
        for file in stage.params.iter().filter(|file| !is_made(run, &file.path)) {
            for (key, value) in params::read(files.root(), file, files.drafts())?.values {
                let name = format!("parameter `{key}` of {}", file.path);
                self.add(name, &format!("{value:?}"));
            }
        }
        Ok(())
    }

    /// What is not as it was, one clause each.
    #[must_use]
    pub fn changes(&self, now: &Self) -> Vec<String> {
        let gone = |name: &&String| !now.0.contains_key(*name);
        let gone = self.0.keys().filter(gone).map(|name| (name, "is gone"));
        let other = |(name, id): (_, &String)| match self.0.get(name) {
            None => Some((name, "is new")),
            Some(before) => (before != id).then_some((name, "was edited")),
        };
        let mut changes: Vec<_> = now.0.iter().filter_map(other).chain(gone).collect();
        changes.sort_unstable();
        let said = |(name, what): (&String, &str)| format!("{name} {what}");
        changes.into_iter().map(said).collect()
    }
}

/// Everything of a stage that decides what is executed, and what is deleted before; not how it is described or shown.
fn executed(stage: &Stage) -> String {
    let deps: Vec<&str> = stage.deps.iter().map(|dep| dep.path.as_str()).collect();
    let params: Vec<_> = stage
        .params
        .iter()
        .map(|one| (&one.path, &one.keys))
        .collect();
    let out = |out: &StageOut| (out.path.clone(), out.cache, out.persist);
    let outs: Vec<_> = stage.outs.iter().map(out).collect();
    // Where it runs, and on what.
    let own = stage.meta.as_ref().and_then(|meta| meta.get("lapwing"));
    let flags = (stage.frozen, stage.always_changed);
    let wdir = &stage.wdir;
    format!(
        "{wdir:?} {:?} {deps:?} {params:?} {outs:?} {own:?} {flags:?}",
        stage.cmd
    )
}

fn is_made(run: &[&Stage], path: &str) -> bool {
    let outs = || run.iter().flat_map(|stage| &stage.outs);
    outs().any(|out| paths::is_within(path, &out.path) || paths::is_within(&out.path, path))
}
