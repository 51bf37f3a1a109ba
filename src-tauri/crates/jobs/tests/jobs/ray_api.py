"""Ray's Jobs API as Ray 2.60 was seen to answer, on loopback: ray_api.py SESSION PORT LIMIT. It runs what is submitted, on this machine.

What it is not: a scheduler, runtime environments, several nodes. All it knows lies in files, so that it can be killed and started
again as a cluster's head cannot. `SESSION/damage` makes it serve a wrong byte, `SESSION/slow` take its time with a submission,
`SESSION/dies` die before it answers that it has stopped a job, and `SESSION/goes` when it is asked for a job that it does not have.
`SESSION/token` has the token that it wants, as with `RAY_AUTH_MODE=token`.
"""

import http.server
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
import zipfile

SESSION, PORT, LIMIT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
SLOW = 2
NODE = "faef892edbd41ee5754b359ed6025b25384be99c773c3fa78937e410"
WAITS = (
    "Job has not started yet. It may be waiting for resources (CPUs, GPUs, memory, custom resources) to become available."
)
EXISTS = "Traceback (most recent call last):\n  File \"job_head.py\"\nValueError: Job with submission_id {} already exists.\n"
LOOKS_AFTER = 1  # Seconds: who takes a job off the list before Ray has looked gets it back.
GHOST = {"entrypoint": "Entrypoint not found."}
GOES_ON = "Traceback (most recent call last):\nRuntimeError: Attempted to delete job '{}', but it is in a non-terminal state.\n"
UNMADE = "runtime_env setup failed: Failed to set up runtime environment.\nERROR: No matching distribution found for {}\n"


