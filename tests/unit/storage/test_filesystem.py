from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from scoremill.errors import InputError, StorageError, UsageError
from scoremill.spec import Storage
from scoremill.storage.filesystem import Store, find, is_local


def test_paths_and_file_uris_are_local_and_others_are_not() -> None:
    assert all(map(is_local, ("data", "/data", "~/data", "file:///data", "local://data", "./s3:/x")))
    assert not any(map(is_local, ("s3://b", "S3A://b", "gs://b", "memory://x", "https://host/x")))


@pytest.mark.parametrize(
    ("uri", "kept"),
    [
        ("s3://b/x//", "s3://b/x"),
        ("/data/", "/data"),
        ("/", "/"),
        ("file:///", "file:///"),
        ("data/", "data"),
        ("gs://b/", "gs://b"),
    ],
)
def test_trailing_slashes_mean_nothing(uri: str, kept: str) -> None:
    assert Store(uri).uri == kept


def test_a_relative_store_means_the_same_folder_in_a_process_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Store("data").write("a", b"1")
    travelling = pickle.dumps(Store("data"))
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(travelling).read("a") == b"1"


def test_a_store_shows_its_uri_only() -> None:
    assert repr(Store("s3://b/x", Storage(options={"region": "eu-west-1"}))) == "Store('s3://b/x')"


@pytest.mark.parametrize(
    ("uri", "message", "hint"),
    [
        ("abfs://container/x", "not installed", "pip install adlfs"),
        ("nonsense://x", "no file system is known", "pip install adlfs"),
        ("simplecache::s3://b/x", "chained", "the location itself"),
        ("sftp://me:secret@host/x", "password", "optionsFile"),
        ("", "empty", "path or a URI"),
    ],
)
def test_unsupported_locations_are_refused_with_a_hint(uri: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        Store(uri)
    assert raised.value.hint and hint in raised.value.hint
    assert "secret" not in str(raised.value)


def test_settings_of_the_clouds_are_refused_for_other_stores() -> None:
    with pytest.raises(UsageError, match=r"storage\.profile"):
        Store("memory://x", Storage(profile="p")).list()


def test_local_files_load_no_library_of_a_cloud() -> None:
    code = (
        "import sys; from scoremill.storage.store import Store; Store('.').list('pyproject'); "
        "print([m for m in ('s3fs', 'gcsfs', 'pyarrow', 'pandas', 'dask', 'botocore') if m in sys.modules])"
    )
    source = {"PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    shown = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **source}, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    Store(str(tmp_path / "far")).write("x/1.csv", b"1")
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "link").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "x" / "circle").symlink_to(tmp_path / "far")
    (tmp_path / "near" / "broken").symlink_to(tmp_path / "nowhere")
    assert [one.name for one in Store(str(tmp_path / "near")).list()] == ["link/x/1.csv"]


def test_a_file_system_without_links_still_creates_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    store = Store(str(tmp_path))
    assert store.create("a", b"1") and not store.create("a", b"2")
    assert store.read("a") == b"1" and os.listdir(tmp_path) == ["a"]


def test_a_folder_without_permission_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as raised:
        Store(str(tmp_path / "file")).write("a", b"1")
    assert raised.value.hint and str(tmp_path / "file") in raised.value.message


def test_nothing_found_says_how_globs_work(tmp_path: Path) -> None:
    (tmp_path / "2009-01").mkdir()
    (tmp_path / "2009-01" / "x.csv").touch()
    with pytest.raises(InputError, match="nothing is found") as raised:
        find(f"{tmp_path}/2009-*")
    assert raised.value.hint and "**" in raised.value.hint
    assert [one.name for one in find(f"{tmp_path}/2009-*/**").objects] == ["2009-01/x.csv"]


def test_relative_and_home_paths_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.csv").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for uri in ("in/x.csv", "in/*.csv", "in", "*/x.csv", "~/in/*.csv", f"file://{tmp_path}/in/?.csv", "**"):
        [found] = find(uri).objects
        assert Store(found.root).read(found.name) == b"1", uri
