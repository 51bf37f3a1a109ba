"""A small Kubernetes API server: only what Lapwing and `kubectl` touch. There is no real one to be had for a test machine; the real
`kubectl` is the judge of this one.

    server.py FOLDER --runtime docker|process [--token TOKEN] [--tls CERT KEY CA]

It says `PORT` on its first line. On standard input it takes one word or more a line and answers `ok`: `down`, `up` (the server dies
and comes back; the pods go on), `cut` (every connection breaks), `fault NAME`, `mend NAME` (quota, unschedulable, v4, slow, no-python
…), `settle` (done when a `slow` server has nothing left to do), `install trainer` (Kubeflow Trainer's CRDs), `deny VERB RESOURCE`,
`allow`, `end POD REASON MESSAGE` (OOMKilled, Evicted …), `touch POD FILE`, `said POD WORDS` (done when it
has printed them). It ends with its standard input, and takes its pods along."""
import argparse
import http.server
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
import urllib.parse

import trainer
import websocket
from kubelet import Cluster
from store import Store, Taken, get, now

# plural: (API group and version, kind, namespaced, short names)
KINDS = {
    "namespaces": ("v1", "Namespace", False, ["ns"]),
    "pods": ("v1", "Pod", True, ["po"]),
    "events": ("v1", "Event", True, ["ev"]),
    "jobs": ("batch/v1", "Job", True, []),
}
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
PATH = re.compile(
    r"^/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?$"
)
HEARTBEAT = 0.5


class Refused(Exception):
    def __init__(self, code, reason, message):
        super().__init__(message)
        self.code, self.reason = code, reason

    def body(self):
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "code": self.code,
        }


def merge(into, patch):
    """JSON merge patch; lists are taken whole."""
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def resources(group):
    found = []
    for plural, (version, kind, namespaced, short) in KINDS.items():
        if version == group:
            one = {"name": plural, "singularName": kind.lower(), "namespaced": namespaced, "kind": kind, "verbs": VERBS}
            found.append(one | {"shortNames": short})
    if group == "v1":
        found.append({"name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": ["get"]})
        found.append(
            {"name": "pods/exec", "singularName": "", "namespaced": True, "kind": "PodExecOptions", "verbs": ["create", "get"]}
        )
    if group == "authorization.k8s.io/v1":
        kind = "SelfSubjectAccessReview"
        found.append({"name": "selfsubjectaccessreviews", "singularName": "", "namespaced": False, "kind": kind, "verbs": ["create"]})
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": found}