def at(*parts):
    path = os.path.join(SESSION, *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return None


def submitted(name):
    return at("jobs", name + ".json")


def start(job):
    name = job["submission_id"]
    env = job.get("runtime_env", {})
    package = (env.get("working_dir") or "").rpartition("/")[2]
    folder = at("runtime_resources", "working_dir_files", package.removesuffix(".zip") or "none", "x")[:-2]
    if package and not os.listdir(folder):
        with zipfile.ZipFile(at("packages", package)) as archive:
            for info in archive.infolist():
                os.chmod(archive.extract(info, folder), info.external_attr >> 16)
    with open(at("logs", f"job-driver-{name}.log"), "w") as log:
        line = f"({job['entrypoint']}); code=$?; echo $code > '{at('exits', name)}.new'; mv '{at('exits', name)}.new' '{at('exits', name)}'"
        process = subprocess.Popen(
            ["sh", "-c", line],
            cwd=folder,
            env={**os.environ, **env.get("env_vars", {})},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    with open(at("pids", name), "w") as file:
        file.write(str(process.pid))


def seen(job):
    name = job["submission_id"]
    answer = {"type": "SUBMISSION", "submission_id": name, "driver_exit_code": None, "driver_node_id": None}
    if GHOST.items() <= job.items():
        return {**answer, "status": "FAILED", "message": "Job supervisor actor died: The actor died unexpectedly"}
    pip = job.get("runtime_env", {}).get("pip", [])
    code, pid = read(at("exits", name)), read(at("pids", name))
    if any("no-such" in line for line in pip):
        return {**answer, "status": "FAILED", "message": UNMADE.format(pip[0])}
    if read(at("stopped", name)) is not None and (code or not pid):
        return {**answer, "status": "STOPPED", "message": "Job was intentionally stopped."}
    if not pid:
        return {**answer, "status": "PENDING", "message": WAITS}
    answer["driver_node_id"] = NODE
    if not code:
        return {**answer, "status": "RUNNING", "message": "Job is currently running."}
    if int(code) == 0:
        return {**answer, "status": "SUCCEEDED", "message": "Job finished successfully.", "driver_exit_code": 0}
    return {**answer, "status": "FAILED", "message": "Job entrypoint command failed", "driver_exit_code": int(code)}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, content, status=200):
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        content = content if isinstance(content, bytes) else content.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def refused(self):
        """As Ray's own middleware says it."""
        token, given = read(at("token")), self.headers.get("Authorization")
        if token and not given:
            return self.answer("Unauthorized: Missing authentication token", 401) or True
        if token and given != f"Bearer {token}":
            return self.answer("Forbidden: Invalid authentication token", 403) or True
        return False

    def serve(self):
        body = self.body()
        if self.refused():
            return None
        path, _, query = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(query))
        parts = path.strip("/").split("/")
        if parts == ["api", "version"]:
            return self.answer({"version": "4", "ray_version": "2.60.0"})
        if parts[:3] == ["api", "packages", "gcs"]:
            return self.package(parts[3], body)
        if parts == ["api", "v0", "nodes"]:
            return self.answer({"data": {"result": {"result": [{"node_id": NODE, "node_ip": "127.0.0.1"}]}}})
        if parts == ["api", "v0", "logs"]:
            there = [query["glob"]] if os.path.exists(at("logs", query["glob"])) else []
            return self.answer({"result": True, "data": {"result": {"internal": there} if there else {}}})
        if parts == ["api", "v0", "logs", "file"]:
            with open(at("logs", query["filename"]), "rb") as file:
                content = file.read()
            if os.path.exists(at("damage")) and query["filename"].endswith(".tar"):
                content = content[:600] + bytes([content[600] ^ 1]) + content[601:]
            return self.answer(content)
        if parts == ["api", "jobs"]:
            return self.submit(json.loads(body))
        if parts[:2] == ["api", "jobs"]:
            return self.job(parts[2], parts[3:])
        self.answer("not found", 404)

    def package(self, name, body):
        if self.command == "PUT":
            if len(body) > LIMIT:
                return self.answer(f"Maximum request body size {LIMIT} exceeded.", 413)
            with open(at("sent"), "a") as file:
                file.write(name + "\n")
            with open(at("packages", name), "wb") as file:
                file.write(body)
            return self.answer("")
        there = os.path.exists(at("packages", name))
        self.answer("", 200) if there else self.answer(f"Package gcs://{name} does not exist", 404)

    def submit(self, job):
        name = job["submission_id"]
        if os.path.exists(submitted(name)):
            return self.answer(EXISTS.format(name), 500)
        if os.path.exists(at("slow")):
            time.sleep(SLOW)
        with open(submitted(name), "w") as file:
            json.dump(job, file)
        if job.get("entrypoint_num_cpus", 0) <= 4 and "no-such" not in str(job.get("runtime_env")):
            start(job)
        with open(at("taken"), "a") as file:
            file.write(name + "\n")
        self.answer({"job_id": name, "submission_id": name})

    def job(self, name, verb):
        job = json.loads(read(submitted(name)) or "null")
        if job is None:
            if os.path.exists(at("goes")):
                os._exit(1)
            return self.answer(f"Job {name} does not exist", 404)
        if verb == ["logs"]:
            return self.answer({"logs": read(at("logs", f"job-driver-{name}.log")) or ""})
        if verb == ["stop"]:
            with open(at("stopped", name), "w"):
                pass
            pid = read(at("pids", name))
            if pid and not read(at("exits", name)):
                os.killpg(int(pid), signal.SIGTERM)
                with open(at("exits", name), "w") as file:
                    file.write("143")
            if os.path.exists(at("dies")):
                os._exit(1)
            return self.answer({"stopped": True})
        if self.command == "DELETE":
            if seen(job)["status"] in ("PENDING", "RUNNING"):
                return self.answer(GOES_ON.format(name), 500)
            os.remove(submitted(name))
            if os.path.exists(at("exits", name)) and time.time() - os.path.getmtime(at("exits", name)) < LOOKS_AFTER:
                with open(submitted(name), "w") as file:
                    json.dump({**GHOST, "submission_id": name}, file)
            return self.answer({"deleted": True})
        self.answer(seen(job))

    do_GET = do_POST = do_PUT = do_DELETE = serve


signal.signal(signal.SIGCHLD, signal.SIG_IGN)
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
