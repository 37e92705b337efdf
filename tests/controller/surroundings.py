"""The other controllers and pods on a real API server that has none: each step is one of theirs."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from scoremill.kubernetes.api import KINDS, Kube
from scoremill.kubernetes.objects import names
from scoremill.spec.resources.status import format_time

Object = dict[str, Any]
_CHILDREN = ("DaskCluster", "DaskWorkerGroup", "DaskAutoscaler", "Job", "Pod", "ScoringJob")
_BLOCK = {"blockOwnerDeletion": True, "controller": True}


def stamp() -> str:
    """The time as Kubernetes writes it."""
    return format_time(dt.datetime.now(dt.UTC))


class Surroundings:
    """The Job controller, the kubelet, the driver, dask-kubernetes and the garbage collector of one namespace."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube

    def all_work(self) -> None:
        for step in (self.make_driver_pods, self.make_dask_pods, self.run_pods, self.report_plans, self.collect):
            step()

    def make_driver_pods(self) -> None:
        """The Job controller: one pod for each Job."""
        for job in self.kube.select("Job"):
            template = job["spec"]["template"]
            if not self.kube.select("Pod", f"{names.JOB_OF_POD}={job['metadata']['name']}"):
                labels = {**template["metadata"]["labels"], names.JOB_OF_POD: job["metadata"]["name"]}
                self._pod("Job", job, "-x", template["spec"], labels)

    def make_dask_pods(self) -> None:
        """dask-kubernetes: a group and a pod of each kind for each cluster."""
        for cluster in self.kube.select("DaskCluster"):
            name, spec = cluster["metadata"]["name"], cluster["spec"]
            group = {"cluster": name, "worker": spec["worker"]}
            metadata = {"name": names.group_name(name), "ownerReferences": [_reference("DaskCluster", cluster)]}
            if not self.kube.create(
                {"apiVersion": _api("DaskWorkerGroup"), "kind": "DaskWorkerGroup", "metadata": metadata, "spec": group}
            ):
                continue
            for part in ("scheduler", "worker"):
                labels = {**cluster["metadata"]["labels"], names.DASK_CLUSTER: name, names.DASK_COMPONENT: part}
                self._pod("DaskCluster", cluster, f"-{part}", spec[part]["spec"], labels)

    def run_pods(self) -> None:
        """The kubelet: whatever waits runs."""
        for pod in self.kube.select("Pod", fields="status.phase=Pending"):
            states = [
                {"name": each["name"], "ready": True, "image": "any", "imageID": "any", "restartCount": 0}
                | {"state": {"running": {"startedAt": stamp()}}}
                for each in pod["spec"]["containers"]
            ]
            ready = [{"type": "Ready", "status": "True"}]
            self._tell("Pod", pod, {"phase": "Running", "conditions": ready, "containerStatuses": states})

    def report_plans(self) -> None:
        """Every driver asks for its cluster."""
        for pod in self.drivers():
            job = self.kube.get("ScoringJob", pod["metadata"]["annotations"][names.JOB_NAME])
            if job and not job.get("status", {}).get("progress"):
                attempt = int(pod["metadata"]["labels"][names.JOB_OF_POD].rsplit("-", 1)[1])
                progress = {
                    "attempt": attempt,
                    "stage": "WaitingForCluster",
                    "updateTime": stamp(),
                    "progressTime": stamp(),
                }
                uid = job["metadata"]["uid"]
                name = job["metadata"]["name"]
                self.kube.apply_status("ScoringJob", name, {"progress": progress}, manager="scoremill-driver", uid=uid)

    def end_drivers(self, code: int) -> None:
        """The kubelet and the Job controller: every driver ends with `code`."""
        for pod in self.drivers():
            terminated = {"exitCode": code, "message": json.dumps({"exitCode": code}), "finishedAt": stamp()}
            state = {"name": "driver", "ready": False, "image": "any", "imageID": "any", "restartCount": 0}
            phase = "Failed" if code else "Succeeded"
            self._tell(
                "Pod", pod, {"phase": phase, "containerStatuses": [{**state, "state": {"terminated": terminated}}]}
            )
            (job,) = self.kube.select("Job", fields=f"metadata.name={pod['metadata']['labels'][names.JOB_OF_POD]}")
            types = ("FailureTarget", "Failed") if code else ("SuccessCriteriaMet", "Complete")
            ended: Object = {"startTime": stamp(), "conditions": [{"type": each, "status": "True"} for each in types]}
            self._tell("Job", job, ended if code else {**ended, "completionTime": stamp()})

    def collect(self) -> None:
        """The garbage collector: what is to go goes, and then what it owned."""
        for kind in _CHILDREN:
            for each in self.kube.select(kind):
                metadata = each["metadata"]
                if metadata.get("deletionTimestamp"):
                    self.kube.patch(kind, metadata["name"], {"metadata": {"finalizers": None}})
                elif any(not self._is_there(owner) for owner in metadata.get("ownerReferences", ())):
                    self.kube.delete(kind, metadata["name"])

    def drivers(self) -> list[Object]:
        """The pods of drivers that run."""
        labels = f"app.kubernetes.io/component={names.DRIVER}"
        return self.kube.select("Pod", labels, fields="status.phase=Running")

    def _is_there(self, owner: Object) -> bool:
        return self.kube.get(owner["kind"], owner["name"]) is not None

    def _pod(self, kind: str, owner: Object, suffix: str, spec: Object, labels: Object) -> None:
        metadata = {
            "name": owner["metadata"]["name"] + suffix,
            "labels": labels,
            "annotations": owner["metadata"]["annotations"],
            "ownerReferences": [_reference(kind, owner)],
        }
        self.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def _tell(self, kind: str, of: Object, status: Object) -> None:
        self.kube.call("PATCH", f"{self.kube.path(kind, of['metadata']['name'])}/status", {}, {"status": status})


def _reference(kind: str, owner: Object) -> Object:
    """As controllers have it. Objects of a list do not say what they are."""
    metadata = owner["metadata"]
    return {"apiVersion": _api(kind), "kind": kind, "name": metadata["name"], "uid": metadata["uid"], **_BLOCK}


def _api(kind: str) -> str:
    return KINDS[kind][0].removeprefix("/apis/").removeprefix("/api/")
