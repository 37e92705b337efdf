"""The support matrix lists the versions that continuous integration runs."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml

from tests.chart.tools import KUBERNETES
from tests.cluster.machine import PUBLISHED_NODE
from tests.cluster.parts import KUBERNETES as API_SERVER
from tests.docs.pages import ROOT

TABLE = dict(re.findall(r"^\| (\S+)[^|]* \| (.*) \|$", (ROOT / "docs/reference/support.md").read_text(), re.MULTILINE))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "images/runner/requirements.lock").read_text()


def test_support_matrix_lists_the_python_versions_of_the_workflow() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yaml").read_text())
    tested = ", ".join(workflow["jobs"]["test"]["strategy"]["matrix"]["python"])
    assert TABLE["Python"].startswith(tested)
    assert TABLE["Python"].endswith(PROJECT["requires-python"].removeprefix(">="))


def test_support_matrix_lists_the_kubernetes_versions_of_the_tests() -> None:
    assert API_SERVER == KUBERNETES
    versions = (API_SERVER, re.findall(r":(v[\d.]+)@", PUBLISHED_NODE)[0])
    assert [version.removeprefix("v") for version in versions] == re.findall(r"\d+\.\d+\.\d+", TABLE["Kubernetes"])
    chart = yaml.safe_load((ROOT / "helm/scoremill/Chart.yaml").read_text())
    minimum = re.findall(r"([0-9.]+), which the chart", TABLE["Kubernetes"])[0]
    assert chart["kubeVersion"] == f">={minimum}.0-0"


@pytest.mark.parametrize(("row", "library"), [("Dask", "dask"), ("scikit-learn", "scikit-learn")])
def test_support_matrix_lists_the_versions_of_the_images(row: str, library: str) -> None:
    locked = re.findall(rf"^{library}==(\S+)", LOCK, re.MULTILINE)[0]
    assert f"{locked} in the images" in TABLE[row]


@pytest.mark.parametrize(("row", "library"), [("Dask", "dask[distributed]"), ("scikit-learn", "scikit-learn")])
def test_support_matrix_lists_the_minimum_versions_of_the_package(row: str, library: str) -> None:
    assert f"{library}>={TABLE[row].rsplit('| ', 1)[1]}" in PROJECT["dependencies"]
