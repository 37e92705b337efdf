"""Workflows pin all actions and declare all permissions."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import scoremill

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
PINNED = re.compile(r"uses: (\./\S+|[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+)$")

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]
    return found


def test_workflows_exist_for_changes_and_releases() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "release"]


@every_workflow
def test_actions_are_pinned_by_commit_with_a_version_comment(path: Path) -> None:
    used = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if "uses:" in line]
    assert used
    assert not [line for line in used if not PINNED.match(line)]


@every_workflow
def test_workflow_has_only_the_permissions_that_its_jobs_declare(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {}
    for name, job in jobs(path).items():
        assert isinstance(job["permissions"], dict), name
        assert set(job["permissions"].values()) <= {"read", "write"}


def test_only_publishing_jobs_have_write_permissions() -> None:
    writes = {
        (path.stem, name): {scope for scope, level in job["permissions"].items() if level == "write"}
        for path in WORKFLOWS
        for name, job in jobs(path).items()
    }
    assert {where: scopes for where, scopes in writes.items() if scopes} == {
        ("release", "pypi"): {"id-token"},
        ("release", "images"): {"packages", "id-token"},
        ("release", "chart"): {"packages", "id-token"},
        ("release", "github"): {"contents"},
    }


@every_workflow
def test_commands_contain_no_expressions(path: Path) -> None:
    """Text from GitHub, such as the name of a branch, reaches commands as a variable, never as code."""
    commands = [step["run"] for job in jobs(path).values() for step in job.get("steps", []) if "run" in step]
    assert commands
    assert not [command for command in commands if "${{" in command]


def test_checkouts_do_not_persist_credentials() -> None:
    steps = [step for path in WORKFLOWS for job in jobs(path).values() for step in job.get("steps", [])]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_release_waits_for_all_checks() -> None:
    release = jobs(ROOT / ".github" / "workflows" / "release.yaml")
    assert release["ci"]["uses"] == "./.github/workflows/ci.yaml"
    after = {
        name: {*([job["needs"]] if isinstance(job["needs"], str) else job["needs"])}
        for name, job in release.items()
        if "needs" in job
    }
    assert {*after} == {*release} - {"ci"}


def test_release_reads_the_version_of_the_package() -> None:
    release = (ROOT / ".github" / "workflows" / "release.yaml").read_text()
    (command,) = re.findall(r"\$\((sed .*?\.py)\)", release)
    printed = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == scoremill.__version__
