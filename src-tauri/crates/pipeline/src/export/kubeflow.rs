//! A specification for Kubeflow Pipelines 2 (IR YAML, schema 2.1.0): a container for each stage, and what stages make as artifacts.
//!
//! The image of a stage holds the project; a stage's container gets the artifacts that it reads at their places in the project, and
//! hands over what it made. Texts of the project stand in quotes of the shell, and never contain `{{`, which would mean something to
//! Kubeflow and to Argo below it.

use serde_json::{Map, Value as Json, json};

use super::{Export, ExportOptions, ParameterFile, Part, Task, ids, parameters, tasks, text::yaml};
use crate::{Error, Pipeline, Result, Value, export::ids::unique, paths, stage::Stage};

/// The only one that the API server takes.
const SCHEMA: &str = "2.1.0";
const ENGINE: &str = "Kubeflow Pipelines";
const ARTIFACT: &str = "system.Artifact";
/// Where the image has the project, when nobody says it.
pub const PROJECT_IN_IMAGE: &str = "/project";

/// A pipeline as an IR specification.
///
/// # Errors
/// When nothing is left to run, a stage has no image, its `meta` says something else than an engine can be told, or a file of
/// parameters cannot be read.
pub fn kubeflow(pipeline: &Pipeline, options: &ExportOptions) -> Result<Export> {
    let mut notes = Vec::new();
    let tasks = tasks(pipeline, &[], &mut notes, ids::kubernetes)?;
    let files = settable(parameters::files(pipeline, &mut notes)?);
    let names = parameter_names(&files);
    let spec = Spec {
        options,
        tasks: &tasks,
        files: &files,
        names: &names,
    };
    let mut components = Map::new();
    let mut executors = Map::new();
    let mut dag = Map::new();
    for task in &tasks {
        let id = &task.id;
        let wires = spec.wires(task);
        components.insert(format!("comp-{id}"), spec.component(task, &wires));
        executors.insert(format!("exec-{id}"), spec.executor(task, &wires)?);
        dag.insert(id.clone(), spec.task(task, &wires));
    }
    let name = ids::kubernetes(&options.name);
    let mut document = json!({
        "components": components,
        "deploymentSpec": {"executors": executors},
        "pipelineInfo": {"name": name},
        "root": {"dag": {"tasks": dag}},
        "schemaVersion": SCHEMA,
        "sdkVersion": "lapwing",
    });
    if !names.is_empty() {
        document["root"]["inputDefinitions"] = json!({"parameters": spec.root_parameters()});
    }
    notes.extend(spec.notes());
    let text = format!(
        "# Made by Lapwing from dvc.yaml. `lapwing pipeline export --to kubeflow` makes it anew.\n{}",
        yaml(&document)
    );
    Ok(Export {
        file: format!("{name}.yaml"),
        text,
        notes,
        id: name,
        parameters: files
            .iter()
            .flat_map(ParameterFile::parameters)
            .map(|parameter| parameter.name.clone())
            .zip(names.iter().cloned())
            .collect(),
    })
}

struct Spec<'a> {
    options: &'a ExportOptions,
    tasks: &'a [Task<'a>],
    files: &'a [ParameterFile],
    /// The engine's names of all parameters, in the order of `files`.
    names: &'a [String],
}

