"""`.ci/run` repeats only end-to-end tests that fail, and names each one that then passes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Fails as often as the file of the target says, and then writes the file that pytest writes.
MAKE = """#!/bin/sh
echo "$@" >>calls
left=$(cat "fails.$1" 2>/dev/null || echo 0)
test "$left" -gt 0 || exit 0
echo $((left - 1)) >"fails.$1"
mkdir -p .pytest_cache/v/cache
printf '{"tests/%s/test_jobs.py::test_a_job[2 workers]": true}' "$1" >.pytest_cache/v/cache/lastfailed
exit 2
"""
FLAKE = "flaky: tests/e2e/test_jobs.py::test_a_job[2 workers] failed, and passed when it was run again (SEED=7)"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with a `make` that only counts calls."""
    for folder in (".ci", "bin"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / "bin" / "make").write_text(MAKE)
    (tmp_path / "bin" / "make").chmod(0o755)
    return tmp_path


def run(clone: Path, **failures: int) -> tuple[int, list[str], list[str]]:
    """Run `.ci/run`, and return exit code, lines of stdout and targets."""
    for target, times in failures.items():
        (clone / f"fails.{target}").write_text(str(times))
    environment = os.environ | {"PATH": f"{clone / 'bin'}{os.pathsep}{os.environ['PATH']}", "SEED": "7"}
    done = subprocess.run([clone / ".ci" / "run"], env=environment, capture_output=True, text=True)
    calls = (clone / "calls").read_text().splitlines()
    return done.returncode, done.stdout.splitlines(), [call.split()[0] for call in calls]


def flaky(output: list[str]) -> list[str]:
    return [line for line in output if line.startswith("flaky")]


def test_successful_run_makes_each_target_once(clone: Path) -> None:
    code, output, calls = run(clone)
    assert (code, flaky(output), calls) == (0, [], ["check", "test", "e2e", "cluster-down"])


def test_end_to_end_test_that_passes_when_repeated_is_reported_as_flaky_with_the_seed(clone: Path) -> None:
    code, output, calls = run(clone, e2e=1)
    assert (code, flaky(output), calls) == (0, [FLAKE], ["check", "test", "e2e", "e2e", "cluster-down"])


def test_failed_unit_or_contract_test_is_not_repeated(clone: Path) -> None:
    code, output, calls = run(clone, test=1)
    assert (code != 0, flaky(output), calls) == (True, [], ["check", "test"])


def test_end_to_end_test_that_fails_twice_is_a_failure(clone: Path) -> None:
    code, output, calls = run(clone, e2e=2)
    assert (code, flaky(output), calls) == (1, [], ["check", "test", "e2e", "e2e", "cluster-down"])


def test_cluster_that_does_not_start_is_a_failure(clone: Path) -> None:
    (clone / "bin" / "make").write_text(MAKE.replace("printf", ": printf"))
    old = clone / ".pytest_cache/v/cache/lastfailed"
    old.parent.mkdir(parents=True)
    old.write_text('{"tests/e2e/test_jobs.py::test_of_another_run": true}')
    code, output, calls = run(clone, e2e=1)
    assert (code, flaky(output), calls) == (1, [], ["check", "test", "e2e", "cluster-down"])


def test_last_lines_report_the_time_of_each_step_and_the_seed(clone: Path) -> None:
    _, output, _ = run(clone, test=1)
    assert [re.sub(r"\d+ (min|s) ", r"N \1 ", line) for line in output[:2]] == [
        "time:   N min  N s  make check",
        "time:   N min  N s  make test",
    ]
    assert output[2:] == ["seed: 7"]
    assert "--hypothesis-seed=7" in (clone / "calls").read_text()
