from __future__ import annotations

import pytest

from scoremill.engines.dask.deaths import Deaths


def test_a_worker_whose_nanny_reported_its_memory_was_killed_for_it():
    deaths = Deaths(is_exclusive=False)
    deaths.grew("tcp://a", 1)
    assert deaths.is_killed("tcp://a")
    assert not deaths.is_killed("tcp://b")


@pytest.mark.parametrize("worker", ["tcp://b", None])
def test_on_own_workers_a_late_report_does_not_hide_that_memory_is_the_cause(worker):
    deaths = Deaths(is_exclusive=True)
    assert not deaths.is_killed("tcp://a")
    deaths.grew(worker, 1)
    assert deaths.is_killed("tcp://a")


def test_a_finished_partition_separates_later_deaths_from_earlier_ones():
    deaths = Deaths(is_exclusive=True)
    deaths.grew("tcp://b", 1)
    deaths.forget()
    assert not deaths.is_killed("tcp://a")