/// What goes into and out of one stage's container.
struct Wires<'a> {
    /// Key, maker, the maker's key, and the place in the project.
    inputs: Vec<(String, &'a Task<'a>, String, &'a str)>,
    /// Key and place in the project.
    outputs: Vec<(String, &'a str)>,
    /// Each file that the stage reads, with the engine's names of its parameters.
    files: Vec<(&'a ParameterFile, &'a [String])>,
}

/// Kubeflow has no parameter that is nothing: such a value stays as it is written.
fn settable(mut files: Vec<ParameterFile>) -> Vec<ParameterFile> {
    for file in &mut files {
        for part in &mut file.parts {
            if let Part::Value(parameter, written) = part
                && matches!(parameter.value, Value::Null)
            {
                *part = Part::Text(written.clone());
            }
        }
    }
    files.retain(|file| file.parameters().next().is_some());
    files
}

fn parameter_names(files: &[ParameterFile]) -> Vec<String> {
    let all: Vec<&str> = files
        .iter()
        .flat_map(ParameterFile::parameters)
        .map(|p| p.name.as_str())
        .collect();
    unique(&all, &[], ids::key)
}

/// The keys of a stage's outputs, in their order.
fn output_keys(stage: &Stage) -> Vec<String> {
    let paths: Vec<&str> = stage.outs.iter().map(|out| out.path.as_str()).collect();
    unique(&paths, &[], ids::key)
}

impl<'a> Spec<'a> {
    fn wires(&self, task: &'a Task<'a>) -> Wires<'a> {
        let stage = task.stage;
        let reads = |out: &str| {
            let deps = stage.deps.iter().map(|dep| dep.path.as_str());
            let files = stage.params.iter().map(|file| file.path.as_str());
            deps.chain(files)
                .any(|path| paths::is_within(path, out) || paths::is_within(out, path))
        };
        let mut found = Vec::new();
        for maker in task.after.iter().filter_map(|&at| self.tasks.get(at)) {
            for (out, key) in maker.stage.outs.iter().zip(output_keys(maker.stage)) {
                if reads(&out.path) {
                    found.push((maker, key, out.path.as_str()));
                }
            }
        }
        // Two makers may have the same key, and an output may be called as an input is.
        let places: Vec<&str> = found.iter().map(|(_, _, path)| *path).collect();
        let outputs: Vec<&str> = stage.outs.iter().map(|out| out.path.as_str()).collect();
        let inputs = unique(&places, &[], ids::key);
        let keys = output_keys(stage);
        let mut start = 0;
        let mut files = Vec::new();
        for file in self.files {
            let end = start + file.parameters().count();
            if stage.params.iter().any(|read| read.path == file.path) {
                files.push((file, &self.names[start..end]));
            }
            start = end;
        }
        Wires {
            inputs: inputs
                .into_iter()
                .zip(found)
                .map(|(key, (maker, theirs, path))| (format!("in_{key}"), maker, theirs, path))
                .collect(),
            outputs: keys.into_iter().zip(outputs).collect(),
            files,
        }
    }

    fn component(&self, task: &Task<'_>, wires: &Wires<'_>) -> Json {
        let artifact =
            || json!({"artifactType": {"schemaTitle": ARTIFACT, "schemaVersion": "0.0.1"}});
        let artifacts = |keys: Vec<&String>| -> Map<String, Json> {
            keys.into_iter()
                .map(|key| (key.clone(), artifact()))
                .collect()
        };
        let mut inputs = Map::new();
        if !wires.inputs.is_empty() {
            let keys = wires.inputs.iter().map(|(key, ..)| key).collect();
            inputs.insert("artifacts".to_owned(), artifacts(keys).into());
        }
        if !wires.files.is_empty() {
            let parameters: Map<String, Json> = wires
                .parameters()
                .map(|(name, parameter)| {
                    (
                        name.clone(),
                        json!({"parameterType": kind(&parameter.value)}),
                    )
                })
                .collect();
            inputs.insert("parameters".to_owned(), parameters.into());
        }
        let mut component = json!({"executorLabel": format!("exec-{}", task.id)});
        if !inputs.is_empty() {
            component["inputDefinitions"] = inputs.into();
        }
        if !wires.outputs.is_empty() {
            let keys = wires.outputs.iter().map(|(key, _)| key).collect();
            component["outputDefinitions"] = json!({"artifacts": artifacts(keys)});
        }
        component
    }

    fn task(&self, task: &Task<'_>, wires: &Wires<'_>) -> Json {
        let mut inputs = Map::new();
        if !wires.inputs.is_empty() {
            let artifacts: Map<String, Json> = wires
                .inputs
                .iter()
                .map(|(key, maker, theirs, _)| {
                    let from = json!({"producerTask": maker.id, "outputArtifactKey": theirs});
                    (key.clone(), json!({"taskOutputArtifact": from}))
                })
                .collect();
            inputs.insert("artifacts".to_owned(), artifacts.into());
        }
        if !wires.files.is_empty() {
            let parameters: Map<String, Json> = wires
                .parameters()
                .map(|(name, _)| (name.clone(), json!({"componentInputParameter": name})))
                .collect();
            inputs.insert("parameters".to_owned(), parameters.into());
        }
        let mut spec = json!({
            // The image's content decides what a stage does, and its name may stay the same.
            "cachingOptions": {},
            "componentRef": {"name": format!("comp-{}", task.id)},
            "taskInfo": {"name": task.stage.address},
        });
        let after: Vec<&str> = task
            .after
            .iter()
            .filter_map(|&at| self.tasks.get(at))
            .map(|task| task.id.as_str())
            .collect();
        if !after.is_empty() {
            spec["dependentTasks"] = json!(after);
        }
        if !inputs.is_empty() {
            spec["inputs"] = inputs.into();
        }
        let retries = task.settings.retries.unwrap_or(self.options.retries);
        if retries > 0 {
            spec["retryPolicy"] = json!({
                "maxRetryCount": retries,
                "backoffDuration": "30s",
                "backoffFactor": 2.0,
                "backoffMaxDuration": "600s",
            });
        }
        spec
    }

    fn executor(&self, task: &Task<'_>, wires: &Wires<'_>) -> Result<Json> {
        let Some(image) = task.settings.image.as_ref().or(self.options.image.as_ref()) else {
            return Err(Error::NoImage {
                stage: task.stage.address.clone(),
                engine: ENGINE,
            });
        };
        // Behind `sh -c SCRIPT` the first word is the script's own name, the next are $1, $2, …
        let mut args = vec!["stage".to_owned()];
        args.extend(
            wires
                .inputs
                .iter()
                .map(|(key, ..)| format!("{{{{$.inputs.artifacts['{key}'].path}}}}")),
        );
        args.extend(
            wires
                .outputs
                .iter()
                .map(|(key, _)| format!("{{{{$.outputs.artifacts['{key}'].path}}}}")),
        );
        args.extend(
            wires
                .parameters()
                .map(|(name, _)| format!("{{{{$.inputs.parameters['{name}']}}}}")),
        );
        let mut container = json!({
            "image": image,
            "command": ["/bin/sh", "-c", self.script(task.stage, wires)],
            "args": args,
        });
        let settings = &task.settings;
        let mut resources = Map::new();
        if let Some(cpus) = settings.cpus {
            resources.insert("cpuLimit".to_owned(), json!(cpus));
            resources.insert("resourceCpuLimit".to_owned(), json!(cpus.to_string()));
        }
        if let Some(gib) = settings.memory_gib {
            let mebibytes = (gib * 1024.0).ceil();
            // The old field counts in 10^9 bytes, the new one is Kubernetes' text.
            resources.insert(
                "memoryLimit".to_owned(),
                json!(mebibytes * 1.048_576e6 / 1e9),
            );
            resources.insert(
                "resourceMemoryLimit".to_owned(),
                json!(format!("{mebibytes}Mi")),
            );
        }
        if let Some(gpus) = settings.gpus.filter(|gpus| *gpus > 0) {
            let (count, kind) = (gpus.to_string(), "nvidia.com/gpu");
            resources.insert(
                "accelerator".to_owned(),
                json!({"count": count, "type": kind, "resourceCount": count, "resourceType": kind}),
            );
        }
        if !resources.is_empty() {
            container["resources"] = resources.into();
        }
        Ok(json!({ "container": container }))
    }

    /// Brings the inputs to their places, runs the stage as DVC does, and hands over what it made.
    fn script(&self, stage: &Stage, wires: &Wires<'_>) -> String {
        let mut lines = vec![
            format!("cd -- {} || exit $?", quote(&self.options.root)),
            format!(
                "export DVC_ROOT=\"$PWD\" DVC_STAGE={}",
                quote(&stage.address)
            ),
        ];
        let mut number = 0;
        let mut argument = || {
            number += 1;
            format!("${{{number}}}")
        };
        for (_, _, _, path) in &wires.inputs {
            let (path, from) = (quote(path), argument());
            lines.push(format!("rm -rf -- {path} && mkdir -p -- \"$(dirname -- {path})\" && cp -R -- \"{from}\" {path} || exit $?"));
        }
        let handed: Vec<String> = wires.outputs.iter().map(|_| argument()).collect();
        for (file, _) in &wires.files {
            lines.extend(parameter_file(file, &mut argument));
        }
        for out in &stage.outs {
            let path = quote(&out.path);
            if !out.persist {
                lines.push(format!("rm -rf -- {path} || exit $?"));
            }
            lines.push(format!("mkdir -p -- \"$(dirname -- {path})\" || exit $?"));
        }
        let folder = if stage.wdir.is_empty() {
            String::new()
        } else {
            format!("cd -- {} && ", quote(&stage.wdir))
        };
        for line in stage.cmd.lines() {
            // In parentheses, so that the next line begins in the project's folder again.
            lines.push(format!(
                "({folder}exec /bin/sh -c {}) || exit $?",
                quote(&line)
            ));
        }
        for ((_, path), to) in wires.outputs.iter().zip(handed) {
            lines.push(format!(
                "mkdir -p -- \"$(dirname -- \"{to}\")\" && cp -R -- {} \"{to}\" || exit $?",
                quote(path)
            ));
        }
        lines.join("\n")
    }

    fn root_parameters(&self) -> Map<String, Json> {
        let all = self.files.iter().flat_map(ParameterFile::parameters);
        self.names
            .iter()
            .zip(all)
            .map(|(name, parameter)| {
                let definition = json!({
                    "parameterType": kind(&parameter.value),
                    "defaultValue": parameter.value,
                    "isOptional": true,
                    "description": parameter.name,
                });
                (name.clone(), definition)
            })
            .collect()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let made: Vec<&str> = self
            .tasks
            .iter()
            .flat_map(|task| &task.stage.outs)
            .map(|out| out.path.as_str())
            .collect();
        let mut given: Vec<&str> = self
            .tasks
            .iter()
            .flat_map(|task| &task.stage.deps)
            .map(|dep| dep.path.as_str())
            .filter(|path| {
                !paths::is_url(path)
                    && !made
                        .iter()
                        .any(|out| paths::is_within(path, out) || paths::is_within(out, path))
            })
            .collect();
        given.sort_unstable();
        given.dedup();
        let root = &self.options.root;
        notes.push(if given.is_empty() {
            format!("the images must hold the project in {root}")
        } else {
            format!(
                "the images must hold the project in {root}, with {}",
                given.join(", ")
            )
        });
        if let Some(cron) = &self.options.schedule {
            notes.push(format!(
                "the schedule {cron} is not in the file: Kubeflow keeps it as a recurring run"
            ));
        }
        for task in self
            .tasks
            .iter()
            .filter(|task| task.settings.timeout_minutes.is_some())
        {
            notes.push(format!(
                "`{}` has no time limit there: the file has no place for it",
                task.stage.address
            ));
        }
        notes
    }
}

