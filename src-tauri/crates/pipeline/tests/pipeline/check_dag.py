"""Parses every DAG file of a folder and compares it with what it was made from: names, commands, and the shell after Jinja."""

import ast
import json
import re
import sys
from pathlib import Path

from jinja2.sandbox import SandboxedEnvironment

HELPERS = {"plain", "script"}
checked = 0
for file in sorted(Path(sys.argv[1]).glob("*.py")):
    tree = ast.parse(file.read_bytes(), file.name)
    calls = [
        {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.value.keywords}
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        if isinstance(node.value.func, ast.Name) and node.value.func.id == "shell"
    ]
    wanted = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    found = [[call["stage"], call["commands"], call.get("doc")] for call in calls]
    assert found == wanted, (file.name, found, wanted)

    ids = [call["task_id"] for call in calls]
    assert len(set(ids)) == len(ids), ids
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", one) for one in ids), ids

    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in HELPERS]
    names = {"PROJECT": "/project {{ x }}", "Path": Path}
    exec("from shlex import quote", names)
    exec(compile(ast.Module(functions, []), file.name, "exec"), names)
    for stage, commands, _ in wanted:
        template = names["script"](stage, commands, "bash")
        assert not template.endswith((".sh", ".bash")), template
        jinja = SandboxedEnvironment(cache_size=0).from_string(template).render()
        plain = names["plain"]
        names["plain"] = str
        assert jinja == names["script"](stage, commands, "bash"), (template, jinja)
        names["plain"] = plain
    checked += 1
print("checked", checked)
