"""The chart with its dependency, and helm."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart import tools

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "scoremill"
EVERYWHERE = ["--set", "rbac.clusterWide=true", "--set", "dask-kubernetes-operator.kopfArgs={--all-namespaces}"]

Object = dict[str, Any]
Render = Callable[..., list[Object]]


def vendored() -> None:
    """Copy the dask-kubernetes chart next to the chart of scoremill."""
    subprocess.run([sys.executable, ROOT / "helm" / "vendor.py"], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def chart() -> Path:
    """The chart's folder, with dask-kubernetes' chart in it."""
    vendored()
    return CHART


@pytest.fixture(scope="session")
def render(chart: Path) -> Render:
    """Renders the chart with further arguments of `helm template`; CalledProcessError with helm's words in `stderr`."""

    def rendered(*arguments: str) -> list[Object]:
        command = [tools.tool("helm"), "template", "mill", chart, "--namespace", "science", *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return [each for each in yaml.safe_load_all(done.stdout) if each]

    return rendered


@pytest.fixture(autouse=True)
def _needs_go() -> None:
    if tools.go() is None:
        pytest.skip("helm, kubeconform and kube-score are built by Go, which is not installed")
