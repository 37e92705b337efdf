"""Kubernetes quantities, as far as people are told them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scoremill.units import format_bytes, parse_bytes

Object = Mapping[str, Any]


def cores(quantity: str | int) -> float:
    """`1500m` and `1.5` as cores."""
    text = str(quantity)
    return int(text[:-1]) / 1000 if text.endswith("m") else float(text)


def bytes_of(quantity: str | int) -> int:
    """`4Gi`, `500M` and `1024` as bytes."""
    text = str(quantity)
    return int(text[:-1]) // 1000 if text.endswith("m") else parse_bytes(text.replace("k", "K"))


def told(resource: str, quantity: str | int) -> str:
    """`quantity` for people."""
    return f"{cores(quantity):g}" if resource == "cpu" else format_bytes(bytes_of(quantity))


def asked(pod: Object, resource: str) -> str:
    """What the first container of `pod` requests, for people."""
    requests = pod["spec"]["containers"][0].get("resources", {}).get("requests", {})
    return told(resource, requests[resource]) if resource in requests else "no"


def largest_node(nodes: Iterable[Object]) -> str | None:
    """`8 CPU and 31.2 GiB`, the most that one node has of each; None where nodes may not be listed."""
    allocatable = [node["status"]["allocatable"] for node in nodes if not node["spec"].get("unschedulable")]
    if not allocatable:
        return None
    cpu = max(cores(each["cpu"]) for each in allocatable)
    memory = max(bytes_of(each["memory"]) for each in allocatable)
    return f"{cpu:g} CPU and {format_bytes(memory)}"
