"""Names that others rely on (of output objects, of ids, of Kubernetes objects), and the names that are like a wrong one."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

LEDGER = "_scoremill"
"""Folder of plan, receipts, manifest and report in an output."""
LOGS = f"{LEDGER}/logs"
"""Folder of the logs of drivers on Kubernetes in an output; a folder for each job, an object for each driver's pod."""
MANIFEST = f"{LEDGER}/manifest.json"
"""The object that exists once an output is complete."""
ERRORS = "_errors"
"""Folder of rejected rows in an output."""
SUCCESS = "_SUCCESS"
"""Marker object of a complete run, as Hadoop and Spark write it."""

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
"""Value in a folder's name that stands for a missing one."""
PARQUET_SUFFIXES = (".parquet", ".pq")
"""Suffixes of objects that are read as Parquet unless the job says otherwise."""

RUNNER = "ghcr.io/scoremill/runner"
"""Image of driver, scheduler and workers; its tag is the version."""

ONE_THREAD: Mapping[str, str] = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""Environment of a worker whose numeric libraries are not loaded yet."""
WORKER_ENVIRONMENT: Mapping[str, str] = {**ONE_THREAD, "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Environment of a worker; Arrow's own pool would take memory that no limit stops (tabular/memory.py)."""

LEAVE_SECONDS = 60
"""Time in which a worker that is asked to end can move what it holds to others."""

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def is_kubernetes_name(name: str) -> bool:
    """Return whether Kubernetes takes `name` for an object (an RFC 1123 subdomain of at most 253)."""
    return len(name) <= 253 and _SUBDOMAIN.fullmatch(name) is not None


def digest(value: Any) -> str:
    """A hash in hexadecimal (SHA-256) of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


SCALABLE = ("workers", "maxWorkers")
"""Fields of `spec.cluster` that can change while a job runs: they are no part of what is written."""


def spec_hash(spec: Mapping[str, Any]) -> str:
    """Return the digest of a ScoringJob's spec as the API server holds it, without what can change at any time."""
    fixed = {name: value for name, value in spec.items() if name != "suspend"}
    if isinstance(cluster := spec.get("cluster"), dict):
        fixed["cluster"] = {name: value for name, value in cluster.items() if name not in SCALABLE}
    return digest(fixed)


_PART = re.compile(r"(?:.*/)?part-[a-z]?(\d+)-([0-9a-f]{16})(?:-\d+)?\.[a-z]+", re.DOTALL)


def partition_of(name: str) -> tuple[int, str] | None:
    """Return the number and the id of the partition that gave an object its name; None if none did."""
    match = _PART.fullmatch(name)
    return (int(match[1]), match[2]) if match else None


def part_name(number: int, partition_id: str, suffix: str, piece: int | None = None) -> str:
    """`part-00042-<id>.parquet`; sorted names are the order of the input.

    Numbers above 99,999 get a letter that sorts after digits first, so order holds without end.
    """
    digits = f"{number:05d}"
    prefix = "" if len(digits) == 5 else chr(ord("a") + len(digits) - 6)
    split = "" if piece is None else f"-{piece:05d}"
    return f"part-{prefix}{digits}-{partition_id}{split}.{suffix}"


def nearest(
    wanted: str,
    names: Iterable[str],
    most: int = 1,
    *,
    likeness: float = 0.6,
    spelling: Callable[[str], str] = str.casefold,
) -> list[str]:
    """Return at most `most` names that are like `wanted`, the most similar first, each compared in its `spelling`."""
    spelled = {name: spelling(name) for name in names}
    close = difflib.get_close_matches(spelling(wanted), spelled.values(), most, likeness)
    return list(dict.fromkeys(name for one in close for name in spelled if spelled[name] == one))[:most]
