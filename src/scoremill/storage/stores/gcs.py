"""Google Cloud Storage's JSON interface, through gcsfs."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote

from ..connection import Connection
from ..failures.faults import VersionChanged, code_of, is_absent
from ..failures.google import in_bucket
from .backend import described
from .commit import PartedUpload
from .objects import MOST_CHILDREN, ObjectInfo

_MARK = "scoremill-write"
"""Metadata that identifies a write of this process whose response was lost."""
_BINARY = "application/octet-stream"
_DELETIONS = 16
"""Deletions under way at a time."""


class GcsBackend:
    """A prefix in a bucket. Unfinished uploads are invisible, cost nothing, and end by themselves after a week."""

    has_conditional_create = True

    def __init__(self, connection: Connection, uri: str) -> None:
        self._connection = connection
        self._bucket, _, prefix = uri.partition("://")[2].strip("/").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""

    def info(self, name: str) -> ObjectInfo | None:
        detail = self._detail(name)
        return None if detail is None else described(name, detail)

    def listed(self, prefix: str) -> list[ObjectInfo]:
        skip = len(self._prefix)
        found = (described(one["name"][skip:], one) for one in self._pages(prefix))
        return sorted((one for one in found if one.name and not one.name.endswith("/")), key=lambda one: one.name)

    def children(self, folder: str) -> list[str]:
        asked = {"prefix": self._key(folder), "delimiter": "/", "maxResults": MOST_CHILDREN}
        page = self._connection.call(lambda fs: fs.call("GET", "b/{}/o", self._bucket, json_out=True, **asked))
        found = [one["name"] for one in page.get("items", [])] + page.get("prefixes", [])
        return [name for key in found if (name := key.removeprefix(self._key(folder)))]

    def read(self, name: str, start: int, end: int | None, version: str | None) -> bytes:
        if end is not None and end <= start:
            return b""
        headers = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if start or end is not None else {}
        try:
            return self._connection.call(lambda fs: self._get(fs, name, headers, version))
        except FileNotFoundError:
            if version is not None and self.info(name) is not None:
                raise VersionChanged from None
            raise
        except Exception as error:
            if code_of(error) == "416":
                return b""
            raise

    def write(self, name: str, data: bytes) -> None:
        self._connection.call(lambda fs: self._put(fs, name, data))

    def create(self, name: str, data: bytes) -> bool:
        mark = secrets.token_hex(8)
        try:
            self._connection.call(lambda fs: self._put(fs, name, data, {_MARK: mark}, ifGenerationMatch="0"))
        except FileExistsError:
            detail = self._detail(name)
            return detail is not None and detail.get("metadata", {}).get(_MARK) == mark
        return True

    def delete(self, names: Sequence[str]) -> None:
        for first in range(0, len(names), _DELETIONS):
            self._connection.call(partial(self._delete, set(names[first : first + _DELETIONS])))

    def upload(self, name: str) -> GcsUpload:
        return GcsUpload(self, self._connection, name)

    def sweep(self, *, remove: bool = True) -> list[str]:
        return []

    def begin(self, fs: Any, name: str) -> str:
        """Start a resumable upload; return its URL, which is a secret because it allows writing."""
        about = {"json": {"name": self._key(name)}, "headers": {"X-Upload-Content-Type": _BINARY}}
        with in_bucket():
            answer = fs.call("POST", self._uploads(fs), uploadType="resumable", **about, **self._encryption())
        location: str = answer[0]["Location"]
        return location

    def _put(self, fs: Any, name: str, data: bytes, metadata: dict[str, str] | None = None, **conditions: str) -> None:
        about = json.dumps({"name": self._key(name), "metadata": metadata or {}}).encode()
        mark = secrets.token_hex(16).encode()
        body = b"--%b\nContent-Type: application/json; charset=UTF-8\n\n%b\n--%b\nContent-Type: %b\n\n%b\n--%b--"
        with in_bucket():
            fs.call(
                "POST",
                self._uploads(fs),
                uploadType="multipart",
                headers={"Content-Type": f'multipart/related; boundary="{mark.decode()}"'},
                data=_repeatable(body % (mark, about, mark, _BINARY.encode(), data, mark)),
                **conditions,
                **self._encryption(),
            )

    def _uploads(self, fs: Any) -> str:
        return f"{fs.base.removesuffix('storage/v1/')}upload/storage/v1/b/{quote(self._bucket, safe='')}/o"

    def _get(self, fs: Any, name: str, headers: dict[str, str], version: str | None) -> bytes:
        """Return bytes of an object as they are stored.

        Google would otherwise decompress those with `Content-Encoding: gzip`: a range of them is then not what was asked for.
        """
        address = fs.url(f"{self._bucket}/{self._key(name)}", generation=version)
        data: bytes = fs.call("GET", address, headers={**headers, "Accept-Encoding": "gzip"})[1]
        return data

    def _detail(self, name: str) -> Any:
        try:
            return self._connection.call(
                lambda fs: fs.call("GET", "b/{}/o/{}", self._bucket, self._key(name), json_out=True)
            )
        except FileNotFoundError as error:
            if not is_absent(error):
                raise
            return None

    def _delete(self, left: set[str], fs: Any) -> None:
        """Delete the objects that are `left`; a further attempt begins with those that could not be deleted.

        If it began with all of them, many deletions would never succeed at the same time on a store that is busy.
        """

        def delete(name: str) -> None:
            with suppress(FileNotFoundError):
                fs.call("DELETE", "b/{}/o/{}", self._bucket, self._key(name))
            left.discard(name)

        with ThreadPoolExecutor(_DELETIONS) as pool:
            ends = [pool.submit(delete, name) for name in sorted(left)]
        for end in ends:
            end.result()

    def _pages(self, prefix: str) -> Iterator[dict[str, Any]]:
        token = None
        while True:
            page = self._connection.call(partial(self._page, prefix, token))
            yield from page.get("items", [])
            token = page.get("nextPageToken")
            if not token:
                return

    def _page(self, prefix: str, token: str | None, fs: Any) -> Any:
        with in_bucket():
            return fs.call("GET", "b/{}/o", self._bucket, json_out=True, prefix=self._key(prefix), pageToken=token)

    def _encryption(self) -> dict[str, str]:
        key = self._connection.settings.kms_key
        return {"kmsKeyName": key} if key else {}

    def _key(self, name: str) -> str:
        return self._prefix + name


def _repeatable(data: bytes) -> Any:
    """A body that gcsfs can send again: aiohttp closes ordinary files, and warns about plain bytes above 1 MiB."""
    from gcsfs.core import UnclosableBytesIO

    return UnclosableBytesIO(data)


class GcsUpload(PartedUpload):
    """A resumable upload: bytes that the store has already are ignored when they are sent again."""

    def __init__(self, backend: GcsBackend, connection: Connection, name: str) -> None:
        super().__init__()
        self._backend = backend
        self._connection = connection
        self._name = name
        self._location = ""
        self._sent = 0

    def _put(self, data: bytes) -> None:
        self._backend.write(self._name, data)

    def _begin(self) -> None:
        self._location = self._connection.call(lambda fs: self._backend.begin(fs, self._name))

    def _send(self, data: bytes) -> None:
        self._transfer(data, total="*")

    def _finish(self, last: bytes) -> None:
        self._transfer(last, total=str(self._sent + len(last)))

    def _cancel(self) -> None:
        self._connection.call(lambda fs: fs.call("DELETE", self._location))

    def _transfer(self, data: bytes, total: str) -> None:
        """Sends `data`, and again what of it the store did not keep."""
        end = self._sent + len(data)
        while True:
            place = f"{self._sent}-{end - 1}" if end > self._sent else "*"
            rest = data[len(data) - (end - self._sent) :]
            headers = {"Content-Range": f"bytes {place}/{total}", "Content-Type": _BINARY}
            kept = self._connection.call(partial(self._transfer_once, headers, rest))
            self._sent = int(kept.rpartition("-")[2]) + 1 if kept else end
            if self._sent >= end:
                return

    def _transfer_once(self, headers: dict[str, str], data: bytes, fs: Any) -> str | None:
        kept: str | None = fs.call("PUT", self._location, headers=headers, data=_repeatable(data))[0].get("Range")
        return kept
