// The beginning of what the sample is exported as.
import type { Commands } from "../../api/generated";
import { ReportError } from "../index";

const AIRFLOW = `"""Made by Lapwing from dvc.yaml. \`lapwing pipeline export --to airflow\` makes it anew.

Every stage runs in every run, as with \`dvc repro --force\`; dvc.lock is left as it is.
"""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from shlex import quote
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param, task

# Where the project lies on the machine that runs the tasks.
PROJECT = os.environ.get("LAPWING_PROJECT", '/home/ada/work/flight-delays')


def plain(text):
    """Text that Jinja gives back as it is."""
    return text.replace("{", "{{ '{' }}").replace("\\r", "{{ '\\\\r' }}")


def script(stage, commands, shell, folder="", makes=(), keeps=()):
    """A stage as DVC runs it: what it makes is removed first, then its lines run one by one, each in a shell of its own."""
    lines = [f"cd -- {quote(PROJECT)} || exit $?"]
    lines += ["for bin in .venv/bin .venv-lapwing/bin; do"]
    lines += ['  if [ -d "$PWD/$bin" ]; then PATH="$PWD/$bin:$PATH"; fi', "done"]
    lines += [f"export PATH DVC_ROOT={quote(PROJECT)} DVC_STAGE={quote(stage)}"]
    lines += [f"rm -rf -- {quote(out)} || exit $?" for out in makes]
    for parent in dict.fromkeys(str(Path(out).parent) for out in [*makes, *keeps]):
        lines += [f"mkdir -p -- {quote(parent)} || exit $?"]
    if folder:
        lines += [f"cd -- {quote(folder)} || exit $?"]
    lines += [f"{shell} -c {quote(command)} || exit $?" for command in commands]
    return plain("\\n".join(lines))


def shell(task_id, stage, commands, folder="", makes=(), keeps=(), **more):
    """A stage in the worker's own shell."""
    return BashOperator(
        task_id=task_id,
        task_display_name=stage,
        bash_command=script(stage, commands, "bash --noprofile --norc", folder, makes, keeps),
        skip_on_exit_code=None,
        **more,
    )


# Files of parameters, cut around each value: its name, its value now, and how it is written now.
PARAMETERS = {
    'params.yaml': [
        '# Which months to learn from: the newest ones in data/raw, by file name.\\ndata:\\n  last_months: ',
        ('data.last_months', 6, '6'),
        '\\n  # Every fifth day is kept out of training: whole days, because flights of one\\n  # day share its weather and its congestion, and would tell on each other.\\n  holdout_every: ',
        ('data.holdout_every', 5, '5'),
        '\\n\\nmodel:\\n  learning_rate: ',
        ('model.learning_rate', 0.05, '0.05'),
        '\\n  max_iter: ',
`;

const KUBEFLOW = `# Made by Lapwing from dvc.yaml. \`lapwing pipeline export --to kubeflow\` makes it anew.
components:
  comp-clean:
    executorLabel: exec-clean
    outputDefinitions:
      artifacts:
        data_clean:
          artifactType:
            schemaTitle: system.Artifact
            schemaVersion: "0.0.1"
  comp-features:
    executorLabel: exec-features
    inputDefinitions:
      artifacts:
        in_data_clean:
          artifactType:
            schemaTitle: system.Artifact
            schemaVersion: "0.0.1"
      parameters:
        data_last_months:
          parameterType: NUMBER_INTEGER
        data_holdout_every:
          parameterType: NUMBER_INTEGER
        model_learning_rate:
          parameterType: NUMBER_DOUBLE
        model_max_iter:
          parameterType: NUMBER_INTEGER
        model_max_leaf_nodes:
          parameterType: NUMBER_INTEGER
        model_min_samples_leaf:
          parameterType: NUMBER_INTEGER
        model_seed:
          parameterType: NUMBER_INTEGER
    outputDefinitions:
      artifacts:
        data_train_parquet:
          artifactType:
            schemaTitle: system.Artifact
            schemaVersion: "0.0.1"
        data_heldout_parquet:
          artifactType:
            schemaTitle: system.Artifact
            schemaVersion: "0.0.1"
  comp-train:
    executorLabel: exec-train
    inputDefinitions:
      artifacts:
        in_data_train_parquet:
          artifactType:
            schemaTitle: system.Artifact
            schemaVersion: "0.0.1"
      parameters:
        data_last_months:
          parameterType: NUMBER_INTEGER
        data_holdout_every:
          parameterType: NUMBER_INTEGER
        model_learning_rate:
          parameterType: NUMBER_DOUBLE
        model_max_iter:
          parameterType: NUMBER_INTEGER
`;

type Some = {
  [N in "pipeline.export" | "deployments.export"]: (input: Commands[N]["input"]) => Commands[N]["answer"];
};

const FILES = {
  image: "Dockerfile",
  compose: "compose.yaml",
  kubernetes: "kubernetes.yaml",
  kserve: "inferenceservice.yaml",
};

export const exportAnswers: Some = {
  "pipeline.export": ({ engine, image, out }) => {
    if (engine === "kubeflow" && !image)
      throw new ReportError({
        code: "invalid",
        name: "pipeline.no_image",
        message: "stage `clean` names no image, and Kubeflow Pipelines runs every stage in a container",
        hint: "name one for all with --image, or in dvc.yaml: `meta: {lapwing: {image: NAME}}`",
      });
    const airflow = engine === "airflow";
    const file = airflow ? "flight-delays.py" : "flight-delays.yaml";
    return {
      file,
      text: airflow ? AIRFLOW : KUBEFLOW.replaceAll("IMAGE", image ?? ""),
      notes: airflow ? [] : ["the images must hold the project in /project, with data/raw, src/clean.py"],
      written: out ? `${out}/${file}` : null,
    };
  },
  "deployments.export": ({ package: target, image, out }) => {
    const tag = image ?? "flight-delays:r4";
    return {
      file: FILES[target],
      text: `# Made by Lapwing: \`lapwing deployments export\` makes it anew.\nimage: "${tag}"\n`,
      notes: [`build it: docker build -t ${tag} ${out ?? "FOLDER"}/image`],
      written: out,
    };
  },
};
