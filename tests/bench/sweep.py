#!/usr/bin/env python3
"""Trials of a stage that takes no time: `lapwing sweep` against `dvc exp run --queue` and `--run-all`, in the same run, one trial
at a time and several at once. What is measured is what a trial costs beside its training.

    tests/setup/with python3 tests/bench/sweep.py PATH/TO/lapwing [--trials N] [--at-once N]
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

DVC = pathlib.Path(os.environ["LAPWING_TEST_PEERS"]) / "bin" / "dvc"
STAGE = """stages:
  train:
    cmd: cp params.yaml model && echo '{"score":' $(sed -n 's/rate. //p' params.yaml)'}' > metrics.json
    deps: [data.csv]
    params: [rate]
    outs: [model]
    metrics: [metrics.json: {cache: false}]
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lapwing", type=pathlib.Path)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=2)
    options = parser.parse_args()
    place = pathlib.Path(tempfile.mkdtemp(prefix="lapwing-bench-"))
    project = place / "project"
    project.mkdir()
    (place / "home").mkdir()
    environment = os.environ | {
        "LAPWING_HOME": str(place / "workspace"),
        "LAPWING_KEYCHAIN": "off",
        "HOME": str(place / "home"),
        # Its workers call it by its name.
        "PATH": f"{DVC.parent}:{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(place / "site"),
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }
    lapwing = options.lapwing.resolve()

    def run(*command):
        begun = time.monotonic()
        words = [str(word) for word in command]
        done = subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
        return time.monotonic() - begun

    (project / "data.csv").write_text("a\n" * 1000)
    (project / "params.yaml").write_text("rate: 0\n")
    (project / "dvc.yaml").write_text(STAGE)
    run(lapwing, "init")
    run(lapwing, "data", "add", "data.csv", "-m", "Data")
    run("git", "add", "-A")
    run("git", "-c", "commit.gpgsign=false", "commit", "-qm", "Stage")

    first = 1
    for at_once in (1, options.at_once):
        values = ",".join(str(number) for number in range(first, first + options.trials))
        ours = run(lapwing, "sweep", "-S", f"rate={values}", "--max", "score", "--at-once", at_once)
        # Other values than ours: what we made is in the cache that both use.
        first += options.trials
        values = ",".join(str(number) for number in range(first, first + options.trials))
        first += options.trials
        theirs = run(DVC, "exp", "run", "--queue", "-S", f"rate={values}")
        theirs += run(DVC, "exp", "run", "--run-all", "-j", at_once)
        shown = [DVC, "exp", "show", "--json", "--only-changed"]
        said = subprocess.run(shown, cwd=project, env=environment, capture_output=True, text=True).stdout
        if said.count(f'"rate": {first - 1}') == 0:
            raise SystemExit(f"dvc did not finish them all:\n{said}")
        print(
            f"{options.trials} trials, {at_once} at once: lapwing {ours:.1f} s, dvc {theirs:.1f} s, ratio {theirs / ours:.1f}",
            flush=True,
        )
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
