"""How many driver logs an output keeps, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scoremill.naming import LOGS
from scoremill.runtime.log_retention import TIME_FORMAT, expired, remove_expired
from scoremill.spec.cluster import Cleanup
from scoremill.storage.filesystem import Store

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def log(days: float, attempt: int = 1, job: str = "tips-1a2b3c4d") -> str:
    return f"{LOGS}/{job}/{attempt:05d}-{(NOW - timedelta(days=days)).strftime(TIME_FORMAT)}.log"


def test_newest_logs_are_kept_across_jobs_and_attempts() -> None:
    own, newer, older, oldest = log(0, 1, "b"), log(1, 1, "a"), log(2, 9, "b"), log(3, 2, "a")
    names = [oldest, own, newer, older]
    for limit, removed in ((1, [newer, older, oldest]), (2, [older, oldest]), (3, [oldest]), (4, [])):
        assert expired(names, Cleanup(log_history_limit=limit), own, NOW) == removed


def test_logs_past_retention_are_removed_except_the_current_one() -> None:
    own, young, old = log(100), log(29.9), log(30.1)
    assert expired([own, young, old], Cleanup(log_retention_days=30), own, NOW) == [old]
    assert expired([own, young, old], Cleanup(log_retention_days=None), own, NOW) == []


@pytest.mark.parametrize("name", ["notes.txt", "00001-20269999T999999Z.log", "x-20200101T000000Z.log", "00001.log"])
def test_files_that_are_not_driver_logs_are_ignored(name: str) -> None:
    assert expired([f"{LOGS}/tips/{name}"], Cleanup(log_history_limit=1, log_retention_days=1), log(0), NOW) == []


def test_default_retention_is_100_logs_and_90_days() -> None:
    names = [log(day, day) for day in range(120)]
    removed = expired(names, Cleanup(), names[0], NOW)
    assert removed == names[91:]
    assert len(expired([log(0.001 * at, at) for at in range(120)], Cleanup(), log(0, 0), NOW)) == 20


def test_only_logs_are_removed_from_an_output(tmp_path) -> None:
    store = Store(str(tmp_path))
    for name in (log(200), log(0), "_scoremill/job.json", "part-00000-1.parquet"):
        store.write(name, b"x")
    remove_expired(store, Cleanup(), log(0), NOW)
    assert {info.name for info in store.list()} == {log(0), "_scoremill/job.json", "part-00000-1.parquet"}
