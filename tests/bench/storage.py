#!/usr/bin/env python3
"""Ten thousand small files to S3 and back: `lapwing data` against the real `dvc`, in the same run, with the same kind of server.

    tests/setup/with python3 tests/bench/storage.py PATH/TO/lapwing [--files N] [--server PROGRAM]

--server names s3s-fs (`cargo install s3s-fs --features binary`), which is fast enough to leave the difference to the programs, but
answers what `dvc pull` asks first with an error. Without it the server is moto, whose Python is most of what is measured then.
"""

import argparse
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

VENV = pathlib.Path(os.environ["LAPWING_TEST_STORAGE"]) / "bin"
KEY, SECRET = "AKIALAPWINGBENCH", "lapwing-bench-secret"


def serve(folder, program):
    """A server with the bucket `birds`, on a port of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if program:
        (folder / "birds").mkdir(parents=True)
        command = [program, "--host", "127.0.0.1", "--port", port, "--access-key", KEY, "--secret-key", SECRET, folder]
    else:
        command = [VENV / "moto_server", "-H", "127.0.0.1", "-p", port]
    server = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    while True:
        try:
            urllib.request.urlopen(url)
            break
        except urllib.error.HTTPError:
            break
        except OSError:
            time.sleep(0.1)
    if not program:
        urllib.request.urlopen(urllib.request.Request(url + "/birds", method="PUT"))
    return server, url


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lapwing", type=pathlib.Path)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--server")
    options = parser.parse_args()
    place = pathlib.Path(tempfile.mkdtemp(prefix="lapwing-bench-"))
    environment = os.environ | {
        "LAPWING_HOME": str(place / "workspace"),
        "LAPWING_KEYCHAIN": "off",
        "HOME": str(place / "home"),
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(place / "site"),
    }

    def run(*command, **how):
        begun = time.monotonic()
        words = [str(word) for word in command]
        how = {"check": True, "stderr": None} | how
        done = subprocess.run(words, cwd=place / "project", env=environment, stdout=subprocess.DEVNULL, **how)
        return time.monotonic() - begun if done.returncode == 0 else float("nan")

    (place / "project" / "data").mkdir(parents=True)
    (place / "home").mkdir()
    for number in range(options.files):
        (place / "project" / "data" / f"{number}.txt").write_text(f"bird {number}\n" * 20)
    lapwing = options.lapwing.resolve()
    run(lapwing, "init")
    run(lapwing, "data", "add", "data")
    took = {}
    for name, verb in {"lapwing": (lapwing, "data"), "dvc": (VENV / "dvc",)}.items():
        server, url = serve(place / f"server-{name}", options.server)
        try:
            run(lapwing, "remotes", "add", "store", "s3://birds/data", "--default", "-o", f"endpointurl={url}")
            took[name] = run(*verb, "push")
            again = run(*verb, "push")
            for gone in (".dvc/cache", "data"):
                shutil.rmtree(place / "project" / gone)
            pull = run(*verb, "pull", check=False, stderr=subprocess.DEVNULL)
            # What it could not bring back is there for the next one.
            run(lapwing, "data", "pull")
        finally:
            server.terminate()
            server.wait()
        print(f"{name:8} {options.files} files: push {took[name]:6.2f} s, again {again:5.2f} s, pull {pull:6.2f} s", flush=True)
    shutil.rmtree(place)
    ratio = took["dvc"] / took["lapwing"]
    print(f"lapwing pushes {ratio:.1f} times as fast as dvc")
    return 0 if ratio >= 3 else 1


if __name__ == "__main__":
    sys.exit(main())
