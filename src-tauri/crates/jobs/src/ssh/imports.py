# Names what a script imports at its top and the environment cannot offer. Reads nothing but the script, and runs none of it.
import ast
import importlib.util
import os
import sys


def imported(body):
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module
        # What stands in a `try` or below an `if` may be missing on purpose.


script = sys.argv[1]
folder = os.path.dirname(os.path.abspath(script))
sys.path[:0] = [folder, os.getcwd(), os.path.abspath("src")]
try:
    with open(script, "rb") as file:
        tree = ast.parse(file.read())
except (OSError, SyntaxError, ValueError):
    sys.exit(0)  # Python says it better when it runs.
missing = []
for name in imported(tree.body):
    root = name.partition(".")[0]
    try:
        found = importlib.util.find_spec(root)
    except (ImportError, ValueError):
        found = None
    if found is None and root not in missing:
        missing.append(root)
print(" ".join(missing))
