"""The runner image's files agree with the package, with each other and with the chart."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scoremill import naming
from scoremill.version import __version__

ROOT = Path(__file__).parents[3]
RUNNER = ROOT / "images" / "runner"
EXTRAS = ("s3", "gcs", "kubernetes", "skops")
"""What the runner image has beyond the library."""
LEFT_OUT = {"kubernetes-asyncio", "pykube-ng"}
"""Required by dask-kubernetes, imported by nothing in it."""


@cache
def locked(name: str) -> dict[str, list[Requirement]]:
    """What a lock pins, by name; more than one where versions of Python differ."""
    found: dict[str, list[Requirement]] = {}
    text = re.sub(r"#.*", "", (RUNNER / name).read_text()).replace("\\\n", " ")
    for line in filter(str.strip, text.splitlines()):
        requirement, *hashes = line.split("--hash=")
        assert hashes, f"{requirement} has no hash"
        parsed = Requirement(requirement)
        found.setdefault(canonicalize_name(parsed.name), []).append(parsed)
    return found


def satisfies(wanted: Requirement, pins: list[Requirement]) -> bool:
    versions = [next(iter(pin.specifier)).version for pin in pins]
    return bool(versions) and all(wanted.specifier.contains(version) for version in versions)


def test_locks_hold_what_the_package_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    runner = [*project["project"]["dependencies"], *(text for name in EXTRAS for text in extras[name])]
    for lock, texts in (("requirements.lock", runner), ("build.lock", project["build-system"]["requires"])):
        for requirement in map(Requirement, texts):
            assert satisfies(requirement, locked(lock).get(canonicalize_name(requirement.name), [])), (
                lock,
                requirement,
            )


def test_only_what_nothing_imports_is_left_out_of_the_lock() -> None:
    assert not LEFT_OUT & locked("requirements.lock").keys()
    modules = {"kubernetes_asyncio", "pykube"}
    import dask_kubernetes

    for source in [*(ROOT / "src").rglob("*.py"), *Path(dask_kubernetes.__file__).parent.rglob("*.py")]:
        if "tests" not in source.parts:
            assert not modules & imported(source), source


def imported(source: Path) -> set[str]:
    """The top-level packages that a file imports."""
    nodes = list(ast.walk(ast.parse(source.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[0] for name in plain | {str(n.module) for n in nodes if isinstance(n, ast.ImportFrom)}}


def test_chart_image_and_code_are_of_one_version() -> None:
    chart = yaml.safe_load((ROOT / "helm/scoremill/Chart.yaml").read_text())
    values = yaml.safe_load((ROOT / "helm/scoremill/values.yaml").read_text())
    (dependency,) = chart["dependencies"]
    (dask_kubernetes,) = locked("requirements.lock")["dask-kubernetes"]
    assert chart["version"] == chart["appVersion"] == __version__
    assert values["image"]["repository"] == naming.RUNNER
    assert {f"=={dependency['version']}"} == {str(dask_kubernetes.specifier)}
    assert values["dask-kubernetes-operator"]["image"]["tag"] == dependency["version"]


def test_dockerfile_needs_nothing_that_only_buildkit_has() -> None:
    text = (RUNNER / "Dockerfile").read_text()
    assert not re.search(r"--mount=|--chmod|--link|<<|^# *syntax=", text, re.MULTILINE)
    assert re.search(r"^USER \d+:\d+$", text, re.MULTILINE)
