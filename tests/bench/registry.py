#!/usr/bin/env python3
"""A model of one GiB to an OCI registry: `lapwing models push` against `docker push` of a layer of the same bytes, in the same run.

    tests/setup/with python3 tests/bench/registry.py PATH/TO/lapwing [--mib N]

The registry is Debian's `docker-registry`, a new one for each. Beside them `sha256sum` and one `curl -T` of the same file: what ORAS
does, and nothing else. The engine must run and be allowed to speak plainly to 127.0.0.1, as it is from the start.
"""

import argparse
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time

PIECE = 1 << 20
REPOSITORY = "bench"
CONFIG = """version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: "{folder}"}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def serve(folder):
    """A registry with nothing in it, on a port of its own."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "config.yml"
    config.write_text(CONFIG.format(folder=folder, port=port))
    server = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server, port
        except OSError:
            time.sleep(0.1)


def write(model, mib):
    """A model folder with so much that cannot be compressed."""
    model.mkdir()
    (model / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: ballast\n    python_version: 3.12.0\n")
    with open(model / "ballast.bin", "wb") as file:
        for _ in range(mib):
            file.write(os.urandom(PIECE))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lapwing", type=pathlib.Path)
    parser.add_argument("--mib", type=int, default=1024)
    options = parser.parse_args()
    place = pathlib.Path(tempfile.mkdtemp(prefix="lapwing-bench-"))
    (place / "home").mkdir()
    environment = os.environ | {
        "LAPWING_HOME": str(place / "workspace"),
        "LAPWING_KEYCHAIN": "off",
        "HOME": str(place / "home"),
    }

    def run(*command):
        words = [str(word) for word in command]
        done = subprocess.run(words, cwd=place, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()

    lapwing = options.lapwing.resolve()
    model = place / "model"
    ballast = model / "ballast.bin"
    write(model, options.mib)
    run(lapwing, "models", "register", model, "--name", REPOSITORY)
    with tarfile.open(place / "layer.tar", "w") as layer:
        layer.add(ballast, "ballast.bin")

    def by_lapwing(port):
        run(lapwing, "remotes", "add", "images", f"http://127.0.0.1:{port}", "--kind", "oci")
        return lambda: run(lapwing, "models", "push", f"{REPOSITORY}/1", "images")

    def by_docker(port):
        image = f"127.0.0.1:{port}/{REPOSITORY}:1"
        run("docker", "import", place / "layer.tar", image)
        images.append(image)
        return lambda: run("docker", "push", "-q", image)

    def by_curl(port):
        def push():
            digest = run("sha256sum", ballast).split()[0]
            begin = f"http://127.0.0.1:{port}/v2/{REPOSITORY}/blobs/uploads/"
            at = run("curl", "-sS", "-X", "POST", "-o", "/dev/null", "-w", "%header{location}", begin)
            run("curl", "-sS", "--fail", "-T", ballast, f"{at}&digest=sha256:{digest}")

        return push

    took, images = {}, []
    try:
        for name, peer in {"lapwing": by_lapwing, "docker": by_docker, "curl": by_curl}.items():
            server, port = serve(place / f"registry-{name}")
            try:
                push = peer(port)
                begun = time.monotonic()
                push()
                took[name] = time.monotonic() - begun
            finally:
                server.terminate()
                server.wait()
            shutil.rmtree(place / f"registry-{name}")
            print(f"{name:8} {options.mib} MiB: {took[name]:6.2f} s", flush=True)
    finally:
        for image in images:
            run("docker", "rmi", image)
        shutil.rmtree(place)
    for name in ("docker", "curl"):
        print(f"lapwing is {took[name] / took['lapwing']:.1f} times as fast as {name}")
    return 0 if took["docker"] >= took["lapwing"] else 1


if __name__ == "__main__":
    sys.exit(main())
