"""Folders of the test cluster, and the description of a cluster that is up."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "scoremill-test"
SOURCES = Path(__file__).parent
CACHE = Path.home() / ".cache" / "scoremill"
BINARIES = CACHE / "bin"
PARTS = CACHE / "cluster" / "parts"
"""Parts that take long to build and depend only on versions; each name contains a digest of the part's sources."""
CLUSTERS = Path(os.environ.get("SCOREMILL_TEST_CLUSTERS", PARTS.parent))
"""Folder of clusters; those in different folders share nothing."""
MARK = hashlib.sha256(str(CLUSTERS).encode()).hexdigest()[:8]
"""Mark in the names of the kernel's objects that belong to these clusters."""
DAEMON = CLUSTERS / "docker"
OWN = CLUSTERS / NAME
"""The cluster's own folder, which `down` removes."""
KUBECONFIG = OWN / "kubeconfig"


@dataclass(frozen=True, slots=True)
class State:
    """A cluster that is up."""

    name: str
    kubeconfig: str
    kind: str | None
    """Name of the cluster in kind; None for a user's cluster."""
    docker_host: str | None
    s3_endpoint: str
    gcs_endpoint: str
    base_image: str | None
    """Base of the images that are built here, Debian with Python; None if `python:3.11-slim` can be pulled."""
    runner: str | None
    """Image of driver, scheduler and workers on the nodes."""
    operator: str | None = None
    """Image of the operator on the nodes; None if the cluster was started by a version without it."""

    def shell(self) -> str:
        """Return the lines for a shell that let kubectl, docker and helm find the cluster."""
        values = {"KUBECONFIG": self.kubeconfig, "DOCKER_HOST": self.docker_host}
        lines = [f"export {name}={value}\n" for name, value in values.items() if value]
        return "".join([*lines, f"# S3: {self.s3_endpoint}  GCS: {self.gcs_endpoint}\n"])

    def write(self) -> None:
        """Write the state atomically, for the tests to read."""
        OWN.mkdir(parents=True, exist_ok=True)
        new = OWN / "state.json.new"
        new.write_text(json.dumps(asdict(self), indent=2) + "\n")
        new.replace(OWN / "state.json")


def read_state() -> State | None:
    """Return what `up` wrote last; None if nothing is up."""
    with suppress(FileNotFoundError, ValueError, TypeError):
        return State(**json.loads((OWN / "state.json").read_text()))
    return None


def given_kubeconfig() -> Path | None:
    """Return the kubeconfig of a user's cluster; None if a cluster must be created."""
    for variable in ("SCOREMILL_TEST_KUBECONFIG", "KUBECONFIG"):
        if os.environ.get(variable) and Path(os.environ[variable]) != KUBECONFIG:
            return Path(os.environ[variable])
    return None
