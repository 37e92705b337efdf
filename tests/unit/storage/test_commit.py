from __future__ import annotations

import hashlib
from array import array
from pathlib import Path

import pytest

from scoremill.errors import StorageError
from scoremill.storage.filesystem import Store
from scoremill.storage.stores.commit import PART_BYTES, PartedUpload, is_temporary, temporary_name


class Recorder(PartedUpload):
    """An object store that notes what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, int]] = []

    def _put(self, data: bytes) -> None:
        self.asked.append(("put", len(data)))

    def _begin(self) -> None:
        self.asked.append(("begin", 0))

    def _send(self, data: bytes) -> None:
        self.asked.append(("send", len(data)))

    def _finish(self, last: bytes) -> None:
        self.asked.append(("finish", len(last)))

    def _cancel(self) -> None:
        self.asked.append(("cancel", 0))


def upload(*sizes: int) -> Recorder:
    recorder = Recorder()
    for size in sizes:
        recorder.write(memoryview(bytes(size)))
    return recorder


def test_a_small_object_is_one_request() -> None:
    recorder = upload(10, PART_BYTES - 11)
    recorder.commit()
    assert recorder.asked == [("put", PART_BYTES - 1)]


def test_a_large_object_goes_in_equal_parts_however_it_is_written() -> None:
    recorder = upload(5, 2 * PART_BYTES, 1)
    recorder.commit()
    assert recorder.asked == [("begin", 0), ("send", PART_BYTES), ("send", PART_BYTES), ("finish", 6)]


def test_only_an_upload_that_began_is_cancelled() -> None:
    small, large = upload(10), upload(PART_BYTES)
    small.abort()
    large.abort()
    assert small.asked == [] and large.asked[-1] == ("cancel", 0)


def test_temporary_names_are_hidden_and_recognized() -> None:
    name = temporary_name("in/part-00001.parquet")
    assert name.startswith("in/.part-00001.parquet.") and is_temporary(name)
    assert temporary_name("a") != temporary_name("a")
    assert len(temporary_name("日" * 85).encode()) <= 255
    for other in ("a.tmp", ".a.tmp", "in/.a.0123456789abcdef.tmp/x", "a.0123456789abcdef.tmp"):
        assert not is_temporary(other)


def test_a_publication_takes_whatever_holds_bytes(tmp_path: Path) -> None:
    numbers = array("q", range(100))
    with Store(str(tmp_path)).publish("a") as publication:
        assert publication.write(bytearray(b"ab")) == 2
        assert publication.write(numbers) == 800
        assert publication.tell() == publication.size == 802
    content = (tmp_path / "a").read_bytes()
    assert content == b"ab" + numbers.tobytes()
    assert publication.sha256 == hashlib.sha256(content).hexdigest()


def test_closing_ends_writing_but_the_block_decides(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    with pytest.raises(RuntimeError), store.publish("a") as publication:
        publication.write(b"x")
        publication.close()
        raise RuntimeError
    assert store.list() == [] and list(tmp_path.iterdir()) == []
    with store.publish("a") as publication:
        publication.close()
        with pytest.raises(ValueError, match="closed"):
            publication.write(b"x")
    assert store.read("a") == b""


def test_a_failing_commit_leaves_nothing_and_is_explained(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    with pytest.raises(StorageError, match="a") as raised, store.publish("a") as publication:
        publication.write(b"x")
        (tmp_path / "a").mkdir()
    assert raised.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_errors_of_the_block_stay_what_they_are(tmp_path: Path) -> None:
    fault = OSError("of something else")
    with pytest.raises(OSError) as raised, Store(str(tmp_path)).publish("a"):
        raise fault
    assert raised.value is fault


def test_sweep_finds_temporary_files_in_all_folders_and_no_others(tmp_path: Path) -> None:
    left = [temporary_name("a"), temporary_name("deep/down/b")]
    for name in (*left, ".hidden", "a.tmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    store = Store(str(tmp_path))
    assert [one.name for one in store.list()] == [".hidden", "a.tmp"]
    assert store.sweep() == sorted(left) and store.sweep() == []
    assert [one.name for one in store.list()] == [".hidden", "a.tmp"]
