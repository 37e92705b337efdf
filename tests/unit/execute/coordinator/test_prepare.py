"""Settings of tasks are valid in every process."""

from __future__ import annotations

import pytest

from scoremill.execute.coordinator.prepare import prepare
from tests.support.jobs import make_job, trip_bundle, trips


@pytest.mark.parametrize("place", ["storage", "model", "input", "output"])
def test_files_of_settings_are_absolute_wherever_they_are_named(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    trip_bundle(tmp_path / "model")
    trips(50).to_csv("in.csv", index=False)
    (tmp_path / "options.yaml").touch(mode=0o600)
    storage = {"optionsFile": "options.yaml"}
    spec = {"storage": storage} if place == "storage" else {place: {"storage": storage}}
    prepared = prepare(make_job("model", "in.csv", "out", **spec))
    work = prepared.work(prepared.plan)
    files = {
        "model": work.model.storage.options_file,
        "input": work.input_storage.options_file,
        "output": work.output_storage.options_file,
    }
    wanted = str(tmp_path / "options.yaml")
    assert files == {name: wanted if place in {"storage", name} else None for name in files}
