"""Helm and what judges charts, built from Go modules into the user's cache folder when they are first asked for."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

BINARIES = Path.home() / ".cache" / "scoremill" / "bin"
KUBERNETES = "v1.34.4"
"""Whose API the chart is validated by."""
TOOLS = {
    "helm": ("helm.sh/helm/v4", "v4.3.1", "./cmd/helm"),
    "helm-unittest": ("github.com/helm-unittest/helm-unittest", "v1.1.2", "./cmd/helm-unittest"),
    "kubeconform": ("github.com/yannh/kubeconform", "v0.8.0", "./cmd/kubeconform"),
    "kube-score": ("github.com/zegl/kube-score", "v1.20.0", "./cmd/kube-score"),
}


def go() -> str | None:
    """Return the Go compiler; None if it is not installed."""
    return shutil.which("go")


@cache
def tool(name: str) -> Path:
    """The binary `name`; built at most once on this machine, which takes a minute or two."""
    module, version, package = TOOLS[name]
    binary = BINARIES / name
    BINARIES.mkdir(parents=True, exist_ok=True)
    with (BINARIES / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            # In its own folder: `go install` refuses a module that replaces others.
            command = ["nice", "go", "build", "-mod=readonly", "-o", binary, package]
            environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
            subprocess.run(command, cwd=source(module, version), env=environment, check=True)
    return binary


@cache
def source(module: str, version: str) -> Path:
    """The folder of a module's source."""
    found = subprocess.run(["go", "mod", "download", "-json", f"{module}@{version}"], check=True, capture_output=True)
    return Path(json.loads(found.stdout)["Dir"])
