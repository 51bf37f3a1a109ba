//! One DAG file for Airflow 3: an operator for each stage, in the order of the data.
//!
//! Every text of the project stands in the file as a Python literal and nowhere else, so that no name and no command can be taken
//! for Python or for a Jinja template. What builds shell from these texts is Python in the file itself, the same for every project.

use std::fmt::Write as _;

use super::{Export, ExportOptions, ParameterFile, Part, Task, ids, parameters, tasks};
use crate::{Pipeline, Result, Value};

const PARAMETERS_TASK: &str = "parameters";
const HEAD: &str =
    "\"\"\"Made by Lapwing from dvc.yaml. `lapwing pipeline export --to airflow` makes it anew.

Every stage runs in every run, as with `dvc repro --force`; dvc.lock is left as it is.
\"\"\"

";
const HELPERS: &str = include_str!("airflow_helpers.py");
const DOCKER_HELPERS: &str = include_str!("airflow_docker.py");
const PARAMETERS_HELPERS: &str = include_str!("airflow_parameters.py");

/// A pipeline as a DAG file.
///
/// # Errors
/// When nothing is left to run, a stage's `meta` says something else than an engine can be told, or a file of parameters cannot be read.
pub fn airflow(pipeline: &Pipeline, options: &ExportOptions) -> Result<Export> {
    let mut notes = Vec::new();
    let tasks = tasks(pipeline, &[PARAMETERS_TASK], &mut notes, ids::airflow)?;
    let files = parameters::files(pipeline, &mut notes)?;
    let id = ids::airflow(&options.name);
    let mut text = head(options, &tasks, !files.is_empty());
    if !files.is_empty() {
        text.push_str(&parameter_files(&files));
        text.push_str(PARAMETERS_HELPERS);
    }
    text.push_str(&dag(&id, options, &files));
    for task in &tasks {
        text.push_str(&operator(task, options));
    }
    text.push_str(&order(&tasks, !files.is_empty()));
    Ok(Export {
        file: format!("{id}.py"),
        text,
        notes,
        id,
        parameters: files
            .iter()
            .flat_map(ParameterFile::parameters)
            .map(|parameter| (parameter.name.clone(), parameter.name.clone()))
            .collect(),
    })
}

