"""What this machine has to create a cluster, and what is missing."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from tests.cluster.steps import NoClusterError, run, step, succeeds

# What kind v0.33.0 runs by default.
PUBLISHED_NODE = "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
_PACKAGES = {
    "dockerd": "docker.io",
    "containerd": "containerd",
    "runc": "runc",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "ip": "iproute2",
}


def docker_that_pulls() -> bool:
    """Return whether the user's Docker has kind's node image or can pull it."""
    if not succeeds("docker", "info", timeout=15):
        return False
    if succeeds("docker", "image", "inspect", PUBLISHED_NODE):
        return True
    with step("pull kind's node image", "1 min"):
        return succeeds("docker", "pull", "--quiet", PUBLISHED_NODE, timeout=900)


def prepare() -> None:
    """Install what a Docker daemon and a node image need; NoClusterError names what is missing."""
    lacks = [reason for reason, holds in _needs().items() if not holds]
    if lacks:
        raise NoClusterError(
            "\n  - ".join(["no Docker here can pull kind's node image, and none can be made on the spot:", *lacks])
            + "\n  Start a Docker that can pull, or name a cluster by SCOREMILL_TEST_KUBECONFIG."
        )
    _install([package for command, package in _PACKAGES.items() if shutil.which(command) is None])
    if shutil.which("docker") is None:  # later releases package the client by itself
        _install(["docker-cli"])


def _install(packages: list[str]) -> None:
    if packages:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        with step(f"install {', '.join(packages)}", "20 s"):
            run("apt-get", "update", "-qq", env=environment)
            run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, env=environment)


def _needs() -> dict[str, bool]:
    return {
        "only root can start containers": os.geteuid() == 0,
        "packages come by apt-get only, on Debian or Ubuntu": shutil.which("apt-get") is not None,
        "Go is not installed (1.25 or later)": shutil.which("go") is not None,
        "the node image is made for x86-64": platform.machine() == "x86_64",
        "the node image is made for control groups of version 1": Path("/sys/fs/cgroup/memory").is_dir(),
    }
