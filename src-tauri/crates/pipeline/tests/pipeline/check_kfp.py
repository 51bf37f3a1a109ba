"""Reads every specification of a folder with the real kfp and compares it with what it was made from.

kfp itself accepts a task that reads what nobody makes, so the wiring is followed here.
"""

import json
import re
import shlex
import sys
from pathlib import Path

import yaml
from google.protobuf import json_format
from kfp import components
from kfp.pipeline_spec import pipeline_spec_pb2

ID = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
PLACEHOLDER = re.compile(r"\{\{\$\.(inputs|outputs)\.(artifacts|parameters)\['([^']+)'\](?:\.path)?\}\}")


def words(script):
    lexer = shlex.shlex(script, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def keys(component, side, kind):
    return set(component.get(f"{side}Definitions", {}).get(kind, {}))


def check_wiring(spec):
    tasks, components = spec["root"]["dag"]["tasks"], spec["components"]
    root = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    used = set()
    for id, task in tasks.items():
        assert ID.fullmatch(id) and len(id) <= 63, id
        component = components[task["componentRef"]["name"]]
        inputs = task.get("inputs", {})
        for wire in inputs.get("artifacts", {}).values():
            producer = wire["taskOutputArtifact"]["producerTask"]
            made = components[tasks[producer]["componentRef"]["name"]]
            assert wire["taskOutputArtifact"]["outputArtifactKey"] in keys(made, "output", "artifacts"), wire
            assert producer in task["dependentTasks"] and producer != id
        for wire in inputs.get("parameters", {}).values():
            assert wire["componentInputParameter"] in root, wire
            used.add(wire["componentInputParameter"])
        for kind in ["artifacts", "parameters"]:
            assert set(inputs.get(kind, {})) == keys(component, "input", kind), (id, kind)
        assert all(other in tasks for other in task.get("dependentTasks", []))
        container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
        found = set()
        for arg in container["args"][1:]:
            side, kind, key = PLACEHOLDER.fullmatch(arg).groups()
            assert key in keys(component, side[:-1], kind), arg
            found.add((side, kind, key))
        assert len(found) == sum(len(keys(component, s, k)) for s in ["input", "output"] for k in ["artifacts", "parameters"])
    assert used == set(root), "a parameter that nobody reads would do nothing"


checked = 0
for file in sorted(Path(sys.argv[1]).glob("*.yaml")):
    text = file.read_text(encoding="utf-8")
    spec = yaml.safe_load(text)
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    components.load_component_from_text(text)
    assert spec["schemaVersion"] == "2.1.0"
    assert ID.fullmatch(spec["pipelineInfo"]["name"])
    check_wiring(spec)
    expected = file.with_suffix(".json")
    if expected.exists():
        wanted = {stage: commands for stage, commands in json.loads(expected.read_text(encoding="utf-8"))}
        assert len(wanted) == len(spec["root"]["dag"]["tasks"])
        for id, task in spec["root"]["dag"]["tasks"].items():
            script = spec["deploymentSpec"]["executors"][f"exec-{id}"]["container"]["command"][2]
            assert "{{" not in script, script
            found = words(script)
            commands = [word for at, word in enumerate(found) if found[at - 3 : at] == ["exec", "/bin/sh", "-c"]]
            assert commands == wanted[task["taskInfo"]["name"]], (file.name, commands, wanted)
            assert f"DVC_STAGE={task['taskInfo']['name']}" in found
    checked += 1
print("checked", checked)