fn head(options: &ExportOptions, tasks: &[Task<'_>], parameters: bool) -> String {
    let mut text = HEAD.to_owned();
    if parameters {
        text.push_str("import json\n");
    }
    text.push_str("import os\n");
    text.push_str("from datetime import datetime, timedelta\nfrom pathlib import Path\nfrom shlex import quote\nfrom zoneinfo import ZoneInfo\n\n");
    let docker = tasks.iter().any(|task| task.settings.image.is_some());
    if docker {
        text.push_str("from airflow.providers.docker.operators.docker import DockerOperator\n");
    }
    text.push_str("from airflow.providers.standard.operators.bash import BashOperator\n");
    text.push_str(if parameters {
        "from airflow.sdk import DAG, Param, task\n"
    } else {
        "from airflow.sdk import DAG\n"
    });
    if docker {
        text.push_str("from docker.types import DeviceRequest, Mount\n");
    }
    let _ = write!(
        text,
        "\n# Where the project lies on the machine that runs the tasks.\nPROJECT = os.environ.get(\"LAPWING_PROJECT\", {})\n",
        literal(&options.root)
    );
    text.push_str(HELPERS);
    if docker {
        text.push_str(DOCKER_HELPERS);
    }
    text
}

fn parameter_files(files: &[ParameterFile]) -> String {
    let mut text = String::from(
        "\n\n# Files of parameters, cut around each value: its name, its value now, and how it is written now.\nPARAMETERS = {\n",
    );
    for file in files {
        let _ = writeln!(text, "    {}: [", literal(&file.path));
        for part in &file.parts {
            let _ = match part {
                Part::Text(part) => writeln!(text, "        {},", literal(part)),
                Part::Value(parameter, written) => writeln!(
                    text,
                    "        ({}, {}, {}),",
                    literal(&parameter.name),
                    parameter.value.python_repr(),
                    literal(written)
                ),
            };
        }
        text.push_str("    ],\n");
    }
    text.push_str("}\n");
    text
}

fn dag(id: &str, options: &ExportOptions, files: &[ParameterFile]) -> String {
    let mut text = String::from("\n\nwith DAG(\n");
    let mut field = |name: &str, value: String| {
        let _ = writeln!(text, "    {name}={value},");
    };
    field("dag_id", literal(id));
    if id != options.name {
        field("dag_display_name", literal(&options.name));
    }
    if let Some(description) = &options.description {
        field("description", literal(description));
    }
    field(
        "schedule",
        options
            .schedule
            .as_deref()
            .map_or("None".to_owned(), literal),
    );
    let zone = options.time_zone.as_deref().unwrap_or("UTC");
    field(
        "start_date",
        format!("datetime(2020, 1, 1, tzinfo=ZoneInfo({}))", literal(zone)),
    );
    field("catchup", "False".to_owned());
    let mut tags = vec!["lapwing".to_owned()];
    tags.extend(options.tags.iter().filter(|tag| *tag != "lapwing").cloned());
    field(
        "tags",
        format!(
            "[{}]",
            tags.iter()
                .map(|tag| literal(tag))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    );
    // All runs work in the one folder.
    field("max_active_runs", "1".to_owned());
    field(
        "default_args",
        format!(
            "{{\"retries\": {}, \"retry_delay\": timedelta(seconds=30), \"retry_exponential_backoff\": True, \"max_retry_delay\": timedelta(minutes=10)}}",
            options.retries
        ),
    );
    if !files.is_empty() {
        text.push_str("    params={\n");
        for parameter in files.iter().flat_map(ParameterFile::parameters) {
            let _ = writeln!(
                text,
                "        {}: Param({}, type={}),",
                literal(&parameter.name),
                parameter.value.python_repr(),
                schema(&parameter.value)
            );
        }
        text.push_str("    },\n");
    }
    text.push_str(") as dag:\n    stages = {}\n");
    if !files.is_empty() {
        let _ = writeln!(
            text,
            "    parameters = task(task_id=\"{PARAMETERS_TASK}\")(set_parameters)()"
        );
    }
    text
}

/// JSON Schema's word for a value's type. What is nothing now may become anything.
fn schema(value: &Value) -> &'static str {
    match value {
        Value::Null => "[\"null\", \"boolean\", \"number\", \"string\", \"array\"]",
        Value::Bool(_) => "\"boolean\"",
        Value::Int(_) => "\"integer\"",
        Value::Float(_) => "\"number\"",
        Value::Str(_) => "\"string\"",
        Value::List(_) => "\"array\"",
        Value::Map(_) => "\"object\"",
    }
}

fn operator(task: &Task<'_>, options: &ExportOptions) -> String {
    let stage = task.stage;
    let function = if task.settings.image.is_some() {
        "container"
    } else {
        "shell"
    };
    let mut text = format!("    {} = {function}(\n", named(task));
    let mut field = |name: &str, value: String| {
        let _ = writeln!(text, "        {name}={value},");
    };
    field("task_id", literal(&task.id));
    field("stage", literal(&stage.address));
    field("commands", list(&stage.cmd.lines()));
    if !stage.wdir.is_empty() {
        field("folder", literal(&stage.wdir));
    }
    let outs = |persist: bool| -> Vec<String> {
        let outs = stage.outs.iter().filter(|out| out.persist == persist);
        outs.map(|out| out.path.clone()).collect()
    };
    for (name, outs) in [("makes", outs(false)), ("keeps", outs(true))] {
        if !outs.is_empty() {
            field(name, list(&outs));
        }
    }
    if let Some(image) = &task.settings.image {
        field("image", literal(image));
        settings_of_container(task, &mut field);
    }
    if let Some(desc) = &stage.desc {
        field("doc", literal(desc));
    }
    if let Some(retries) = task
        .settings
        .retries
        .filter(|retries| *retries != options.retries)
    {
        field("retries", retries.to_string());
    }
    if let Some(minutes) = task.settings.timeout_minutes {
        field("execution_timeout", format!("timedelta(minutes={minutes})"));
    }
    text.push_str("    )\n");
    text
}

fn settings_of_container(task: &Task<'_>, field: &mut impl FnMut(&str, String)) {
    if let Some(cpus) = task.settings.cpus {
        field("cpus", cpus.to_string());
    }
    if let Some(gib) = task.settings.memory_gib {
        field("mem_limit", literal(&format!("{}m", (gib * 1024.0).ceil())));
    }
    if let Some(gpus) = task.settings.gpus.filter(|gpus| *gpus > 0) {
        field(
            "device_requests",
            format!("[DeviceRequest(count={gpus}, capabilities=[[\"gpu\"]])]"),
        );
    }
}

/// A task as the file names it.
fn named(task: &Task<'_>) -> String {
    format!("stages[{}]", literal(&task.id))
}

fn order(tasks: &[Task<'_>], parameters: bool) -> String {
    let mut text = String::from("\n");
    for task in tasks {
        let after: Vec<String> = task
            .after
            .iter()
            .filter_map(|&at| tasks.get(at))
            .map(named)
            .collect();
        let name = named(task);
        if !after.is_empty() {
            let _ = writeln!(text, "    [{}] >> {name}", after.join(", "));
        } else if parameters {
            let _ = writeln!(text, "    parameters >> {name}");
        }
    }
    if text == "\n" { String::new() } else { text }
}

fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| literal(item)).collect();
    format!("[{}]", items.join(", "))
}

/// A text as Python reads it back unchanged.
fn literal(text: &str) -> String {
    crate::python::str_repr(text)
}
