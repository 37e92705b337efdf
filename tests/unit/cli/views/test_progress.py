"""Progress on stderr, of real runs and of events."""

from __future__ import annotations

import pytest

from scoremill.cli.views import progress
from scoremill.events import Progress, Started


def test_a_resumed_run_says_how_much_is_done_and_when_nothing_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.ProgressView() as watch:
        watch(Started(4, 3, 30, 100, 40))
        watch(Started(4, 4, 40, 100, 40))
    assert capsys.readouterr().err.splitlines() == [
        "resuming: 3 of 4 partitions are done",
        "resuming: 4 of 4 partitions are done; nothing to do",
    ]


def test_rates_and_the_time_left_count_from_the_first_partition(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 100.0, 200.0, 210.0, 280.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with progress.ProgressView() as watch:
        watch(Started(10, 0, 0, 100, 1000))
        watch(Progress(1, 100, 0, 1, 2))
        watch(Progress(2, 200, 0, 1, 2))
        watch(Progress(9, 900, 1, 1, 2))
    assert capsys.readouterr().err.splitlines() == [
        "1/10 partitions, 100 rows, 0 rejected, 2 workers",
        "9/10 partitions, 900 rows, 10 rows/s, 1 rejected, 2 workers, 10 s left",
    ]
