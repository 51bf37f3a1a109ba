"""The objects of the cluster, their versions, and who watches them."""
import copy
import datetime
import threading
import uuid


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def get(obj, path):
    """`status.phase` of an object; an empty string when it is not there."""
    for part in path.split("."):
        obj = obj.get(part, {}) if isinstance(obj, dict) else {}
    return obj if not isinstance(obj, dict) else ""


def matches(obj, labels, fields):
    own = obj["metadata"].get("labels", {})
    return all(own.get(key) == value for key, value in labels) and all(
        (str(get(obj, key)) == value) == same for key, value, same in fields
    )


class Taken(Exception):
    pass


class Store:
    def __init__(self):
        self.changed = threading.Condition()
        self.objects = {}
        self.version = 1
        self.history = []  # (version, kind, type, object)

    def _put(self, kind, change, obj):
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.history.append((self.version, kind, change, copy.deepcopy(obj)))
        self.changed.notify_all()

    def create(self, kind, obj):
        with self.changed:
            meta = obj.setdefault("metadata", {})
            if not meta.get("name"):
                meta["name"] = meta.get("generateName", "") + uuid.uuid4().hex[:5]
            key = (kind, meta.get("namespace", ""), meta["name"])
            if key in self.objects:
                raise Taken(meta["name"])
            meta["uid"] = str(uuid.uuid4())
            meta["creationTimestamp"] = now()
            self.objects[key] = obj
            self._put(kind, "ADDED", obj)
            return copy.deepcopy(obj)

    def find(self, kind, namespace, name):
        with self.changed:
            return copy.deepcopy(self.objects.get((kind, namespace, name)))

    def update(self, kind, namespace, name, change):
        """Applies `change` to the object, if it is there."""
        with self.changed:
            obj = self.objects.get((kind, namespace, name))
            if obj is None:
                return None
            before = copy.deepcopy(obj)
            change(obj)
            if obj != before:
                self._put(kind, "MODIFIED", obj)
            return copy.deepcopy(obj)

    def remove(self, kind, namespace, name):
        with self.changed:
            obj = self.objects.pop((kind, namespace, name), None)
            if obj is not None:
                self._put(kind, "DELETED", obj)
            return obj

    def list(self, kind, namespace="", labels=(), fields=()):
        with self.changed:
            found = [
                copy.deepcopy(obj)
                for (its, space, _), obj in sorted(self.objects.items())
                if its == kind and namespace in ("", space) and matches(obj, labels, fields)
            ]
            return found, self.version

    def watch(self, kind, namespace, labels, fields, since, wait):
        """Changes after version `since`; an empty list when none came within `wait` seconds."""
        with self.changed:

            def news():
                return [
                    (version, change, obj)
                    for version, its, change, obj in self.history
                    if version > since
                    and its == kind
                    and namespace in ("", obj["metadata"].get("namespace", ""))
                    and matches(obj, labels, fields)
                ]

            found = news()
            if not found:
                self.changed.wait(wait)
                found = news()
            return found

    def event(self, kind, obj, reason, message, source, level="Normal"):
        """Says something about an object, as `kubectl describe` shows it."""
        meta = obj["metadata"]
        self.create(
            "events",
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"namespace": meta["namespace"], "generateName": meta["name"] + "."},
                "involvedObject": {
                    "apiVersion": obj["apiVersion"],
                    "kind": kind,
                    "name": meta["name"],
                    "namespace": meta["namespace"],
                    "uid": meta["uid"],
                },
                "reason": reason,
                "message": message,
                "type": level,
                "count": 1,
                "firstTimestamp": now(),
                "lastTimestamp": now(),
                "source": {"component": source},
                "reportingComponent": source,
                "reportingInstance": "",
                "eventTime": None,
            },
        )
