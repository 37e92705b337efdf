"""`scoremill doctor`."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from scoremill import extras
from scoremill.units import MIB, format_bytes

from .views.display import echo
from .views.document import print_document

_LIBRARIES = ("dask", "distributed", "scikit-learn", "numpy", "pandas", "pyarrow")
_EXTRAS = {"s3": "s3://", "gcs": "gs://", "kubernetes": "clusters and jobs on Kubernetes", "skops": "skops bundles"}
"""What each extra is for."""
_TOOLS = {"kubectl": "to look at clusters", "helm": "to install the chart", "kind": "to try Kubernetes on this machine"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    state: str
    """`ok`, `missing` (needed), or `optional`."""
    what: str
    detail: str


def findings() -> Iterator[Finding]:
    """What is here and what is not."""
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.machine()}")
    for name in _LIBRARIES:
        try:
            yield Finding("ok", name, version(name))
        except PackageNotFoundError:
            yield Finding("missing", name, f"pip install {name}")
    for extra, purpose in _EXTRAS.items():
        if extras.is_installed(extra):
            yield Finding("ok", extra, version(extras.LIBRARIES[extra]))
        else:
            yield Finding("optional", extra, f"not installed; needed for {purpose}: {extras.command(extra)}")
    yield from _machine()
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
        else f"{home} cannot be written: remote bundles are fetched anew; set XDG_CACHE_HOME",
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
        else "none in the environment; ~/.aws and gcloud's own are used where they exist",
    )


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor_command(as_json: bool) -> int:
    """Check this environment and suggest fixes. Exits with 2 if something required is missing.

    \b
    Example:
      scoremill doctor
    """
    found = list(findings())
    if as_json:
        print_document(findings=found)
    else:
        for finding in found:
            echo(f"{finding.state:<9}{finding.what:<14}{finding.detail}")
    return 2 if any(finding.state == "missing" for finding in found) else 0
