"""What a cluster does with objects: makes pods for jobs, gives them to its one node, and really runs their containers: in
Docker, or where there is none as processes in a folder."""
import contextlib
import os
import signal
import subprocess
import threading
import time

from store import get, now
from trainer import Trainer
from websocket import spawn

NODE = "node-1"
NODE_LABELS = {"kubernetes.io/hostname": NODE, "disk": "ssd"}
NODE_CPUS = 64
TICK = 0.02
GRACE = 3
SLOW = 2


def quantity(text):
    """`512Mi`, `2`, `1500m`."""
    text = str(text)
    for suffix, factor in (("Ki", 2**10), ("Mi", 2**20), ("Gi", 2**30), ("m", 0.001)):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * factor
    return float(text)


class Container:
    """One container with its log: lines with the time at which they came."""

    pythonless = False

    def __init__(self, pod, folder):
        self.pod, self.folder = pod, folder
        self.spec = pod["spec"]["containers"][0]
        self.lines, self.heard = [], threading.Condition()
        self.ended = False
        self.oom = False
        self.mounts = []
        for mount in self.spec.get("volumeMounts", []):
            place = os.path.join(folder, mount["name"])
            os.makedirs(place, exist_ok=True)
            os.chmod(place, 0o777)
            self.mounts.append((place, mount["mountPath"]))

    def argv(self):
        return self.spec.get("command", []) + self.spec.get("args", [])

    def env(self):
        return {one["name"]: one.get("value", "") for one in self.spec.get("env", [])}

    def follow(self, process):
        for line in process.stdout:
            with self.heard:
                self.lines.append((time.time(), line))
                self.heard.notify_all()

    def close(self):
        with self.heard:
            self.ended = True
            self.heard.notify_all()


