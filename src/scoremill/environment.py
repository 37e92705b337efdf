"""What of this environment scoremill needs, and what is missing."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import extras
from .errors import ClusterError, ScoremillError
from .units import MIB, format_bytes

_LIBRARIES = ("dask", "distributed", "scikit-learn", "numpy", "pandas", "pyarrow")
_EXTRAS = {"s3": "s3://", "gcs": "gs://", "kubernetes": "clusters and jobs on Kubernetes", "skops": "skops bundles"}
"""What each extra is for."""
_TOOLS = {"kubectl": "to look at clusters", "helm": "to install the chart", "kind": "to try Kubernetes on this machine"}


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    state: str
    """`ok`, `missing` (required), or `optional`."""
    what: str
    detail: str


def doctor() -> tuple[Finding, ...]:
    """Check which libraries, extras and tools are installed here. No store and no cluster is contacted.

    Returns
    -------
    tuple of Finding
        Each has a `state` (`ok`, `missing` or `optional`), `what` was checked, and the `detail`, which says how to get
        what is not there.

    Examples
    --------
    >>> import scoremill
    >>> [finding.what for finding in scoremill.doctor()][:3]
    ['python', 'dask', 'distributed']

    """
    return tuple(_findings())


def _findings() -> Iterator[Finding]:
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.machine()}")
    for name in _LIBRARIES:
        try:
            yield Finding("ok", name, version(name))
        except PackageNotFoundError:
            yield Finding("missing", name, f"pip install {name}")
    for extra, purpose in _EXTRAS.items():
        if extras.is_installed(extra):
            yield Finding("ok", extra, f"{extras.LIBRARIES[extra]} {version(extras.LIBRARIES[extra])} is installed")
        else:
            yield Finding("optional", extra, f"not installed; needed for {purpose}: {extras.command(extra)}")
    yield from _machine()
    yield _kubernetes()
    for tool, purpose in _TOOLS.items():
        path = shutil.which(tool)
        yield Finding("ok" if path else "optional", tool, path or f"not found; needed {purpose}")


def _machine() -> Iterator[Finding]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Finding("ok", "machine", f"{os.cpu_count()} cores, {format_bytes(memory // MIB * MIB)} of memory")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    writable = os.access(home if home.exists() else home.parent, os.W_OK)
    yield Finding(
        "ok" if writable else "optional",
        "cache",
        f"{home}/scoremill"
        if writable
        else f"{home} is not writable, so remote bundles are fetched each time; set XDG_CACHE_HOME",
    )
    named = [
        name
        for name in (
            "AWS_PROFILE",
            "AWS_ACCESS_KEY_ID",
            "AWS_ENDPOINT_URL",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "STORAGE_EMULATOR_HOST",
        )
        if os.environ.get(name)
    ]
    yield Finding(
        "ok" if named else "optional",
        "credentials",
        f"from {', '.join(named)}"
        if named
        else "none in the environment; those in ~/.aws and of gcloud are used if they exist",
    )


def _kubernetes() -> Finding:
    """Return the context in which `--cluster NAME` would look for a cluster."""
    from .kubernetes.api import current_context

    try:
        return Finding("ok", "kubeconfig", f"current context {current_context()}; the cluster is not contacted")
    except ClusterError as error:
        return Finding("optional", "kubeconfig", f"{error.message}; needed for clusters and jobs on Kubernetes")
    except ScoremillError:
        return Finding("optional", "kubeconfig", "not read: the kubernetes extra is not installed")
