"""The workflows: every action is pinned, every right is declared."""

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


def test_there_are_workflows_for_changes_and_for_releases() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "release"]


@every_workflow
def test_every_action_is_pinned_by_commit_and_followed_by_its_version(path: Path) -> None:
    used = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if "uses:" in line]
    assert used
    assert not [line for line in used if not PINNED.match(line)]


@every_workflow
def test_a_workflow_has_no_rights_but_those_that_a_job_declares(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {}
    for name, job in jobs(path).items():
        assert isinstance(job["permissions"], dict), name
        assert set(job["permissions"].values()) <= {"read", "write"}


def test_only_jobs_of_a_release_that_publish_can_write() -> None:
    writes = {
        (path.stem, name): {right for right, level in job["permissions"].items() if level == "write"}
        for path in WORKFLOWS
        for name, job in jobs(path).items()
    }
    assert {where: rights for where, rights in writes.items() if rights} == {
        ("release", "pypi"): {"id-token"},
        ("release", "images"): {"packages", "id-token"},
        ("release", "chart"): {"packages", "id-token"},
        ("release", "github"): {"contents"},
    }


@every_workflow
def test_no_expression_is_pasted_into_a_command(path: Path) -> None:
    """Text of GitHub, such as a branch's name, reaches commands as a variable, never as code."""
    commands = [step["run"] for job in jobs(path).values() for step in job.get("steps", []) if "run" in step]
    assert commands
    assert not [command for command in commands if "${{" in command]


def test_a_checkout_leaves_no_token_behind() -> None:
    steps = [step for path in WORKFLOWS for job in jobs(path).values() for step in job.get("steps", [])]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_a_release_waits_for_all_checks() -> None:
    release = jobs(ROOT / ".github" / "workflows" / "release.yaml")
    assert release["ci"]["uses"] == "./.github/workflows/ci.yaml"
    after = {
        name: {*([job["needs"]] if isinstance(job["needs"], str) else job["needs"])}
        for name, job in release.items()
        if "needs" in job
    }
    assert {*after} == {*release} - {"ci"}


def test_a_release_reads_the_version_of_the_package() -> None:
    release = (ROOT / ".github" / "workflows" / "release.yaml").read_text()
    (command,) = re.findall(r"\$\((sed .*?\.py)\)", release)
    said = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == scoremill.__version__
