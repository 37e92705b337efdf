"""`.ci/run` repeats only end-to-end tests that fail, and names each one that then passes."""

from __future__ import annotations

import os
import re
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
FLAKE = "flaky: tests/e2e/test_jobs.py::test_a_job[2 workers] failed, and passed when it was run again (SEED=7)"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in which `make` only counts."""
    for folder in (".ci", "bin"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / "bin" / "make").write_text(MAKE)
    (tmp_path / "bin" / "make").chmod(0o755)
    return tmp_path


def run(clone: Path, **failures: int) -> tuple[int, list[str], list[str]]:
    """Exit code, lines of output and the targets that were made."""
    for target, times in failures.items():
        (clone / f"fails.{target}").write_text(str(times))
    environment = os.environ | {"PATH": f"{clone / 'bin'}{os.pathsep}{os.environ['PATH']}", "SEED": "7"}
    done = subprocess.run([clone / ".ci" / "run"], env=environment, capture_output=True, text=True)
    calls = (clone / "calls").read_text().splitlines()
    return done.returncode, done.stdout.splitlines(), [call.split()[0] for call in calls]


def flaky(said: list[str]) -> list[str]:
    return [line for line in said if line.startswith("flaky")]


def test_nothing_is_run_twice_if_all_is_well(clone: Path) -> None:
    code, said, calls = run(clone)
    assert (code, flaky(said), calls) == (0, [], ["check", "test", "e2e", "cluster-down"])


def test_an_end_to_end_test_that_passes_the_second_time_is_named_with_the_seed(clone: Path) -> None:
    code, said, calls = run(clone, e2e=1)
    assert (code, flaky(said), calls) == (0, [FLAKE], ["check", "test", "e2e", "e2e", "cluster-down"])


def test_a_unit_or_contract_test_that_fails_is_not_run_again(clone: Path) -> None:
    code, said, calls = run(clone, test=1)
    assert (code != 0, flaky(said), calls) == (True, [], ["check", "test"])


def test_an_end_to_end_test_that_fails_twice_is_a_failure_and_not_flaky(clone: Path) -> None:
    code, said, calls = run(clone, e2e=2)
    assert (code, flaky(said), calls) == (1, [], ["check", "test", "e2e", "e2e", "cluster-down"])


def test_a_cluster_that_does_not_start_is_a_failure_whatever_failed_before(clone: Path) -> None:
    (clone / "bin" / "make").write_text(MAKE.replace("printf", ": printf"))
    old = clone / ".pytest_cache/v/cache/lastfailed"
    old.parent.mkdir(parents=True)
    old.write_text('{"tests/e2e/test_jobs.py::test_of_another_run": true}')
    code, said, calls = run(clone, e2e=1)
    assert (code, flaky(said), calls) == (1, [], ["check", "test", "e2e", "cluster-down"])


def test_the_last_lines_say_how_long_each_step_took_and_the_seed(clone: Path) -> None:
    _, said, _ = run(clone, test=1)
    assert [re.sub(r"\d+ (min|s) ", r"N \1 ", line) for line in said[:2]] == [
        "time:   N min  N s  make check",
        "time:   N min  N s  make test",
    ]
    assert said[2:] == ["seed: 7"]
    assert "--hypothesis-seed=7" in (clone / "calls").read_text()