def groups():
    found = []
    installed = [trainer.VERSION] if trainer.KIND in KINDS else []
    for group in ["batch/v1", "authorization.k8s.io/v1", *installed]:
        version = {"groupVersion": group, "version": group.split("/")[1]}
        found.append({"name": group.split("/")[0], "versions": [version], "preferredVersion": version})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def discovery(path):
    if path == "/version":
        return {"major": "1", "minor": "32", "gitVersion": "v1.32.0-lapwing-test", "platform": "linux/amd64"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return groups()
    if path == "/api/v1":
        return resources("v1")
    if path.startswith("/apis/") and path.count("/") == 3:
        found = resources(path.removeprefix("/apis/"))
        return found if found["resources"] else None
    if path == "/openapi/v3":
        names = ["api/v1", *("apis/" + one["preferredVersion"]["groupVersion"] for one in groups()["groups"])]
        return {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}"} for name in names}}
    if path.startswith("/openapi/v3/"):
        return schema(path.removeprefix("/openapi/v3/"))
    return None


def schema(name):
    """Only that a patch takes `fieldValidation`: `kubectl` then leaves the check to the server."""
    version = name.removeprefix("apis/").removeprefix("api/")
    paths = {}
    for plural, (own, kind, _, _) in KINDS.items():
        group = {"group": own.split("/")[0] if "/" in own else "", "version": own.split("/")[-1], "kind": kind}
        if own == version:
            field = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
            patch = {"parameters": [field], "x-kubernetes-group-version-kind": group, "responses": {}}
            paths[f"/{name}/namespaces/{{namespace}}/{plural}/{{name}}"] = {"patch": patch}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.32.0"}, "paths": paths, "components": {"schemas": {}}}


def table(kind, items, version):
    """What `kubectl get` prints."""
    known = {"jobs": ["Name", "Status", "Completions"], "pods": ["Name", "Ready", "Status"], trainer.KIND: ["Name", "State"]}
    columns = known.get(kind, ["Name"])

    def cells(obj):
        name, status = obj["metadata"]["name"], obj.get("status", {})
        if kind == "jobs":
            last = [one["type"] for one in status.get("conditions", [])][-1:] or ["Running"]
            return [name, last[0], f"{status.get('succeeded', 0)}/1"]
        if kind == trainer.KIND:
            return [name, "".join([one["type"] for one in status.get("conditions", [])][-1:])]
        if kind == "pods":
            one = (status.get("containerStatuses") or [{}])[0]
            inner = next(iter(one.get("state", {}).values()), {})
            return [name, f"{int(one.get('ready', False))}/1", inner.get("reason") or status.get("phase", "")]
        return [name]

    def row(obj):
        partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
        return {"cells": cells(obj), "object": partial}

    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": str(version)},
        "columnDefinitions": [
            {"name": name, "type": "string", "format": "name" if name == "Name" else "", "description": "", "priority": 0}
            for name in columns
        ],
        "rows": [row(obj) for obj in items],
    }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer("get")

    def do_POST(self):
        self.answer("create")

    def do_PATCH(self):
        self.answer("patch")

    def do_PUT(self):
        self.answer("update")

    def do_DELETE(self):
        self.answer("delete")

    def answer(self, verb):
        self.url = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(self.url.query, keep_blank_values=True)
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        try:
            self.let_in()
            self.act(verb, json.loads(body) if body and b"{" in body else {})
        except Refused as refused:
            self.reply(refused.body(), refused.code)
        except Taken as taken:
            self.reply(Refused(409, "AlreadyExists", f'"{taken}" already exists').body(), 409)
        except (BrokenPipeError, ConnectionError, ssl.SSLError):
            self.close_connection = True

    def reply(self, body, code=200):
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def one(self, name):
        return self.query.get(name, [""])[0]

    def let_in(self):
        config = self.server.config
        known = isinstance(self.connection, ssl.SSLSocket) and self.connection.getpeercert()
        if config.token and not known and self.headers.get("Authorization") != f"Bearer {config.token}":
            raise Refused(401, "Unauthorized", "Unauthorized")

    def act(self, verb, body):
        found = discovery(self.url.path.rstrip("/"))
        if found is not None:
            return self.reply(found)
        if self.url.path.endswith("/selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            name = "/".join(filter(None, [asked.get("resource", ""), asked.get("subresource", "")]))
            denied = (asked.get("verb"), name) in self.server.denied
            return self.reply(body | {"status": {"allowed": not denied}}, 201)
        match = PATH.match(self.url.path)
        namespaced = re.match(r"^/api/v1/namespaces(?:/([^/]+))?$", self.url.path)
        if namespaced:
            kind, namespace, name, sub = "namespaces", "", namespaced[1], None
        elif match and match["plural"] in KINDS:
            kind, namespace, name, sub = match["plural"], match["namespace"] or "", match["name"], match["sub"]
        else:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        if namespace and not self.server.store.find("namespaces", "", namespace):
            raise Refused(404, "NotFound", f'namespaces "{namespace}" not found')
        watches = self.one("watch") in ("1", "true")
        asked = "create" if sub == "exec" else "watch" if watches else "list" if verb == "get" and not name else verb
        self.may(asked, f"{kind}/{sub}" if sub else kind, namespace)
        if sub == "exec":
            return self.exec(namespace, name)
        if sub == "log":
            return self.log(namespace, name)
        return getattr(self, verb)(kind, namespace, name, body)

    def may(self, verb, resource, namespace):
        if (verb, resource) in self.server.denied:
            raise Refused(
                403, "Forbidden", f'{resource} is forbidden: User "ada" cannot {verb} resource "{resource}" in the namespace "{namespace}"'
            )

    def known(self, kind, namespace, name):
        obj = self.server.store.find(kind, namespace, name)
        if obj is None:
            raise Refused(404, "NotFound", f'{kind} "{name}" not found')
        return obj

    def selectors(self, name):
        labels = []
        for part in filter(None, self.one("labelSelector").split(",")):
            key, _, value = part.partition("=")
            labels.append((key, value.lstrip("=")))
        fields = [("metadata.name", name, True)] if name else []
        for part in filter(None, self.one("fieldSelector").split(",")):
            key, _, value = part.partition("=")
            fields.append((key.rstrip("!"), value.lstrip("="), not key.endswith("!")))
        return labels, fields

    def get(self, kind, namespace, name, _):
        labels, fields = self.selectors(name)
        if self.one("watch") in ("1", "true"):
            return self.watch(kind, namespace, labels, fields)
        as_table = "as=Table" in self.headers.get("Accept", "")
        if name:
            obj = self.known(kind, namespace, name)
            return self.reply(table(kind, [obj], obj["metadata"]["resourceVersion"]) if as_table else obj)
        items, version = self.server.store.list(kind, namespace, labels, fields)
        if as_table:
            return self.reply(table(kind, items, version))
        api, its = KINDS[kind][:2]
        return self.reply({"kind": its + "List", "apiVersion": api, "metadata": {"resourceVersion": str(version)}, "items": items})

    def chunked(self, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def watch(self, kind, namespace, labels, fields):
        since = int(self.one("resourceVersion") or 0)
        until = time.time() + int(self.one("timeoutSeconds") or 300)
        self.chunked("application/json")
        as_table = "as=Table" in self.headers.get("Accept", "")
        while time.time() < until:
            for version, change, obj in self.server.store.watch(kind, namespace, labels, fields, since, HEARTBEAT):
                since = version
                shown = table(kind, [obj], version) if as_table else obj
                self.chunk(json.dumps({"type": change, "object": shown}).encode() + b"\n")
        self.wfile.write(b"0\r\n\r\n")

    def create(self, kind, namespace, name, body):
        api, its = KINDS[kind][:2]
        obj = {"apiVersion": api, "kind": its} | body
        if namespace:
            obj["metadata"]["namespace"] = namespace
        if kind == "jobs":
            self.check_job(obj)
        if kind == trainer.KIND and (wrong := trainer.wrong(self.server.store, obj)):
            raise Refused(*wrong)
        if "All" in self.query.get("dryRun", []):
            return self.reply(obj, 201)
        with self.server.cluster.on_its_way():
            made = self.server.store.create(kind, obj)
        self.reply(made, 201)

    def check_job(self, job):
        """What a real server would refuse, as far as a mistake of ours could make it."""
        template = job["spec"]["template"]["spec"]
        if template.get("restartPolicy") not in ("Never", "OnFailure"):
            raise Refused(422, "Invalid", 'Job.batch is invalid: spec.template.spec.restartPolicy: Unsupported value: "Always"')
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", job["metadata"]["name"]) or len(job["metadata"]["name"]) > 63:
            raise Refused(422, "Invalid", "Job.batch is invalid: metadata.name: a lowercase RFC 1123 name is wanted")
        for one in template["containers"]:
            if not one.get("image"):
                raise Refused(422, "Invalid", "Job.batch is invalid: spec.template.spec.containers[0].image: Required value")
        if job["spec"].get("manualSelector"):
            return
        label = job["metadata"]["name"]
        job["spec"].setdefault("selector", {"matchLabels": {"batch.kubernetes.io/job-name": label}})

    def patch(self, kind, namespace, name, body):
        self.known(kind, namespace, name)
        self.reply(self.server.store.update(kind, namespace, name, lambda obj: merge(obj, body)))

    def update(self, kind, namespace, name, body):
        self.patch(kind, namespace, name, body)

    def delete(self, kind, namespace, name, body):
        obj = self.known(kind, namespace, name)
        policy = body.get("propagationPolicy") or self.one("propagationPolicy") or "Background"
        if kind == "jobs":
            self.server.cluster.delete_job(obj, policy)
        elif kind == trainer.KIND:
            self.server.cluster.trainer.delete(obj)
        elif kind == "pods":
            self.server.cluster.delete_pod(obj)
        else:
            self.server.store.remove(kind, namespace, name)
        self.reply({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": {"uid": obj["metadata"]["uid"]}})

    def container(self, namespace, name):
        pod = self.known("pods", namespace, name)
        found = self.server.cluster.containers.get(pod["metadata"]["uid"])
        if found is None:
            one = pod["spec"]["containers"][0]["name"]
            raise Refused(400, "BadRequest", f'container "{one}" in pod "{name}" is waiting to start: ContainerCreating')
        return found

    def log(self, namespace, name):
        container = self.container(namespace, name)
        stamped, follow = self.one("timestamps") == "true", self.one("follow") == "true"
        since = self.one("sinceTime")
        if since:
            since = time.mktime(time.strptime(since[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
        self.chunked("text/plain")
        at = 0
        while True:
            with container.heard:
                lines, over = container.lines[at:], container.ended
                if not lines and follow and not over:
                    container.heard.wait(HEARTBEAT)
                    continue
            at += len(lines)
            text = b""
            for when, line in lines:
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when)) + f"{when % 1:.9f}"[1:] + "Z "
                if not since or when >= since:
                    text += stamp.encode() * stamped + line
            if text:
                self.chunk(text)
            if over or not follow:
                break
        self.wfile.write(b"0\r\n\r\n")

    def exec(self, namespace, name):
        container = self.container(namespace, name)
        if container.ended or get(self.known("pods", namespace, name), "status.phase") != "Running":
            raise Refused(500, "InternalError", "container not found")
        offered = [one.strip() for one in self.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        spoken = ["v4.channel.k8s.io"] if "v4" in self.server.cluster.faults else ["v5.channel.k8s.io", "v4.channel.k8s.io"]
        protocol = next((one for one in spoken if one in offered), None)
        if self.headers.get("Upgrade", "").lower() != "websocket" or protocol is None:
            raise Refused(400, "BadRequest", "an exec needs a WebSocket and v4.channel.k8s.io or v5.channel.k8s.io")
        try:
            process = container.exec(self.query["command"], self.one("stdin") in ("true", "1"))
        except FileNotFoundError as missing:
            process = None
            why = f'exec: "{missing.filename}": executable file not found in $PATH'
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", websocket.accept(self.headers["Sec-WebSocket-Key"]))
        self.send_header("Sec-WebSocket-Protocol", protocol)
        self.end_headers()
        self.close_connection = True
        channels = websocket.Socket(self.rfile, self.wfile)
        if process is None:
            return websocket.refuse(channels, why)
        websocket.serve(channels, process, lambda: self.server.break_one(self.connection))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address, config, store, cluster, denied):
        self.config, self.store, self.cluster, self.denied = config, store, cluster, denied
        self.open, self.lock, self.tls = set(), threading.Lock(), None
        if config.tls:
            self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.tls.load_cert_chain(config.tls[0], config.tls[1])
            self.tls.load_verify_locations(config.tls[2])
            self.tls.verify_mode = ssl.CERT_OPTIONAL
        super().__init__(address, Handler)

    def process_request_thread(self, request, address):
        try:
            if self.tls:
                request = self.tls.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            return request.close()
        with self.lock:
            self.open.add(request)
        try:
            super().process_request_thread(request, address)
        finally:
            with self.lock:
                self.open.discard(request)

    def handle_error(self, request, address):
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            super().handle_error(request, address)

    @staticmethod
    def break_one(connection):
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def cut(self):
        with self.lock:
            for connection in self.open:
                self.break_one(connection)


class Control:
    """What a test asks for, on standard input."""

    def __init__(self, config):
        self.config, self.store, self.denied = config, Store(), set()
        self.cluster = Cluster(self.store, os.path.join(config.folder, "pods"), config.runtime)
        self.cluster.start()
        self.port, self.server = 0, None
        self.up()

    def up(self):
        self.server = Server(("127.0.0.1", self.port), self.config, self.store, self.cluster, self.denied)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self):
        self.server.shutdown()
        self.server.server_close()
        self.server.cut()

    def cut(self):
        self.server.cut()

    def fault(self, name):
        self.cluster.faults.add(name)

    def mend(self, name):
        self.cluster.faults.discard(name)

    def settle(self):
        self.cluster.settle()

    def install(self, name):
        assert name == "trainer", name
        KINDS.update(trainer.KINDS)
        trainer.install(self.store)

    def deny(self, verb, resource):
        self.denied.add((verb, resource))

    def allow(self):
        self.denied.clear()

    def end(self, name, reason, *message):
        pod = self.store.find("pods", "default", name)
        self.cluster.end(pod, reason, " ".join(message))

    def touch(self, name, file):
        """Makes a file in the home of a pod's container."""
        pod = self.store.find("pods", "default", name)
        container = self.cluster.containers[pod["metadata"]["uid"]]
        open(os.path.join(container.mounts[0][0], file), "w").close()

    def said(self, name, *words):
        pod = self.store.find("pods", "default", name)
        container = self.cluster.containers[pod["metadata"]["uid"]]
        words = " ".join(words).encode()
        with container.heard:
            container.heard.wait_for(lambda: any(words in line for _, line in container.lines))

    def obey(self):
        print(self.port, flush=True)
        for line in sys.stdin:
            verb, *words = line.split()
            if verb == "leave":
                break
            getattr(self, verb)(*words)
            print("ok", now(), flush=True)
        self.cluster.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--runtime", choices=["docker", "process"], default="process")
    parser.add_argument("--token")
    parser.add_argument("--tls", nargs=3)
    Control(parser.parse_args()).obey()
