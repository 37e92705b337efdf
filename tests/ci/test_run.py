"""`.ci/run` repeats tests that fail once, and names each of those that then pass."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Fails as often as the target's file says, and leaves what pytest leaves then.
MAKE = """#!/bin/sh
echo "$@" >>calls
left=$(cat "fails.$1" 2>/dev/null || echo 0)
test "$left" -gt 0 || exit 0
echo $((left - 1)) >"fails.$1"
mkdir -p .pytest_cache/v/cache
printf '{"tests/%s/test_jobs.py::test_a_job[2 workers]": true}' "$1" >.pytest_cache/v/cache/lastfailed
exit 2
"""
FLAKE = "flaky: tests/{}/test_jobs.py::test_a_job[2 workers] failed, and passed when it was run again\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in which `make` only counts."""
    for folder in (".ci", "bin"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / "bin" / "make").write_text(MAKE)
    (tmp_path / "bin" / "make").chmod(0o755)
    return tmp_path


def run(clone: Path, **failures: int) -> tuple[int, str, list[str]]:
    """Exit code, output and the targets that were made."""
    for target, times in failures.items():
        (clone / f"fails.{target}").write_text(str(times))
    environment = os.environ | {"PATH": f"{clone / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([clone / ".ci" / "run"], env=environment, capture_output=True, text=True)
    calls = (clone / "calls").read_text().splitlines()
    return done.returncode, done.stdout, [call.split()[0] for call in calls]


def test_nothing_is_run_twice_if_all_is_well(clone: Path) -> None:
    assert run(clone) == (0, "", ["check", "test", "e2e", "cluster-down"])


@pytest.mark.parametrize("target", ["test", "e2e"])
def test_a_test_that_passes_the_second_time_is_named_as_flaky(clone: Path, target: str) -> None:
    code, said, calls = run(clone, **{target: 1})
    assert (code, said) == (0, FLAKE.format(target))
    assert sorted(calls) == sorted(["check", "test", "e2e", "cluster-down", target])


def test_every_flaky_test_is_named(clone: Path) -> None:
    assert run(clone, test=1, e2e=1)[:2] == (0, FLAKE.format("test") + FLAKE.format("e2e"))


def test_a_test_that_fails_twice_is_a_failure(clone: Path) -> None:
    assert run(clone, test=2) == (1, "", ["check", "test", "test"])


def test_an_end_to_end_test_that_fails_twice_is_a_failure(clone: Path) -> None:
    assert run(clone, e2e=2) == (1, "", ["check", "test", "e2e", "e2e", "cluster-down"])
