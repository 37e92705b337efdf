"""`--cluster auto`: a small input needs no processes, and a slow model gets some, with the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoremill import score
from scoremill.events import Event, Note, Progress
from scoremill.ledger import Ledger
from scoremill.storage.filesystem import Store
from tests.support.jobs import make_job, objects
from tests.support.slow import SECONDS, slow_bundle, slow_rows

CUT = {"partitionBytes": "1KiB"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return slow_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight files of 400 rows."""
    folder = tmp_path_factory.mktemp("rows")
    for number in range(8):
        (folder / f"{number}.csv").write_bytes(slow_rows(400, {}))
    return folder


@pytest.mark.slow
def test_slow_model_is_given_processes_for_what_is_left(
    bundle: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = make_job(bundle, f"{folder}/*.csv", str(tmp_path / "fast"), input=CUT)
    events: list[Event] = []
    score(fast, watchers=[events.append])
    assert {event.workers for event in events if isinstance(event, Progress)} == {1}
    monkeypatch.setenv(SECONDS, "0.005")
    slow = make_job(bundle, f"{folder}/*.csv", str(tmp_path / "slow"), input=CUT)
    events.clear()
    score(slow, watchers=[events.append])
    processes = {receipt.worker for receipt in Ledger(Store(str(tmp_path / "slow"))).latest()}
    assert len(processes) > 1, processes
    assert [event.text for event in events if isinstance(event, Note)] == [
        "scoring takes long: starting local processes for the rest",
    ]
    assert objects(str(tmp_path / "slow")) == objects(str(tmp_path / "fast"))
