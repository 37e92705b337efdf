"""Kubernetes without machines: a real API server, controllers and scheduler, with pods that KWOK simulates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from scoremill.kubernetes.api import Kube, connect
from tests.cluster import parts
from tests.support.control_plane import ControlPlane, free_ports, wait_for

FAST = ("--kube-api-qps=500", "--kube-api-burst=1000")
NODE = "nowhere"
ENDS = {
    "exitCode": 0,
    "rows": {"total": 1000, "scored": 1000, "rejected": 0},
    "partitions": 1,
    "repeated": 0,
    "modelDigest": f"sha256:{'0' * 64}",
    "outputs": {"manifest": "s3://bucket/out/_scoremill/manifest.json"},
}
"""Termination message of every driver."""
_RUNS = """
{{ $now := Now }}
conditions:
{{ range $type := list "Initialized" "Ready" "ContainersReady" }}
- {type: {{ $type }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, ready: true, restartCount: 0, state: {running: {startedAt: {{ $now | Quote }}}}}
{{ end }}
phase: Running
startTime: {{ $now | Quote }}
"""
_HAS_ENDED = """
{{ $now := Now }}
conditions:
- {type: Ready, status: "False", reason: PodCompleted, lastTransitionTime: {{ $now | Quote }}}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: false
  restartCount: 0
  state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}, message: %s}}
{{ end }}
phase: Succeeded
"""


_IS_READY = """
conditions:
- {type: Ready, status: "True", reason: KubeletReady, lastHeartbeatTime: {{ Now | Quote }}, lastTransitionTime: {{ Now | Quote }}}
"""


def _stage(name: str, next_: dict[str, Any], seconds: float = 0, **values: str | None) -> dict[str, Any]:
    """Return a KWOK stage for pods whose fields have those values; None matches pods without the field."""
    keys = {
        "going": ".metadata.deletionTimestamp",
        "phase": ".status.phase",
        "component": '.metadata.labels["app.kubernetes.io/component"]',
        "node": ".spec.nodeName",
    }
    found = [
        {"key": keys[key], "operator": "DoesNotExist"}
        if value is None
        else {"key": keys[key], "operator": "Exists"}
        if value == "*"
        else {"key": keys[key], "operator": "In", "values": [value]}
        for key, value in values.items()
    ]
    delay = {"delay": {"durationMilliseconds": round(seconds * 1000)}} if seconds else {}
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {"matchExpressions": found},
            "next": next_,
            **delay,
        },
    }


def stages(driver_seconds: float) -> str:
    """Return the configuration of KWOK: pods run immediately, drivers end after `driver_seconds`, deleted pods go away."""
    ended = _HAS_ENDED % json.dumps(json.dumps(ENDS))
    ready = {
        "key": '.status.conditions.[] | select( .type == "Ready" ) | .status',
        "operator": "NotIn",
        "values": ["True"],
    }
    node = _stage("is-ready", {"statusTemplate": _IS_READY})
    node["spec"] |= {"resourceRef": {"apiGroup": "v1", "kind": "Node"}, "selector": {"matchExpressions": [ready]}}
    return yaml.safe_dump_all(
        [
            node,
            _stage("runs", {"statusTemplate": _RUNS}, going=None, phase="Pending", node="*"),
            _stage("ends", {"statusTemplate": ended}, driver_seconds, going=None, phase="Running", component="driver"),
            _stage("goes", {"delete": True}, going="*"),
        ]
    )


class Plane(ControlPlane):
    """A control plane with controllers, a scheduler and KWOK."""

    def __init__(self, folder: Path, driver_seconds: float) -> None:
        super().__init__(folder)
        self._driver_seconds = driver_seconds

    @property
    def kube(self) -> Kube:
        return connect(str(self.kubeconfig), namespace="default")

    def _start(self) -> None:
        super()._start()
        common = (f"--kubeconfig={self.kubeconfig}", "--secure-port=0", "--leader-elect=false", *FAST)
        accounts = (f"--service-account-private-key-file={self.key}", "--use-service-account-credentials=false")
        self.part("kube-controller-manager", *common, *accounts, "--concurrent-gc-syncs=40")
        self.part("kube-scheduler", *common)
        (self.folder / "stages.yaml").write_text(stages(self._driver_seconds))
        (port,) = free_ports(1)
        self.start(
            "kwok",
            parts.tool("kwok"),
            f"--kubeconfig={self.kubeconfig}",
            "--manage-all-nodes",
            "--node-lease-duration-seconds=40",
            f"--config={self.folder / 'stages.yaml'}",
            f"--server-address=127.0.0.1:{port}",
        )
        roomy = {"cpu": "100k", "memory": "1Pi", "pods": "100k", "ephemeral-storage": "1Pi"}
        status = {"allocatable": roomy, "capacity": roomy}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}, "status": status}
        wait_for(lambda: self.kube.create(node) or True, 60, "its node")
