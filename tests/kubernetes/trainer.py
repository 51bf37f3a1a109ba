"""Kubeflow Trainer as its releases 2.x were read to do it: TrainJobs, and the pods that a JobSet makes of one."""
import copy

from store import get, now

VERSION = "trainer.kubeflow.org/v1alpha1"
KIND = "trainjobs"
KINDS = {
    KIND: (VERSION, "TrainJob", True, []),
    "clustertrainingruntimes": (VERSION, "ClusterTrainingRuntime", False, []),
    "trainingruntimes": (VERSION, "TrainingRuntime", True, []),
}
SPEC = {"runtimeRef", "initializer", "trainer", "runtimePatches", "suspend", "activeDeadlineSeconds", "managedBy"}
TRAINER = {"image", "command", "args", "env", "numNodes", "resourcesPerNode", "numProcPerNode"}
PORT = 29500


def runtime(name, policy):
    container = {"name": "node", "image": "pytorch/pytorch", "command": ["sh", "-c", "echo default; exit 1"]}
    nodes = {
        "name": "node",
        "template": {
            "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
            "spec": {"template": {"spec": {"containers": [container]}}},
        },
    }
    return {
        "apiVersion": VERSION,
        "kind": "ClusterTrainingRuntime",
        "metadata": {"name": name},
        "spec": {"mlPolicy": {"numNodes": 1} | policy, "template": {"spec": {"replicatedJobs": [nodes]}}},
    }


def install(store):
    for name, policy in (("torch-distributed", {"torch": {"numProcPerNode": "auto"}}), ("deepspeed-distributed", {"mpi": {}})):
        store.create("clustertrainingruntimes", runtime(name, policy))


def wrong(store, job):
    """Code, reason and message of a refusal, by the schema or the webhook."""
    spec = job["spec"]
    strange = sorted(set(spec) - SPEC) + sorted(set(spec.get("trainer", {})) - TRAINER)
    if strange:
        return 400, "BadRequest", f'TrainJob in version "v1alpha1" cannot be handled: strict decoding error: unknown field "{strange[0]}"'
    if not store.find("clustertrainingruntimes", "", spec["runtimeRef"]["name"]):
        denied = 'admission webhook "validator.trainjob.trainer.kubeflow.org" denied the request: spec.runtimeRef: Invalid value'
        return 403, "Forbidden", f"{denied}: specified clusterTrainingRuntime must be created before the TrainJob is created"
    return None


class Trainer:
    """Its controller, in the loop of the others."""

    def __init__(self, cluster):
        self.cluster, self.store = cluster, cluster.store

    def look(self):
        for job in self.store.list(KIND)[0]:
            self.see(job)

    def pods(self, job):
        meta = job["metadata"]
        return self.store.list("pods", meta["namespace"], [("jobset.sigs.k8s.io/jobset-name", meta["name"])])[0]

    def see(self, job):
        conditions = {one["type"] for one in job.get("status", {}).get("conditions", []) if one["status"] == "True"}
        if conditions & {"Complete", "Failed"}:
            return
        if job["spec"].get("suspend"):
            if "Suspended" not in conditions:
                self.condition(job, "Suspended", "True", "Suspended", "TrainJob is suspended")
            return
        if "Suspended" in conditions:
            self.condition(job, "Suspended", "False", "Resumed", "TrainJob is resumed")
        pods = self.pods(job)
        if not pods:
            return self.make(job)
        phases = [get(pod, "status.phase") for pod in pods]
        if "Failed" in phases:
            self.condition(job, "Failed", "True", "FailedJobs", "jobset failed due to one or more job failures")
        elif phases.count("Succeeded") == len(phases):
            self.condition(job, "Complete", "True", "AllJobsCompleted", "jobset completed successfully")

    def condition(self, job, kind, status, reason, message):
        def change(job):
            held = job.setdefault("status", {}).setdefault("conditions", [])
            held[:] = [one for one in held if one["type"] != kind]
            held.append({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now()})

        meta = job["metadata"]
        self.store.update(KIND, meta["namespace"], meta["name"], change)

    def make(self, job):
        meta, wanted = job["metadata"], job["spec"].get("trainer", {})
        nodes = f"{meta['name']}-node-0"
        if "quota" in self.cluster.faults:
            child = {"apiVersion": "batch/v1", "metadata": {"name": nodes, "namespace": meta["namespace"], "uid": "of-" + meta["uid"]}}
            if not self.store.list("events", meta["namespace"], fields=[("involvedObject.name", nodes, True)])[0]:
                why = 'pods "x" is forbidden: exceeded quota: team, requested: pods=2, used: pods=1'
                self.store.event("Job", child, "FailedCreate", "Error creating: " + why, "job-controller", "Warning")
            return
        found = self.store.find("clustertrainingruntimes", "", job["spec"]["runtimeRef"]["name"])
        template = found["spec"]["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
        count = wanted.get("numNodes", found["spec"]["mlPolicy"]["numNodes"])
        for rank in range(count):
            spec = {"restartPolicy": "OnFailure"} | copy.deepcopy(template)
            container = spec["containers"][0]
            container |= {key: wanted[key] for key in ("image", "command", "args") if key in wanted}
            container |= {"resources": wanted["resourcesPerNode"]} if "resourcesPerNode" in wanted else {}
            torch = {
                "PET_NNODES": count,
                "PET_NPROC_PER_NODE": "auto",
                "PET_NODE_RANK": rank,
                "PET_MASTER_ADDR": f"{meta['name']}-node-0-0.{meta['name']}",
                "PET_MASTER_PORT": PORT,
                "JOB_COMPLETION_INDEX": rank,
            }
            container["env"] = wanted.get("env", []) + [{"name": name, "value": str(value)} for name, value in torch.items()]
            labels = {
                "jobset.sigs.k8s.io/jobset-name": meta["name"],
                "jobset.sigs.k8s.io/replicatedjob-name": "node",
                "batch.kubernetes.io/job-name": nodes,
                "batch.kubernetes.io/job-completion-index": str(rank),
            }
            self.store.create(
                "pods",
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {"namespace": meta["namespace"], "generateName": f"{nodes}-{rank}-", "labels": labels},
                    "spec": spec,
                    "status": {"phase": "Pending"},
                },
            )

    def delete(self, job):
        meta = job["metadata"]
        self.store.remove(KIND, meta["namespace"], meta["name"])
        for pod in self.pods(job):
            self.cluster.delete_pod(pod)
