"""Package the chart of dask-kubernetes' operator, which is in its wheel, into the chart's `charts/`.

python helm/vendor.py    does what `helm dependency build helm/scoremill` does, without the Dask project's chart repository
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
from importlib import metadata
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parent / "scoremill"
NAME = "dask-kubernetes-operator"


def vendor() -> Path:
    """The packaged chart, of the version that Chart.yaml asks for."""
    (wanted,) = (
        each for each in yaml.safe_load((CHART / "Chart.yaml").read_text())["dependencies"] if each["name"] == NAME
    )
    archive = CHART / "charts" / f"{NAME}-{wanted['version']}.tgz"
    if not archive.exists():
        archive.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            packages = _packages(wanted["version"], folder)
            new = Path(folder) / archive.name
            _package(packages / "dask_kubernetes/operator/deployment/helm" / NAME, new, wanted["version"])
            new.rename(archive)
    return archive


def _packages(version: str, folder: str) -> Path:
    """Where dask-kubernetes of that version is: here, or installed into `folder`."""
    here = metadata.distribution("dask-kubernetes")
    if here.version == version:
        return Path(str(here.locate_file("")))
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
    subprocess.run([*install, f"dask-kubernetes=={version}"], check=True)
    return Path(folder)


def _package(chart: Path, archive: Path, version: str) -> None:
    # The wheel's own says 0.0.1: its release process sets the version.
    about = yaml.safe_load((chart / "Chart.yaml").read_text()) | {"version": version, "appVersion": version}
    with tarfile.open(archive, "w:gz") as tar:
        for file in sorted(chart.rglob("*")):
            if file.is_file():
                content = yaml.safe_dump(about).encode() if file == chart / "Chart.yaml" else file.read_bytes()
                entry = tarfile.TarInfo(f"{NAME}/{file.relative_to(chart)}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    print(vendor().relative_to(CHART.parent.parent))
