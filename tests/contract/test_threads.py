"""Scoring computes on one thread and restores the thread settings of the calling program."""

from __future__ import annotations

import os

import pyarrow as pa
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from scoremill import score
from scoremill.bundle import threads as limits
from scoremill.bundle.threads import ONE_THREAD
from scoremill.engines.protocol import InProcess
from scoremill.errors import FitError
from scoremill.execute import preview
from tests.support.jobs import make_job, trip_bundle, trips


def threads() -> tuple[set[int], int, dict[str, str | None]]:
    """Return threads of numeric libraries and Arrow, and the environment for child processes."""
    pools = {pool["num_threads"] for pool in threadpool_info()}
    return pools, pa.cpu_count(), {name: os.environ.get(name) for name in ONE_THREAD}


ONE = ({1}, 1, dict(ONE_THREAD))


@pytest.fixture
def caller(monkeypatch):
    """A process that computes on three threads and has not scored before."""
    monkeypatch.setattr(limits, "_LIMIT", limits._ThreadLimit())
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("BLIS_NUM_THREADS", raising=False)
    before = pa.cpu_count()
    pa.set_cpu_count(3)
    with threadpool_limits(limits=3):
        yield threads()
    pa.set_cpu_count(before)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


def test_scoring_in_process_and_previews_restore_the_thread_settings(bundle, caller, tmp_path):
    assert caller[0] == {3}
    trips(100).to_csv(tmp_path / "in.csv", index=False)
    job = make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "out"))
    for _ in preview(job, 10):
        assert threads() == ONE
    assert threads() == caller
    assert score(job, cluster="in-process").totals.rows == 100
    assert threads() == caller


def test_nested_engines_set_one_thread_limit(caller):
    with InProcess():
        with InProcess():
            assert threads() == ONE
        assert threads() == ONE
    assert threads() == caller


def test_failed_run_restores_the_thread_settings(caller):
    with pytest.raises(FitError), InProcess():
        raise FitError("injected fault")
    assert threads() == caller