class InDocker(Container):
    def name(self):
        return "lapwing-kubelet-" + self.pod["metadata"]["uid"]

    @staticmethod
    def has_image(image):
        return subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode == 0

    def start(self):
        limits = self.spec.get("resources", {}).get("limits", {})
        # No network at all: what a pod reaches, it reaches through the API server.
        argv = ["docker", "run", "--name", self.name(), "--network", "none", "--cap-drop", "ALL"]
        argv += ["--security-opt", "no-new-privileges"]
        security = self.pod["spec"].get("securityContext", {}) | self.spec.get("securityContext", {})
        if "runAsUser" in security:
            argv += ["--user", f"{security['runAsUser']}:{security.get('runAsGroup', security['runAsUser'])}"]
        if "memory" in limits:
            memory = str(int(quantity(limits["memory"])))
            argv += ["--memory", memory, "--memory-swap", memory]
        if "cpu" in limits:
            argv += ["--cpus", str(min(quantity(limits["cpu"]), os.cpu_count() or 1))]
        for place, inside in self.mounts:
            argv += ["-v", f"{place}:{inside}"]
        if "workingDir" in self.spec:
            argv += ["-w", self.spec["workingDir"]]
        for name, value in self.env().items():
            argv += ["-e", f"{name}={value}"]
        first, *rest = self.argv()
        self.process = subprocess.Popen(
            [*argv, "--entrypoint", first, self.spec["image"], *rest],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def up(self):
        asked = subprocess.run(
            ["docker", "inspect", "-f", "{{.State.Running}}", self.name()], capture_output=True, text=True
        )
        return asked.stdout.strip() == "true" or self.process.poll() is not None

    def wait(self):
        self.follow(self.process)
        self.process.wait()
        asked = subprocess.run(
            ["docker", "inspect", "-f", "{{.State.ExitCode}} {{.State.OOMKilled}}", self.name()], capture_output=True, text=True
        )
        code, oom = (asked.stdout.split() or ["137", "false"])[:2]
        self.oom = self.oom or oom == "true" and code == "137"
        self.close()
        return int(code)

    def exec(self, argv, stdin):
        return spawn(["docker", "exec", *(["-i"] if stdin else []), self.name(), *argv], stdin)

    def signal(self, name):
        subprocess.run(["docker", "kill", "-s", name, self.name()], capture_output=True)

    def discard(self):
        subprocess.run(["docker", "rm", "-f", self.name()], capture_output=True)


class AsProcess(Container):
    """Paths of volumes are those of the folder: nothing is mounted. What is temporary is the container's own, as it is in one."""

    def __init__(self, pod, folder):
        super().__init__(pod, folder)
        place = os.path.join(folder, "tmp")
        os.makedirs(place, exist_ok=True)
        self.mounts.append((place, "/tmp"))

    @staticmethod
    def has_image(image):
        return "missing" not in image

    def inside(self, text):
        for place, inside in self.mounts:
            if text == inside or text.startswith(inside + "/"):
                return place + text.removeprefix(inside)
        return text

    def how(self):
        path = self.without_python() if self.pythonless else os.environ["PATH"]
        env = {"PATH": path, "LAPWING_TEST_POD": self.pod["metadata"]["uid"]}
        env |= {name: self.inside(value) for name, value in self.env().items()}
        return {"env": env, "cwd": self.inside(self.spec.get("workingDir", "/")), "start_new_session": True}

    def without_python(self):
        """A folder with every program of this machine but that one."""
        place = os.path.join(self.folder, "bin")
        if not os.path.exists(place):
            os.makedirs(place)
            for folder in os.environ["PATH"].split(os.pathsep):
                for name in os.listdir(folder) if os.path.isdir(folder) else []:
                    if not name.startswith("python") and not os.path.lexists(os.path.join(place, name)):
                        os.symlink(os.path.join(folder, name), os.path.join(place, name))
        return place

    def start(self):
        self.process = subprocess.Popen(
            [self.inside(part) for part in self.argv()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **self.how(),
        )

    def up(self):
        return True

    def wait(self):
        self.follow(self.process)
        code = self.process.wait()
        self.signal("KILL")  # As when a container's first process ends.
        self.close()
        return code if code >= 0 else 128 - code

    def exec(self, argv, stdin):
        return spawn([self.inside(part) for part in argv], stdin, **self.how())

    def signal(self, name):
        mark = f"LAPWING_TEST_POD={self.pod['metadata']['uid']}".encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if mark in file.read().split(b"\0"):
                        os.kill(int(pid), getattr(signal, "SIG" + name))
            except OSError:
                pass

    def discard(self):
        self.signal("KILL")


class Cluster:
    """Its controllers, each pod in a thread of its own."""

    def __init__(self, store, folder, runtime):
        self.store, self.folder = store, folder
        self.runtime = InDocker if runtime == "docker" else AsProcess
        self.containers = {}
        self.trainer = Trainer(self)
        self.faults = set()
        self.slow = threading.Condition()
        self.travelling = 0
        self.gone = False

    def start(self):
        self.store.create(
            "namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}, "status": {"phase": "Active"}},
        )
        threading.Thread(target=self.control, daemon=True).start()

    def control(self):
        handled = set()
        while not self.gone:
            for job in self.store.list("jobs")[0]:
                self.see_job(job)
            self.trainer.look()
            for pod in self.store.list("pods")[0]:
                uid = pod["metadata"]["uid"]
                if uid not in handled:
                    handled.add(uid)
                    threading.Thread(target=self.run, args=(pod,), daemon=True).start()
            with self.store.changed:
                self.store.changed.wait(TICK * 10)

    @contextlib.contextmanager
    def on_its_way(self):
        """A request that a slow server has taken, whether its client still waits or not."""
        with self.slow:
            self.travelling += 1
        try:
            if "slow" in self.faults:
                time.sleep(SLOW)
            yield
        finally:
            with self.slow:
                self.travelling -= 1
                self.slow.notify_all()

    def settle(self):
        with self.slow:
            self.slow.wait_for(lambda: self.travelling == 0)

    # Jobs

    def see_job(self, job):
        meta, spec = job["metadata"], job["spec"]
        conditions = {one["type"] for one in job.get("status", {}).get("conditions", [])}
        if conditions & {"Complete", "Failed"}:
            return
        pods = self.store.list("pods", meta["namespace"], [("batch.kubernetes.io/job-name", meta["name"])])[0]
        if not pods and "SuccessCriteriaMet" not in conditions:
            self.make_pod(job)
        elif pods:
            self.judge(job, pods[0], spec)

    def make_pod(self, job):
        meta = job["metadata"]
        if "quota" in self.faults:
            if not self.store.list("events", meta["namespace"], fields=[("involvedObject.uid", meta["uid"], True)])[0]:
                why = 'pods "x" is forbidden: exceeded quota: team, requested: requests.cpu=1, used: requests.cpu=4'
                self.store.event("Job", job, "FailedCreate", "Error creating: " + why, "job-controller", "Warning")
            return
        template = job["spec"]["template"]
        labels = template.get("metadata", {}).get("labels", {}) | {
            "batch.kubernetes.io/job-name": meta["name"],
            "job-name": meta["name"],
            "batch.kubernetes.io/controller-uid": meta["uid"],
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "namespace": meta["namespace"],
                "generateName": meta["name"] + "-",
                "labels": labels,
                "ownerReferences": [
                    {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
                ],
            },
            "spec": template["spec"],
            "status": {"phase": "Pending"},
        }
        pod = self.store.create("pods", pod)
        self.store.event("Job", job, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}", "job-controller")

        def active(job):
            job["status"] = {"active": 1, "startTime": now()}

        self.store.update("jobs", meta["namespace"], meta["name"], active)

    def judge(self, job, pod, spec):
        meta, phase = job["metadata"], get(pod, "status.phase")
        if phase == "Succeeded":
            # The first condition comes before the second, as a watcher sees it.
            self.condition(job, "SuccessCriteriaMet", "CompletionsReached", "")
            self.condition(job, "Complete", "CompletionsReached", "", succeeded=1)
        elif phase == "Failed":
            self.condition(job, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit", failed=1)
        limit = spec.get("activeDeadlineSeconds")
        if limit and phase in ("Pending", "Running"):
            begun = time.mktime(time.strptime(meta["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
            if time.time() - begun > limit:
                self.condition(job, "Failed", "DeadlineExceeded", "Job was active longer than specified deadline", failed=1)
                self.delete_pod(pod)

    def condition(self, job, kind, reason, message, **counts):
        def add(job):
            status = job.setdefault("status", {})
            status.setdefault("conditions", []).append(
                {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now()}
            )
            if counts:
                status.pop("active", None)
                status.update(counts)

        self.store.update("jobs", job["metadata"]["namespace"], job["metadata"]["name"], add)

    def delete_job(self, job, policy):
        meta = job["metadata"]
        self.store.remove("jobs", meta["namespace"], meta["name"])
        if policy != "Orphan":
            for pod in self.store.list("pods", meta["namespace"], [("batch.kubernetes.io/job-name", meta["name"])])[0]:
                self.delete_pod(pod)

    # Pods

    def status(self, pod, **changes):
        def change(pod):
            pod["status"].update(changes)

        meta = pod["metadata"]
        return self.store.update("pods", meta["namespace"], meta["name"], change)

    def container_state(self, pod, state, phase, before=(), **more):
        """`before` are the ends of the same container before it was started again."""
        spec = pod["spec"]["containers"][0]
        one = {"name": spec["name"], "image": spec["image"], "imageID": "", "ready": "running" in state, "state": state}
        one |= {"restartCount": len(before)} | ({"lastState": before[-1]} if before else {})
        return self.status(pod, phase=phase, containerStatuses=[one], **more)

    def is_there(self, pod):
        meta = pod["metadata"]
        own = self.store.find("pods", meta["namespace"], meta["name"])
        return own is not None and "deletionTimestamp" not in own["metadata"]

    def run(self, pod):
        if not self.schedule(pod) or not self.pull(pod):
            return
        ends = []
        while self.run_once(pod, ends) and self.is_there(pod):
            pass

    def run_once(self, pod, before):
        """True when the container has to be started again."""
        folder = os.path.join(self.folder, pod["metadata"]["uid"] + "-again" * len(before))
        container = self.runtime(pod, folder)
        self.containers[pod["metadata"]["uid"]] = container
        container.pythonless = "no-python" in self.faults
        container.start()
        while not container.up():
            time.sleep(TICK)
        begun = now()
        self.container_state(
            pod, {"running": {"startedAt": begun}}, "Running", before, startTime=begun, conditions=[{"type": "Ready", "status": "True"}]
        )
        self.store.event("Pod", pod, "Started", "Started container", "kubelet")
        limit = pod["spec"].get("activeDeadlineSeconds")
        clock = threading.Timer(limit, self.end, (pod, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"))
        if limit:
            clock.daemon = True
            clock.start()
        code = container.wait()
        clock.cancel()
        reason = "OOMKilled" if container.oom else "Completed" if code == 0 else "Error"
        ended = {"exitCode": code, "reason": reason, "startedAt": begun, "finishedAt": now()}
        evicted = get(self.store.find("pods", pod["metadata"]["namespace"], pod["metadata"]["name"]) or {}, "status.reason")
        if code and not evicted and pod["spec"].get("restartPolicy") == "OnFailure" and self.is_there(pod):
            container.discard()
            before.append({"terminated": ended})
            return True
        self.container_state(pod, {"terminated": ended}, "Succeeded" if code == 0 else "Failed", before)
        return False

    def schedule(self, pod):
        """True when the node takes it; else says why not until it is gone."""
        said = False
        while self.is_there(pod):
            why = self.unfit(pod)
            if not why:
                self.status(pod, conditions=[{"type": "PodScheduled", "status": "True"}])
                self.store.event("Pod", pod, "Scheduled", f"Successfully assigned to {NODE}", "default-scheduler")
                return True
            if not said:
                said = True
                self.status(
                    pod, conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}]
                )
                self.store.event("Pod", pod, "FailedScheduling", why, "default-scheduler", "Warning")
            time.sleep(TICK)
        return False

    def unfit(self, pod):
        wanted = pod["spec"]["containers"][0].get("resources", {}).get("requests", {})
        missing = []
        if "unschedulable" in self.faults or quantity(wanted.get("cpu", 0)) > NODE_CPUS:
            missing.append("1 Insufficient cpu")
        missing += [f"1 Insufficient {name}" for name in wanted if "/" in name]
        if any(NODE_LABELS.get(key) != value for key, value in pod["spec"].get("nodeSelector", {}).items()):
            missing.append("1 node(s) didn't match Pod's node affinity/selector")
        return f"0/1 nodes are available: {', '.join(missing)}." if missing else ""

    def pull(self, pod):
        image, tries = pod["spec"]["containers"][0]["image"], 0
        while self.is_there(pod):
            if self.runtime.has_image(image):
                return True
            reason = "ErrImagePull" if tries == 0 else "ImagePullBackOff"
            message = f'Back-off pulling image "{image}"' if tries else f"failed to resolve reference {image}: not found"
            self.container_state(pod, {"waiting": {"reason": reason, "message": message}}, "Pending")
            if tries == 0:
                why = f'Failed to pull image "{image}": {message}'
                self.store.event("Pod", pod, "Failed", why, "kubelet", "Warning")
            if tries < 2:
                self.store.event("Pod", pod, "Failed", f"Error: {reason}", "kubelet", "Warning")
            tries += 1
            time.sleep(TICK * 5)
        return False

    def end(self, pod, reason, message):
        """Ends a running pod from outside, as an eviction does; of one that ran out of memory only the container ends."""
        if reason != "OOMKilled" or pod["spec"].get("restartPolicy") != "OnFailure":
            self.status(pod, reason=reason, message=message)
        container = self.containers.get(pod["metadata"]["uid"])
        if container:
            container.oom = reason == "OOMKilled"
            container.signal("KILL")

    def delete_pod(self, pod):
        meta = pod["metadata"]

        def mark(pod):
            pod["metadata"].setdefault("deletionTimestamp", now())

        if self.store.update("pods", meta["namespace"], meta["name"], mark):
            threading.Thread(target=self.finish, args=(pod,), daemon=True).start()

    def finish(self, pod):
        meta = pod["metadata"]
        container = self.containers.get(meta["uid"])
        if container and not container.ended:
            container.signal("TERM")
            asked = time.time()
            while not container.ended and time.time() - asked < GRACE:
                time.sleep(TICK)
        if container:
            container.discard()
        self.store.remove("pods", meta["namespace"], meta["name"])

    def stop(self):
        self.gone = True
        for container in list(self.containers.values()):
            container.discard()
