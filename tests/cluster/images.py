"""Images that are built if they cannot be pulled: kind's node, and the base of the project's own images."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import scoremill
from scoremill.naming import RUNNER
from tests.cluster import daemon, parts, remains
from tests.cluster.places import PARTS, SOURCES
from tests.cluster.steps import run, step, succeeds

_NODE = SOURCES / "node"
_NODE_PACKAGES = [
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "nftables",
    "conntrack",
    "iproute2",
    "ethtool",
    "kmod",
    "procps",
    "ca-certificates",
    "jq",
    "curl",
    "socat",
    "mount",
    "util-linux",
    "iputils-ping",
]
_BASE_PACKAGES = ["python3", "python3-venv", "ca-certificates"]
_PIP = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_DEFAULT_TIMEOUT")
RUNNER_IMAGE = f"{RUNNER}:{scoremill.__version__}"
OPERATOR_IMAGE = f"ghcr.io/scoremill/operator:{scoremill.__version__}"
_DASK_IMAGE = f"ghcr.io/dask/dask-kubernetes-operator:{version('dask-kubernetes')}"
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def node() -> str:
    """Build the node image if it does not exist, and return its name."""
    tree = parts.debian("node", _NODE_PACKAGES)
    folder = parts.hyperkube()
    coredns = parts.tool("coredns")
    image = f"scoremill-test/node:{parts.KUBERNETES}-{parts.digest(_NODE)}"
    if not _exists(image):
        work = PARTS / "node.half"
        remains.remove(work)
        with step("make the node image", "60 s, once"):
            (work / "tree").mkdir(parents=True)
            run("tar", "-C", work / "tree", "--numeric-owner", "-xf", tree)
            settings = {
                "KUBERNETES": parts.KUBERNETES,
                "BINARIES": folder,
                "COREDNS": coredns,
                "WORK": work,
                "IMAGE": image,
            }
            environment = daemon.environment() | {name: str(value) for name, value in settings.items()}
            run("nice", _NODE / "build.sh", work / "tree", env=environment)
        remains.remove(work)
    return image


def base() -> str:
    """Return the name of a base image for the project's Dockerfiles: Debian with its Python and this machine's certificate authorities."""
    tree = parts.debian("base", _BASE_PACKAGES)
    authorities = Path(os.environ.get("SSL_CERT_FILE", _AUTHORITIES))
    image = f"scoremill-test/base:{tree.parent.name}-{parts.digest(authorities)}"
    if not _exists(image):
        with step("make the base image", "10 s, once"):
            _import_with(tree, authorities, image)
    return image


def project(base: str | None, env: dict[str, str]) -> tuple[str, str, str]:
    """Build the project's runner and operator, and the operator of dask-kubernetes, from this tree; return their names."""
    # Older builders of Docker can only use the host's network if the daemon has no bridge.
    command = ["docker", "build", "--quiet", "--network", "host"]
    command += ["--build-arg", f"BASE={base}"] if base else []
    command += [part for name in _PIP if name in os.environ for part in ("--build-arg", name)]
    built = {
        RUNNER_IMAGE: ("runner", "runner"),
        OPERATOR_IMAGE: ("operator", "operator"),
        _DASK_IMAGE: ("runner", "dask-kubernetes-operator"),
    }
    with step("build the project's images", "4 min the first time, then seconds"):
        for image, (folder, target) in built.items():
            what = ["--file", f"images/{folder}/Dockerfile", "--target", target, "--tag", image]
            run(*command, *what, ".", cwd=SOURCES.parents[1], env=env)
    return RUNNER_IMAGE, OPERATOR_IMAGE, _DASK_IMAGE


def _import_with(tree: Path, authorities: Path, image: str) -> None:
    work = PARTS / "base.half"
    remains.remove(work)
    entry = f"./{_AUTHORITIES.relative_to('/')}"
    (work / entry).parent.mkdir(parents=True)
    (work / entry).write_bytes(authorities.read_bytes())
    archive = work / "tree.tar"
    run("cp", tree, archive)
    run("tar", "--delete", "-f", archive, entry)
    run("tar", "-C", work, "--numeric-owner", "--owner=0", "--group=0", "-rf", archive, entry)
    changes = ["--change", f"ENV PIP_CERT={_AUTHORITIES}", "--change", 'CMD ["python3"]']
    run("docker", "import", *changes, archive, image, env=daemon.environment())
    remains.remove(work)


def _exists(image: str) -> bool:
    return succeeds("docker", "image", "inspect", image, env=daemon.environment())
