"""Three hundred simultaneous ScoringJobs on a real API server, on which KWOK simulates that pods run and end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.load import HEAD, Plane, measure

JOBS = 300
IDLE_MIB, PEAK_MIB = 150, 210
"""What the operator promises without jobs; and well below its container's limit of 256: a job in flight takes up to
0.1 MiB of it, for its watched objects and what kopf remembers of them."""


@pytest.mark.timeout(900)
def test_all_jobs_end_cheaply_and_nothing_of_them_is_left(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with Plane(tmp_path, driver_seconds=5) as plane:
        figures = measure(plane, JOBS, 600, resync=10)
        record_property("figures", f"{HEAD}\n{figures.row()}")
        assert figures.phases == Counter(Complete=JOBS)
        assert figures.errors == 0, "a status that is out of date is none"
        # 30 while the queue is long, and half as many again where each event of a pod finds the operator at leisure.
        assert figures.calls / JOBS < 60
        assert figures.idle < IDLE_MIB
        assert figures.peak < PEAK_MIB
        # One look at each in each resync would be four calls, six times a minute.
        assert figures.afterwards < JOBS
        assert not plane.kube.select("DaskCluster")
        assert all(each["status"].get("succeeded") for each in plane.kube.select("Job"))
