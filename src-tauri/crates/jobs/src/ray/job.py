"""Runs one command in a copy of this package, and leaves what it made where the cluster's dashboard serves it."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse

HERE = os.getcwd()
SCRIPT = ".lapwing-job.py"
TREE = "/lapwing-tree"
STORE = """artifact_location: {uri}/0
creation_time: 0
experiment_id: '0'
last_update_time: 0
lifecycle_stage: active
name: Default
"""
RUN = """artifact_uri: {uri}/0/{run}/artifacts
end_time: null
entry_point_name: ''
experiment_id: '0'
lifecycle_stage: active
run_id: {run}
run_name: {run}
run_uuid: {run}
source_name: ''
source_type: 4
source_version: ''
start_time: 0
status: 1
tags: []
user_id: ''
"""


def store(folder, run):
    """MLflow's files, with the run that is going on here."""
    uri = "file://" + urllib.parse.quote(folder)
    place = os.path.join(folder, "0", run)
    for part in ("metrics", "params", "tags", "artifacts"):
        os.makedirs(os.path.join(place, part))
    for path, text in ((os.path.join(folder, "0"), STORE), (place, RUN)):
        with open(os.path.join(path, "meta.yaml"), "w") as file:
            file.write(text.format(uri=uri, run=run))
    return uri


def environment(spec, tree, base):
    env = {}
    for name, value in os.environ.items():
        if value == TREE or value.startswith(TREE + "/"):
            value = tree + value[len(TREE) :]
        env[name] = value
    if spec["run"]:
        env["MLFLOW_TRACKING_URI"] = store(os.path.join(base, "mlruns"), spec["run"])
        # MLflow asks that this is said since its files get no new features.
        env["MLFLOW_ALLOW_FILE_STORE"] = "true"
    return env


def run(spec, tree, env, stopped):
    """The exit code: of a signal, as a shell has it. `stopped` gets the signals that came."""
    child = subprocess.Popen(spec["argv"], cwd=os.path.join(tree, spec["cwd"]), env=env)

    def stop(number, _):
        stopped.append(number)
        child.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    code = child.wait()
    return 128 - code if code < 0 else code


def made(folder, wanted):
    """Names below `folder` of the files at or beneath the wanted paths."""
    for path in wanted:
        place = os.path.join(folder, path)
        if os.path.isfile(place):
            yield path
        for above, folders, names in os.walk(place):
            folders.sort()
            for name in sorted(names):
                if os.path.isfile(os.path.join(above, name)):
                    yield os.path.relpath(os.path.join(above, name), folder)


class Hashed:
    """A file to read from or write to, with the digest of what went through."""

    def __init__(self, file):
        self.file, self.hash, self.size = file, hashlib.sha256(), 0

    def read(self, count=-1):
        return self._through(self.file.read(count))

    def write(self, data):
        self._through(data)
        return self.file.write(data)

    def _through(self, data):
        self.hash.update(data)
        self.size += len(data)
        return data


def leave(spec, tree, base, code, logs):
    """An archive of what was made, and then the word that it is whole."""
    place = os.path.join(logs, spec["id"])
    files = []
    with open(place + ".part", "wb") as raw:
        whole = Hashed(raw)
        with tarfile.open(fileobj=whole, mode="w|", dereference=True) as archive:
            for folder, wanted, prefix in ((tree, spec["outputs"], "outputs"), (base, ["mlruns"], "")):
                for path in made(folder, wanted):
                    info = archive.gettarinfo(os.path.join(folder, path), os.path.join(prefix, path))
                    with open(os.path.join(folder, path), "rb") as file:
                        part = Hashed(file)
                        archive.addfile(info, part)
                    files.append({"path": info.name, "sha256": part.hash.hexdigest()})
    result = {"exit": code, "logs": logs, "sha256": whole.hash.hexdigest(), "bytes": whole.size, "files": files}
    os.replace(place + ".part", place + ".tar")
    with open(place + ".part", "w") as file:
        json.dump(result, file)
    os.replace(place + ".part", place + ".json")


def main():
    spec = json.loads(os.environ.pop("LAPWING_JOB"))
    session, known, _ = HERE.partition("/runtime_resources/")
    if not known:
        session = "/tmp/ray/session_latest"
    # Other jobs with the same files share this folder, so that nothing may be changed in it.
    beside = os.path.join(session, "runtime_resources")
    base = tempfile.mkdtemp(prefix="lapwing-", dir=beside if os.access(beside, os.W_OK) else None)
    try:
        tree = os.path.join(base, "tree")
        shutil.copytree(HERE, tree, symlinks=True, ignore=lambda _, names: [SCRIPT] if SCRIPT in names else [])
        for folder in spec["folders"]:
            os.makedirs(os.path.join(tree, folder), exist_ok=True)
        logs, stopped = os.path.join(session, "logs"), []
        code = run(spec, tree, environment(spec, tree, base), stopped)
        if not stopped:
            leave(spec, tree, base, code, logs)
        if stopped:
            # Nobody fetches what a cancelled command made.
            for end in (".part", ".tar", ".json"):
                if os.path.exists(os.path.join(logs, spec["id"] + end)):
                    os.remove(os.path.join(logs, spec["id"] + end))
    finally:
        shutil.rmtree(base, ignore_errors=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