impl<'a> Wires<'a> {
    fn parameters(&self) -> impl Iterator<Item = (&'a String, &'a parameters::Parameter)> {
        self.files
            .iter()
            .flat_map(|(file, names)| names.iter().zip(file.parameters()))
    }
}

/// The shell that writes a file of parameters from its parts and the arguments. Kubeflow gives numbers and lists as JSON, and texts
/// as they are.
fn parameter_file(file: &ParameterFile, argument: &mut impl FnMut() -> String) -> Vec<String> {
    let mut lines = vec!["{".to_owned()];
    for part in &file.parts {
        lines.push(match part {
            Part::Text(text) => format!("  printf %s {}", quote(text)),
            Part::Value(parameter, _) => {
                let value = argument();
                match parameter.value {
                    Value::Str(_) => format!(
                        r#"  printf '"%s"' "$(printf %s "{value}" | sed -e ':a' -e '$!{{N;ba' -e '}}' -e 's/\\/\\\\/g; s/"/\\"/g; s/\n/\\n/g')""#
                    ),
                    Value::Float(_) => format!(r#"  case "{value}" in *[.eE]*) printf %s "{value}" ;; *) printf %s.0 "{value}" ;; esac"#),
                    Value::Null | Value::Bool(_) | Value::Int(_) | Value::List(_) | Value::Map(_) => format!(r#"  printf %s "{value}""#),
                }
            }
        });
    }
    lines.push(format!("}} > {} || exit $?", quote(&file.path)));
    lines
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "BOOLEAN",
        Value::Int(_) => "NUMBER_INTEGER",
        Value::Float(_) => "NUMBER_DOUBLE",
        Value::List(_) => "LIST",
        Value::Map(_) => "STRUCT",
        Value::Str(_) | Value::Null => "STRING",
    }
}

/// A text for the shell, without two opening braces in a row: between them stands an end and a beginning of quotes.
fn quote(text: &str) -> String {
    let mut quoted = String::from("'");
    let mut before = ' ';
    for character in text.chars() {
        match character {
            '\'' => quoted.push_str(r"'\''"),
            '{' if before == '{' => quoted.push_str("''{"),
            other => quoted.push(other),
        }
        before = character;
    }
    quoted.push('\'');
    quoted
}
