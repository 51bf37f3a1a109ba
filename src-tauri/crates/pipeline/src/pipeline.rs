//! The whole pipeline of a project: every `dvc.yaml`, resolved, checked and connected.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use fs_err as fs;

use lapwing_data::Project;

use crate::{
    Drafts, Error, Result, Value,
    content::Files,
    definition::{self, Document},
    expand::{self, Scope},
    graph::Graph,
    nearest::nearest,
    params::syntax,
    paths,
    stage::Stage,
    template::Options,
    yaml,
};

/// The stages of a project and how they feed each other.
#[derive(Debug, Clone)]
pub struct Pipeline {
    root: PathBuf,
    stages: Vec<Stage>,
    by_address: HashMap<String, usize>,
    graph: Graph,
    shown: Shown,
}

/// Files that pipeline files list at their top level, to be shown; relative to the root.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    pub metrics: Vec<String>,
    pub params: Vec<String>,
    /// Each plot as written: a path, or a mapping of an id to its axes.
    pub plots: Vec<Value>,
}

impl Pipeline {
    /// Reads every `dvc.yaml` of a project, the root's first.
    pub fn read(project: &Project) -> Result<Self> {
        Self::drafted(project, &Drafts::default())
    }

    /// The same, with parameter files as they would be.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn drafted(project: &Project, drafts: &Drafts) -> Result<Self> {
        let files = Files::new(project);
        let names = files.pipeline_files();
        let pipeline = Self::read_files(files.root(), &names, files.options(), drafts)?;
        check_tracked(&pipeline.stages, &lapwing_data::tracked_paths(project)?)?;
        Ok(pipeline)
    }

    /// Reads these pipeline files, named relative to the root.
    pub(crate) fn read_files(
        root: &Path,
        files: &[String],
        options: Options,
        drafts: &Drafts,
    ) -> Result<Self> {
        let mut stages = Vec::new();
        let mut shown = Shown::default();
        for file in files {
            let document = document(root, file)?;
            let scope = Scope {
                root,
                file,
                wdir: paths::parent(file),
                options,
                drafts,
            };
            let context = expand::context(&scope, &document)?;
            for definition in &document.stages {
                stages.extend(expand::stages(&scope, &context, definition)?);
            }
            let beside = |items: &[Value]| -> Vec<String> {
                items
                    .iter()
                    .map(|item| paths::join(scope.wdir, &item.python_str()))
                    .collect()
            };
            shown.metrics.extend(beside(&document.metrics));
            shown.params.extend(beside(&document.params));
            shown.plots.extend(document.plots);
        }
        let graph = Graph::build(&stages)?;
        let by_address = stages
            .iter()
            .enumerate()
            .map(|(index, stage)| (stage.address.clone(), index))
            .collect();
        Ok(Self {
            root: root.to_owned(),
            by_address,
            stages,
            graph,
            shown,
        })
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All stages, in the order of the files.
    #[must_use]
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// All stages, each after those that it reads from.
    #[must_use]
    pub fn in_order(&self) -> Vec<&Stage> {
        self.graph.order.iter().map(|&i| &self.stages[i]).collect()
    }

    /// Maker and reader of each connection, by address.
    #[must_use]
    pub fn edges(&self) -> Vec<(&str, &str)> {
        let name = |index: usize| self.stages[index].address.as_str();
        let readers = self.graph.downstream.iter().enumerate();
        readers
            .flat_map(|(maker, readers)| readers.iter().map(move |&r| (name(maker), name(r))))
            .collect()
    }

    /// Files listed at the top of pipeline files.
    #[must_use]
    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// The stage at an address.
    pub fn stage(&self, address: &str) -> Result<&Stage> {
        let index = self.index(address);
        index
            .map(|index| &self.stages[index])
            .ok_or_else(|| self.unknown(address))
    }

    /// The stages that a person names: an address, a group (`train` for `train@…`), a `dvc.yaml`, or an output's path.
    pub fn find(&self, target: &str) -> Result<Vec<&Stage>> {
        let found = self.indexes(target)?;
        Ok(found.into_iter().map(|index| &self.stages[index]).collect())
    }

    /// The stages that a stage reads from, directly or not.
    pub fn upstream(&self, address: &str) -> Result<Vec<&Stage>> {
        self.around(address, |index| {
            self.graph.upstream[index].iter().copied().collect()
        })
    }

    /// The stages that read from a stage, directly or not.
    pub fn downstream(&self, address: &str) -> Result<Vec<&Stage>> {
        self.around(address, |index| {
            self.graph.downstream[index].iter().copied().collect()
        })
    }

    fn around(&self, address: &str, next: impl Fn(usize) -> Vec<usize>) -> Result<Vec<&Stage>> {
        let from = self.indexes(address)?;
        let reached = Graph::reach(&from, next);
        let order = self.graph.order.iter();
        Ok(order
            .filter(|index| reached.contains(index) && !from.contains(index))
            .map(|&index| &self.stages[index])
            .collect())
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    fn index(&self, address: &str) -> Option<usize> {
        let wanted = address.strip_prefix("dvc.yaml:").unwrap_or(address);
        self.by_address.get(wanted).copied()
    }

    pub(crate) fn indexes(&self, target: &str) -> Result<Vec<usize>> {
        if let Some(index) = self.index(target) {
            return Ok(vec![index]);
        }
        let wanted = target.strip_prefix("dvc.yaml:").unwrap_or(target);
        let path = paths::join("", target);
        let matching = |fits: &dyn Fn(&Stage) -> bool| -> Vec<usize> {
            let stages = self.stages.iter().enumerate();
            stages
                .filter(|(_, stage)| fits(stage))
                .map(|(index, _)| index)
                .collect()
        };
        let in_group = |stage: &Stage| {
            stage
                .address
                .strip_prefix(wanted)
                .is_some_and(|rest| rest.starts_with('@'))
        };
        let found = [
            matching(&in_group),
            matching(&|stage| stage.file == path),
            matching(&|stage| stage.outs.iter().any(|out| out.path == path)),
        ];
        found
            .into_iter()
            .find(|found| !found.is_empty())
            .ok_or_else(|| self.unknown(target))
    }

    fn unknown(&self, target: &str) -> Error {
        let names = self.stages.iter().map(|stage| stage.address.as_str());
        let groups = self
            .stages
            .iter()
            .filter_map(|stage| stage.address.split_once('@').map(|(group, _)| group));
        Error::UnknownTarget {
            target: target.to_owned(),
            nearest: nearest(target, names.clone().chain(groups)).map(str::to_owned),
            stages: names.map(str::to_owned).collect(),
        }
    }
}

/// Running a stage deletes its outputs: none may be, hold, or lie in what a `.dvc` file tracks.
fn check_tracked(stages: &[Stage], tracked: &[(String, String)]) -> Result<()> {
    for stage in stages {
        for out in &stage.outs {
            let overlaps =
                |path: &str| paths::is_within(&out.path, path) || paths::is_within(path, &out.path);
            if let Some((dvc_file, path)) = tracked.iter().find(|(_, path)| overlaps(path)) {
                return Err(Error::TrackedOutput {
                    stage: stage.address.clone(),
                    out: out.path.clone(),
                    path: path.clone(),
                    dvc_file: dvc_file.clone(),
                });
            }
        }
    }
    Ok(())
}

fn document(root: &Path, file: &str) -> Result<Document> {
    let text = fs::read_to_string(paths::on_disk(root, file))?;
    let node =
        yaml::parse(&text).map_err(|error| syntax(file, "YAML", error.line, error.message))?;
    definition::read(file, &node)
}
