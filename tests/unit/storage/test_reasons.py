"""What a user reads about errors of this machine's file systems."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from scoremill.errors import StorageError
from scoremill.spec import Storage
from scoremill.storage.failures.explain import explain
from scoremill.storage.filesystem import Store


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EROFS, "cannot write /data/out: the file system is read-only"),
        (errno.EACCES, "permission denied: /data/out"),
        (errno.ENOSPC, "no space or quota left for /data/out"),
        (errno.EDQUOT, "no space or quota left for /data/out"),
        (errno.ENOENT, "no such file: /data/out"),
        (errno.EIO, "the store refused /data/out: [Errno 5] Input/output error"),
    ],
)
def test_error_of_the_file_system_is_named_as_what_it_is(number: int, message: str) -> None:
    error = explain(OSError(number, os.strerror(number)), "/data/out", Storage())
    assert error.message == message and error.hint


def test_folder_that_cannot_be_created_is_no_missing_object() -> None:
    with pytest.raises(StorageError) as raised:
        Store("/proc/x").write("a", b"1")
    assert raised.value.message == "cannot create /proc/x/a: no files can be created there"


@pytest.mark.parametrize("below", ["file", "file/out", "file/out/more"])
def test_path_through_a_file_names_the_file(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("1")
    with pytest.raises(StorageError) as raised:
        Store(str(tmp_path / below)).write("a", b"1")
    assert raised.value.message == f"cannot use {tmp_path}/file as a folder: it is a file"
