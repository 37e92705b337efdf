"""What is suggested in place of a path that does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoremill.spec import Storage
from scoremill.storage.listing.nearby import did_you_mean, does_not_exist


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "data" / "2009").mkdir(parents=True)
    (tmp_path / "data" / "2009" / "tumours.csv").write_text("")
    (tmp_path / "bundle").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "meant"),
    [("bundel", "bundle"), ("data/2009/tumors.csv", "data/2009/tumours.csv"), ("bundel/", "bundle")],
)
def test_closest_name_is_suggested_as_the_path_was_written(here: Path, path: str, meant: str) -> None:
    assert does_not_exist(path)
    assert did_you_mean(path, Storage(), "") == f"Did you mean {meant}?"
    assert did_you_mean(f"{here}/{path}", Storage(), "") == f"Did you mean {here}/{meant}?"


@pytest.mark.parametrize("path", ["entirely-different", "memory://b/bundel"])
def test_without_a_close_name_another_hint_is_given(here: Path, path: str) -> None:
    assert did_you_mean(path, Storage(), "Check the name.") == "Check the name."


def test_remote_places_are_not_looked_up() -> None:
    assert not does_not_exist("s3://b/none")
