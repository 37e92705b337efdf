"""Parts that take minutes to build, each built once for its version: Go tools, Debian trees, the Kubernetes binary."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import remains
from tests.cluster.places import BINARIES, PARTS, SOURCES
from tests.cluster.steps import NoClusterError, alone, run, step

KUBERNETES = "v1.34.4"
_HYPERKUBE = SOURCES / "node" / "hyperkube"
_TOOLS = {
    "kind": ("sigs.k8s.io/kind", "v0.33.0", "20 s"),
    "helm": ("helm.sh/helm/v4/cmd/helm", "v4.3.1", "90 s"),
    "versitygw": ("github.com/versity/versitygw/cmd/versitygw", "v1.8.0", "2 min"),
    "fake-gcs-server": ("github.com/fsouza/fake-gcs-server", "v1.56.1", "90 s"),
    "coredns": ("github.com/coredns/coredns", "v1.12.4", "3 min"),
    "kwok": ("sigs.k8s.io/kwok/cmd/kwok", "v0.8.0", "2 min"),
}


def tool(name: str) -> Path:
    """Return the binary of a Go tool, in the version that this project is tested with if Go is installed to build it."""
    package, version, usually = _TOOLS[name]
    binary = BINARIES / name
    with alone(BINARIES / ".lock"):
        if not binary.exists() or not _is(binary, version):
            if shutil.which("go") is None:
                if shutil.which(name):
                    return Path(str(shutil.which(name)))
                raise NoClusterError(f"{name} is not installed, and no Go to build it: install Go 1.25 or later")
            with step(f"build {name} {version}", usually):
                environment = {**os.environ, "GOBIN": str(BINARIES), "CGO_ENABLED": "0"}
                run("nice", "go", "install", f"{package}@{version}", env=environment)
    return binary


def hyperkube() -> Path:
    """Return the folder of two static binaries: one with all of Kubernetes, etcd and the node network, and pause."""
    folder = kubernetes_folder()
    with alone(PARTS / ".kubernetes.lock"):
        if not folder.exists():
            _build_kubernetes(folder)
    return folder


def kubernetes_folder() -> Path:
    """Return the folder for the binaries of `hyperkube`."""
    return PARTS / f"kubernetes-{KUBERNETES}-{digest(_HYPERKUBE)}"


def _build_kubernetes(folder: Path) -> None:
    if shutil.which("go") is None:
        raise NoClusterError("no Go to build Kubernetes with: install Go 1.25 or later")
    stamp = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    values = {
        f"{stamp}.gitVersion": KUBERNETES,
        f"{stamp}.gitMajor": major,
        f"{stamp}.gitMinor": minor,
        f"{stamp}.gitTreeState": "clean",
        f"{stamp}.buildDate": "1970-01-01T00:00:00Z",
        "k8s.io/client-go/pkg/version.gitVersion": KUBERNETES,
    }
    flags = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in values.items())])
    with step(f"build Kubernetes {KUBERNETES} from its Go modules", "6 to 18 min, once"), made(folder) as new:
        command = ["nice", "go", "build", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", f"{new}/"]
        run(*command, ".", "./pause", cwd=_HYPERKUBE, env={**os.environ, "CGO_ENABLED": "0"})


def debian(name: str, packages: list[str]) -> Path:
    """Return a tar of a minimal Debian (bookworm) with `packages`."""
    mark = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12]
    folder = PARTS / f"debian-{name}-{mark}"
    if not folder.exists():
        with step(f"put together a Debian for {name}", "100 s, once"), made(folder) as new:
            include = f"--include={','.join(packages)}"
            run("nice", "debootstrap", "--variant=minbase", include, "bookworm", new / "tree")
            for left in (
                "var/cache/apt/archives",
                "var/lib/apt/lists",
                "usr/share/doc",
                "usr/share/man",
                "usr/share/locale",
            ):
                remains.remove(new / "tree" / left)
            run("tar", "-C", new / "tree", "--numeric-owner", "--exclude=./dev/*", "-cf", new / "tree.tar", ".")
            remains.remove(new / "tree")
    return folder / "tree.tar"


def digest(*places: Path) -> str:
    """Return twelve characters that change with any file of `places`."""
    files = sorted(file for place in places for file in ([place] if place.is_file() else place.rglob("*")))
    content = hashlib.sha256()
    for file in files:
        if file.is_file():
            content.update(file.name.encode() + b"\0" + file.read_bytes())
    return content.hexdigest()[:12]


@contextmanager
def made(folder: Path) -> Iterator[Path]:
    """Return a folder to fill, which is renamed to `folder` when it is complete. A process that is killed before leaves a half that is ignored."""
    new = folder.with_name(f"{folder.name}.half")
    remains.remove(new)
    new.mkdir(parents=True)
    yield new
    new.rename(folder)


def _is(binary: Path, version: str) -> bool:
    shown = (
        subprocess.run(["go", "version", "-m", binary], capture_output=True, text=True, check=False)
        if shutil.which("go")
        else None
    )
    return shown is None or f"\t{version}\t" in shown.stdout
