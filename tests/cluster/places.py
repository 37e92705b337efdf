"""Where the test cluster keeps what it makes, and what it says of itself."""

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
"""What costs time to make and depends on versions only; each file's name holds a digest of what it was made from."""
CLUSTERS = Path(os.environ.get("SCOREMILL_TEST_CLUSTERS", PARTS.parent))
"""Clusters in another folder meet nothing of those in this one."""
MARK = hashlib.sha256(str(CLUSTERS).encode()).hexdigest()[:8]
"""What tells the kernel's objects of these clusters from others."""
DAEMON = CLUSTERS / "docker"
OWN = CLUSTERS / NAME
"""The cluster's own folder: gone after `down`."""
KUBECONFIG = OWN / "kubeconfig"


@dataclass(frozen=True, slots=True)
class State:
    """A cluster that is up."""

    name: str
    kubeconfig: str
    kind: str | None
    """Its name among kind's clusters; None for a cluster of somebody else's."""
    docker_host: str | None
    s3_endpoint: str
    gcs_endpoint: str
    base_image: str | None
    """What images are built from here: Debian with Python; None where `python:3.11-slim` can be pulled."""
    runner: str | None
    """The image of driver, scheduler and workers as its nodes have it."""
    operator: str | None = None
    """The image of the operator as its nodes have it; None in the state of a cluster that came up before it was made."""

    def shell(self) -> str:
        """What to tell a shell, so that kubectl, docker and helm find it."""
        values = {"KUBECONFIG": self.kubeconfig, "DOCKER_HOST": self.docker_host}
        lines = [f"export {name}={value}\n" for name, value in values.items() if value]
        return "".join([*lines, f"# S3: {self.s3_endpoint}  GCS: {self.gcs_endpoint}\n"])

    def write(self) -> None:
        """Writes it where the tests read it: all or nothing."""
        OWN.mkdir(parents=True, exist_ok=True)
        new = OWN / "state.json.new"
        new.write_text(json.dumps(asdict(self), indent=2) + "\n")
        new.replace(OWN / "state.json")


def read_state() -> State | None:
    """What `up` wrote last; None where nothing is up."""
    with suppress(FileNotFoundError, ValueError, TypeError):
        return State(**json.loads((OWN / "state.json").read_text()))
    return None


def given_kubeconfig() -> Path | None:
    """The kubeconfig of a cluster that the user brings; None where one is to be made."""
    for variable in ("SCOREMILL_TEST_KUBECONFIG", "KUBECONFIG"):
        if os.environ.get(variable) and Path(os.environ[variable]) != KUBECONFIG:
            return Path(os.environ[variable])
    return None
