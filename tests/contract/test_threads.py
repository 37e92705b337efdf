"""Scoring computes on one thread, and a Python program that scores gets its threads back."""

from __future__ import annotations

import os

import pyarrow as pa
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from scoremill import score
from scoremill.bundle import threads as limits
from scoremill.bundle.threads import ONE_THREAD
from scoremill.errors import FitError
from scoremill.execute import preview
from scoremill.execute.engines.protocol import InProcess
from tests.support.jobs import make_job, trip_bundle, trips


def threads() -> tuple[set[int], int, dict[str, str | None]]:
    """Those of numeric libraries, of Arrow, and what processes to come are told."""
    pools = {pool["num_threads"] for pool in threadpool_info()}
    return pools, pa.cpu_count(), {name: os.environ.get(name) for name in ONE_THREAD}


ONE = ({1}, 1, dict(ONE_THREAD))


@pytest.fixture
def caller(monkeypatch):
    """A process that computes on three threads, in which nobody has scored before."""
    monkeypatch.setattr(limits, "_LIMIT", limits._Limit())
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


def test_scoring_in_process_and_previews_give_the_callers_threads_back(bundle, caller, tmp_path):
    assert caller[0] == {3}
    trips(100).to_csv(tmp_path / "in.csv", index=False)
    job = make_job(bundle, str(tmp_path / "in.csv"), str(tmp_path / "out"))
    for _ in preview(job, 10):
        assert threads() == ONE
    assert threads() == caller
    assert score(job, cluster="in-process").totals.rows == 100
    assert threads() == caller


def test_engines_within_one_another_are_one_limit(caller):
    with InProcess():
        with InProcess():
            assert threads() == ONE
        assert threads() == ONE
    assert threads() == caller


def test_a_run_that_fails_gives_them_back_too(caller):
    with pytest.raises(FitError), InProcess():
        raise FitError("as told")
    assert threads() == caller
