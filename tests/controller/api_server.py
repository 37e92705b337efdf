"""An API server in memory, with what stands around it: garbage collector, Job controller, kubelet, dask-kubernetes.

Nothing happens by itself: the test decides when each of them does its next step, and which calls fail, and how.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
from collections import deque
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubernetes.client import Configuration
from urllib3.exceptions import ReadTimeoutError

from scoremill.kubernetes.api import KINDS, Kube
from scoremill.kubernetes.api.transport import Transport
from scoremill.kubernetes.objects import Resource, child_of, names
from scoremill.spec import merge
from scoremill.spec.resources.status import JobStatus

Object = dict[str, Any]
KIND_OF = {plural: kind for kind, (_, plural) in KINDS.items()}
NAMESPACE = "ml"
START = dt.datetime(2026, 11, 21, 3, tzinfo=dt.UTC)
_CONFIGURATION = Configuration(host="http://kubernetes")


class CrashError(BaseException):
    """The process that calls ends here."""


@dataclass(repr=False)
class Server:
    """Objects by kind and name, the time, and what is to befall the next calls."""

    now: dt.datetime = START
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    faults: deque[str] = field(default_factory=deque)
    calls: list[tuple[str, str]] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    """Exit codes of drivers, in their order."""
    deleted: list[tuple[str, str | None]] = field(default_factory=list)
    """Kinds of which the operator had one go, and the phase that was stored by then."""
    count: int = 0

    # --- calls

    def client(self) -> Kube:
        return Kube(Transport(_CONFIGURATION, self), NAMESPACE)

    def request(self, method: str, url: str, *, body: bytes | None = None, **_: Any) -> Any:
        """As urllib3's pools have it."""
        fault = self.faults.popleft() if self.faults else ""
        kind = KIND_OF[next(part for part in urlsplit(url).path.split("/") if part in KIND_OF)]
        if method == "GET" and fault in {"404", "409"}:
            fault = ""
        if fault.isdigit():
            return _answer(int(fault), {"message": "as the test wants it", "details": {}})
        if fault == "crash":
            raise CrashError
        if fault != "timeout":
            self.calls.append((method, kind))
            answer = _answer(*self.handle(method, url, json.loads(body or b"{}")))
        if fault == "crash after":
            raise CrashError
        if fault.startswith("timeout"):
            raise ReadTimeoutError(self, url, "timed out")  # type: ignore[arg-type]
        return answer

    def handle(self, method: str, url: str, body: Object) -> tuple[int, Object]:
        place, query = urlsplit(url), parse_qs(urlsplit(url).query)
        parts = place.path.split("/")
        at = next(number for number, part in enumerate(parts) if part in KIND_OF)
        kind, name = KIND_OF[parts[at]], parts[at + 1] if len(parts) > at + 1 else ""
        match method:
            case "GET" if not name:
                return 200, {"items": copy.deepcopy(self.find(kind, query.get("labelSelector", [""])[0]))}
            case "GET":
                found = self.objects.get((kind, name))
                return (200, copy.deepcopy(found)) if found else (404, {})
            case "POST":
                made = self.create(body)
                return (201, copy.deepcopy(made)) if made else (409, {"reason": "AlreadyExists"})
            case "PATCH" if not place.path.endswith("/status"):
                return self._merge(kind, name, body)
            case "PATCH":
                return self._apply_status(kind, name, body)
            case "DELETE":
                return self._delete(kind, name, body)
        raise AssertionError(method)

    def find(self, kind: str, selector: str = "") -> list[Object]:
        """Objects that a selector of keys, keys that must not be there, equalities and sets of values picks."""
        wanted = [part for part in re.split(r",(?![^(]*\))", selector) if part]
        return [
            each
            for (its_kind, _), each in self.objects.items()
            if its_kind == kind and all(_picks(part, each["metadata"].get("labels", {})) for part in wanted)
        ]

    def create(self, body: Object) -> Object | None:
        key = (body["kind"], body["metadata"]["name"])
        if key in self.objects:
            return None
        if body["kind"] == "DaskCluster":
            assert self._is_asked_for(body), "a cluster was created before a plan was made"
        return self.put(body)

    def put(self, body: Object) -> Object:
        """The object."""
        key = (body["kind"], body["metadata"]["name"])
        made = self.objects[key] = copy.deepcopy(body)
        self.count += 1
        made["metadata"] |= {
            "uid": f"uid-{self.count}",
            "creationTimestamp": self.stamp(),
            "generation": 1,
            "namespace": NAMESPACE,
        }
        self.touch(made)
        return made

    def _is_asked_for(self, cluster: Object) -> bool:
        jobs = (each for each in self.find("ScoringJob") if child_of(Resource.of(each)) == cluster["metadata"]["name"])
        return any(JobStatus.model_validate(job.get("status") or {}).needs_cluster for job in jobs)

    def clock(self) -> dt.datetime:
        """Return the server's time."""
        return self.now

    def touch(self, made: Object) -> None:
        self.count += 1
        made["metadata"]["resourceVersion"] = str(self.count)

    def stamp(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _apply_status(self, kind: str, name: str, body: Object) -> tuple[int, Object]:
        found = self.objects.get((kind, name))
        if found is None:
            return 404, {}
        asked, has = body["metadata"], found["metadata"]
        # The real one does not look at the uid of a status either.
        if asked["resourceVersion"] != has["resourceVersion"]:
            return 409, {"reason": "Conflict", "message": "the object has been modified"}
        old = found.get("status", {})
        if emptied := [key for key, value in body["status"].items() if value == {} and old.get(key)]:
            # A real one makes null of an object that loses all fields that were applied to it.
            return 422, {"reason": "Invalid", "message": f"status.{emptied[0]}: Invalid value: null"}
        # `progress` has another owner, and stays.
        new = copy.deepcopy(body["status"]) | {key: old[key] for key in ("progress",) if key in old}
        if new != old:
            found["status"] = new
            self.touch(found)
        return 200, copy.deepcopy(found)

    def _merge(self, kind: str, name: str, change: Object) -> tuple[int, Object]:
        found = self.objects.get((kind, name))
        if found is None:
            return 404, {}
        found["spec"] = merge(found["spec"], change["spec"])
        self.touch(found)
        return 200, copy.deepcopy(found)

    def _delete(self, kind: str, name: str, options: Object) -> tuple[int, Object]:
        found = self.objects.get((kind, name))
        if found is None:
            return 404, {}
        if options.get("preconditions", {}).get("uid", found["metadata"]["uid"]) != found["metadata"]["uid"]:
            return 409, {"reason": "Conflict"}
        job = next(iter(self.find("ScoringJob")), {})
        self.deleted.append((kind, job.get("status", {}).get("phase")))
        self.mark(found, foreground=options.get("propagationPolicy") == "Foreground")
        return 200, {}

    def mark(self, found: Object, *, foreground: bool = True) -> None:
        """Delete the object; in the foreground it exists until what blocks it is deleted."""
        if "deletionTimestamp" not in found["metadata"]:
            found["metadata"] |= {
                "deletionTimestamp": self.stamp(),
                "finalizers": ["foregroundDeletion"] if foreground else [],
            }
            self.touch(found)

    # --- its surroundings

    def collect(self) -> None:
        """The garbage collector: what has no owner goes, and what one that goes in the foreground owns.

        That one waits for those of its own that block it, and for no others. Pods wait for the kubelet.
        """
        there = {each["metadata"]["uid"]: each for each in self.objects.values()}
        for each in there.values():
            references = each["metadata"].get("ownerReferences", ())
            owners = [there[reference["uid"]] for reference in references if reference["uid"] in there]
            if references and not owners:
                self.mark(each, foreground=False)
            elif owners and all(owner["metadata"].get("finalizers") for owner in owners):
                self.mark(each)
        for key, each in [*self.objects.items()]:
            waits = each["metadata"].get("finalizers") and self._owned(each, only_blocking=True)
            if "deletionTimestamp" in each["metadata"] and key[0] != "Pod" and not waits:
                del self.objects[key]

    def kubelet(self) -> None:
        """Every pod does its next step except ending: started, ready; a pod that is being deleted is deleted."""
        for key, pod in [*self.objects.items()]:
            if key[0] != "Pod":
                continue
            if "deletionTimestamp" in pod["metadata"]:
                if is_driver(pod) and pod["status"]["phase"] == "Running":
                    self.end(pod, 130)
                del self.objects[key]
            elif pod["status"]["phase"] == "Pending":
                state = {"running": {"startedAt": self.stamp()}}
                pod["status"] = {
                    "phase": "Running",
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "containerStatuses": [
                        {"name": "driver" if is_driver(pod) else "any", "ready": True, "image": "any", "state": state}
                    ],
                }
                self.touch(pod)

    def jobs(self) -> None:
        """The Job controller: creates the pod, replaces it only after a disruption, and reports its end."""
        for job in self.find("Job"):
            if "deletionTimestamp" in job["metadata"] or job.get("status", {}).get("conditions"):
                continue
            pods = [pod for pod in self._owned(job) if pod["kind"] == "Pod"]
            if any(pod["status"]["phase"] not in {"Succeeded", "Failed"} for pod in pods):
                continue
            counted = [pod for pod in pods if not pod["status"].get("conditions")]
            if counted:
                kind = "Complete" if counted[0]["status"]["phase"] == "Succeeded" else "Failed"
                job["status"] = {"conditions": [{"type": kind, "status": "True", "reason": "BackoffLimitExceeded"}]}
                self.touch(job)
                continue
            template = job["spec"]["template"]
            labels = template["metadata"]["labels"] | {"batch.kubernetes.io/job-name": job["metadata"]["name"]}
            self.pod(job, f"{job['metadata']['name']}-{self.count}", labels)

    def plan(self) -> None:
        """Every driver that runs has made its plan and asks for its cluster."""
        for pod in self.live_drivers():
            job = self.objects.get(("ScoringJob", pod["metadata"]["annotations"][names.JOB_NAME]))
            attempt = int(pod["metadata"]["labels"][names.JOB_OF_POD].rsplit("-", 1)[1])
            if (
                job
                and pod["status"]["phase"] == "Running"
                and pod["metadata"]["labels"][names.JOB] == child_of(Resource.of(job))
            ):
                self.progress(job, attempt, "WaitingForCluster")

    def progress(self, job: Object, attempt: int, stage: str) -> None:
        """The driver of that attempt reports, as often as it likes, that it is at that stage."""
        before = job.get("status", {}).get("progress", {})
        if (before.get("attempt"), before.get("stage")) != (attempt, stage):
            progress = {"attempt": attempt, "stage": stage, "updateTime": self.stamp(), "progressTime": self.stamp()}
            job.setdefault("status", {})["progress"] = progress
            self.touch(job)

    def dask(self) -> None:
        """dask-kubernetes: makes the pods of each cluster."""
        for cluster in self.find("DaskCluster"):
            name = cluster["metadata"]["name"]
            if (
                "deletionTimestamp" in cluster["metadata"]
                or ("DaskWorkerGroup", names.group_name(name)) in self.objects
            ):
                continue
            replicas = cluster["spec"]["worker"]["replicas"]
            labels = cluster["metadata"]["labels"] | {names.DASK_CLUSTER: name}
            group = {
                "kind": "DaskWorkerGroup",
                "spec": {"worker": {"replicas": replicas}},
                "metadata": {"name": names.group_name(name), "ownerReferences": [_reference(cluster)]},
            }
            self.create(group)
            self.pod(cluster, f"{name}-scheduler-x", labels | {names.DASK_COMPONENT: "scheduler"})
            for number in range(replicas):
                self.pod(cluster, f"{name}-default-worker-{number}", labels | {names.DASK_COMPONENT: "worker"})

    def pod(self, owner: Object, name: str, labels: Object) -> None:
        annotations = owner["metadata"]["annotations"]
        metadata = {"name": name, "labels": labels, "annotations": annotations, "ownerReferences": [_reference(owner)]}
        self.create({"kind": "Pod", "metadata": metadata, "spec": {"containers": [{}]}, "status": {"phase": "Pending"}})
        jobs = [pod["metadata"]["labels"][names.JOB] for pod in self.live_drivers()]
        assert len(jobs) == len({*jobs}), "two drivers of one job live"

    def live_drivers(self) -> list[Object]:
        return [pod for pod in self.find("Pod") if is_driver(pod) and pod["status"]["phase"] in {"Pending", "Running"}]

    def end(self, pod: Object, code: int, **message_fields: Any) -> None:
        """The driver's container ends with `code`, having written its termination message."""
        message = json.dumps({"exitCode": code, **message_fields})
        ended = {"exitCode": code, "message": message, "finishedAt": self.stamp()}
        pod["status"] = {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [{"name": "driver", "state": {"terminated": ended}}],
        }
        self.ends.append(code)
        self.touch(pod)

    def disrupt(self, pod: Object) -> None:
        """A node is drained of the driver."""
        self.end(pod, 143)
        pod["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True"}]

    def _owned(self, owner: Object, *, only_blocking: bool = False) -> list[Object]:
        uid = owner["metadata"]["uid"]
        return [
            each
            for each in self.objects.values()
            if any(
                reference["uid"] == uid and (reference.get("blockOwnerDeletion") or not only_blocking)
                for reference in each["metadata"].get("ownerReferences", ())
            )
        ]


def _picks(part: str, labels: Object) -> bool:
    if part.startswith("!"):
        return part[1:] not in labels
    key, _, several = part.partition(" in ")
    if several:
        return labels.get(key) in several.strip("()").split(",")
    key, equals, value = part.partition("=")
    return key in labels and (not equals or labels[key] == value)


def is_driver(pod: Object) -> bool:
    return bool(pod["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "driver")


def _reference(owner: Object) -> Object:
    """As controllers have it, dask-kubernetes too."""
    metadata = owner["metadata"]
    return {"kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"], "blockOwnerDeletion": True}


def _answer(status: int, body: Object) -> Any:
    return SimpleNamespace(status=status, data=json.dumps(body).encode())
