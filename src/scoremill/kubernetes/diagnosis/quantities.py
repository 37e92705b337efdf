"""Parse Kubernetes quantities, and format them for people."""

from __future__ import annotations

import re
from collections.abc import Iterable

from scoremill.units import format_bytes, quoted

from ..objects.resource import Resource

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_SUFFIXES: dict[str, float] = {
    **{suffix: 10.0**power for suffix, power in _DECIMAL.items()},
    **{suffix: 2.0**power for suffix, power in _BINARY.items()},
}
"""The suffixes of resource.Quantity in k8s.io/apimachinery."""


def amount(quantity: str | float) -> float:
    """Return a quantity such as `1500m`, `1.5`, `4Gi` or `1e3` as a number."""
    match = re.fullmatch(r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)([a-zA-Z]*)", str(quantity))
    if match is None or match[2] not in _SUFFIXES:
        raise ValueError(f"{quoted(quantity)} is not a Kubernetes quantity")
    return float(match[1]) * _SUFFIXES[match[2]]


def as_text(resource: str, quantity: str | float) -> str:
    """Return `quantity` formatted for people."""
    return f"{amount(quantity):,g}" if resource == "cpu" else format_bytes(amount(quantity))


def asked(pod: Resource, resource: str) -> str:
    """Return how much of a resource the first container of `pod` requests, formatted for people."""
    requests = pod.spec["containers"][0].get("resources", {}).get("requests", {})
    return as_text(resource, requests[resource]) if resource in requests else "no"


def memory_limit(pod: Resource, container: str) -> str | None:
    """Return the memory limit of a container of the pod, formatted for people; None if it has none."""
    for each in pod.spec.get("containers") or ():
        limit = each.get("resources", {}).get("limits", {}).get("memory")
        if each.get("name") == container and limit:
            return as_text("memory", limit)
    return None


def largest_node(nodes: Iterable[Resource]) -> str | None:
    """Return the largest CPU and memory of any node, such as `8 CPU and 31.2 GiB`; None if no nodes are known."""
    allocatable = [node.status["allocatable"] for node in nodes if not node.spec.get("unschedulable")]
    if not allocatable:
        return None
    cpu = max(amount(each["cpu"]) for each in allocatable)
    memory = max(amount(each["memory"]) for each in allocatable)
    return f"{as_text('cpu', cpu)} CPU and {as_text('memory', memory)}"
