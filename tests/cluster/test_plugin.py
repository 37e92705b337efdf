"""A run without a cluster says so, and parts are built again only if they must be."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from tests.cluster import parts
from tests.cluster.places import SOURCES
from tests.cluster.steps import shared, until

_TESTS = "tests/e2e/test_cluster.py"


def _pytest(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    place = SOURCES.parents[1]
    return subprocess.run(command, cwd=place, env={**os.environ, **environment}, capture_output=True, text=True)


def test_end_to_end_tests_that_were_not_run_are_announced_with_the_command_that_runs_them() -> None:
    done = _pytest(_TESTS)
    assert done.returncode == 0
    assert "END-TO-END TESTS WERE NOT RUN" in done.stdout
    assert "make cluster-up && make test ARGS=--cluster" in done.stdout
    assert "6 skipped" in done.stdout


def test_other_tests_are_run_without_an_announcement() -> None:
    assert "END-TO-END" not in _pytest("tests/cluster/test_plugin.py", "--collect-only").stdout


def test_a_cluster_that_was_requested_and_is_not_available_fails_the_run_with_the_reason(tmp_path: Path) -> None:
    missing = tmp_path / "kubeconfig"
    place = {"SCOREMILL_TEST_KUBECONFIG": str(missing), "SCOREMILL_TEST_CLUSTERS": str(tmp_path)}
    done = _pytest(_TESTS, "--cluster", **place)
    assert done.returncode
    assert f"the cluster of {missing} cannot be used" in done.stderr + done.stdout
    assert "passed" not in done.stdout


def test_part_that_was_interrupted_is_built_again(tmp_path: Path) -> None:
    folder = tmp_path / "part"
    (tmp_path / "part.half").mkdir()
    (tmp_path / "part.half" / "incomplete").touch()
    with parts.made(folder) as new:
        (new / "file").touch()
        assert not folder.exists()
    assert [file.name for file in folder.iterdir()] == ["file"]


def test_the_digest_of_a_part_covers_all_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = parts.digest(tmp_path)
    assert parts.digest(tmp_path) == first
    (tmp_path / "a").write_text("2")
    assert parts.digest(tmp_path) != first


def test_who_waits_to_be_alone_lets_no_other_pass(tmp_path: Path) -> None:
    entered: list[str] = []

    def enter(name: str, leave: Event | None = None, *, exclusively: bool = False) -> None:
        with shared(tmp_path, exclusively=exclusively):
            entered.append(name)
            if leave:
                assert leave.wait(20)

    leave = Event()
    with ThreadPoolExecutor() as threads:
        first, second = threads.submit(enter, "first", leave), threads.submit(enter, "second", leave)
        assert until(lambda: len(entered) == 2, 10), "both are there"
        last = [threads.submit(enter, "alone", exclusively=True)]
        assert until(lambda: is_locked(tmp_path / "next"), 10)
        last += [threads.submit(enter, "late")]
        assert not until(lambda: len(entered) > 2, 0.5), "it waits for the first two, and the late one waits for it"
        leave.set()
        for each in (first, second, *last):
            each.result(20)
    assert entered[2:] == ["alone", "late"]


def is_locked(path: Path) -> bool:
    """Return whether somebody holds the lock."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
