"""S3 and what speaks its protocol, through s3fs' one call for every operation of the service."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Any

from fsspec.asyn import sync

from ..connection import Connection
from ..failures.faults import VersionChanged, code_of, is_absent
from .backend import described
from .commit import PartedUpload, temporary_name
from .objects import MOST_CHILDREN, ObjectInfo

_REFUSED = {"PreconditionFailed", "412"}
_MARK = "scoremill-write"
"""Metadata that identifies a write of this process whose response was lost."""


class S3Backend:
    """A prefix in a bucket."""

    def __init__(self, connection: Connection, uri: str) -> None:
        self._connection = connection
        self._uri = uri

    @cached_property
    def has_conditional_create(self) -> bool:
        """True if the server supports conditional writes: Amazon S3 does; others are tested, since they can ignore it."""
        endpoints = (
            self._connection.settings.endpoint,
            os.environ.get("AWS_ENDPOINT_URL_S3"),
            os.environ.get("AWS_ENDPOINT_URL"),
        )
        if not any(endpoints) and "endpoint_url" not in self._connection.fs.storage_options:
            return True
        name = temporary_name("probe")
        try:
            return self.create(name, b"1") and not self.create(name, b"2")
        except NotImplementedError:
            return False
        finally:
            self.delete([name])

    def info(self, name: str) -> ObjectInfo | None:
        head = self._head(name)
        return None if head is None else described(name, {**head, "size": head["ContentLength"]})

    def listed(self, prefix: str) -> list[ObjectInfo]:
        skip = len(self._key(""))
        found = (described(one["Key"][skip:], one) for one in self._pages("list_objects_v2", "Contents", prefix))
        return sorted((one for one in found if one.name and not one.name.endswith("/")), key=lambda one: one.name)

    def children(self, folder: str) -> list[str]:
        answer = self._connection.call(
            lambda fs: fs.call_s3(
                "list_objects_v2", Bucket=self._bucket, Prefix=self._key(folder), Delimiter="/", MaxKeys=MOST_CHILDREN
            )
        )
        found = [one["Key"] for one in answer.get("Contents", [])] + [
            one["Prefix"] for one in answer.get("CommonPrefixes", [])
        ]
        return [name for key in found if (name := key.removeprefix(self._key(folder)))]

    def read(self, name: str, start: int, end: int | None, version: str | None) -> bytes:
        if end is not None and end <= start:
            return b""
        asked: dict[str, Any] = {}
        if start or end is not None:
            asked["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        if version is not None:
            asked["IfMatch"] = f'"{version}"'
        try:
            return self._connection.call(lambda fs: self._get(fs, name, asked))
        except OSError as error:
            if code_of(error) in _REFUSED:
                raise VersionChanged from None
            if code_of(error) in {"InvalidRange", "416"}:
                return b""
            raise

    def write(self, name: str, data: bytes) -> None:
        self.call("put_object", name, Body=data)

    def create(self, name: str, data: bytes) -> bool:
        mark = secrets.token_hex(8)
        try:
            self.call("put_object", name, Body=data, IfNoneMatch="*", Metadata={_MARK: mark})
        except OSError as error:
            if not isinstance(error, FileExistsError) and code_of(error) not in _REFUSED:
                raise
            return self.has_mark(name, mark)
        return True

    def delete(self, names: Sequence[str]) -> None:
        for first in range(0, len(names), 1000):
            keys = [{"Key": self._key(name)} for name in names[first : first + 1000]]
            self._connection.call(partial(self._delete, keys))

    def upload(self, name: str) -> S3Upload:
        return S3Upload(self, name)

    def sweep(self, *, remove: bool = True) -> list[str]:
        """Best effort: an identity can lack the permission to list uploads, and a server the operation."""
        try:
            left = list(self._pages("list_multipart_uploads", "Uploads", ""))
        except (PermissionError, NotImplementedError):
            return []
        skip = len(self._key(""))
        for one in left if remove else ():
            name = one["Key"][skip:]
            self.call("abort_multipart_upload", name, UploadId=one["UploadId"])
        return sorted(one["Key"][skip:] for one in left)

    def call(self, operation: str, name: str, **arguments: Any) -> Any:
        """The answer to one operation on the object `name`."""
        return self._connection.call(
            lambda fs: fs.call_s3(operation, Bucket=self._bucket, Key=self._key(name), **arguments)
        )

    def has_mark(self, name: str, mark: str) -> bool:
        """Return whether the object `name` was written by the write with this `mark`."""
        head = self._head(name)
        return head is not None and head.get("Metadata", {}).get(_MARK) == mark

    def _head(self, name: str) -> Any:
        """Return the metadata of an object; None if it does not exist."""
        try:
            return self.call("head_object", name)
        except OSError as error:
            if not code_of(error).isdigit():
                raise
        return self._get_head(name)

    def _get_head(self, name: str) -> Any:
        """The same by a GET: the answer to a HEAD has no body, so its status alone says neither what is missing nor why."""
        try:
            return self._connection.call(lambda fs: self._get_unread(fs, name))
        except OSError as error:
            if is_absent(error):
                return None
            raise

    def _get_unread(self, fs: Any, name: str) -> Any:
        answer = fs.call_s3("get_object", Bucket=self._bucket, Key=self._key(name))
        sync(fs.loop, _close, answer["Body"])
        return answer

    def _get(self, fs: Any, name: str, asked: dict[str, Any]) -> bytes:
        answer = fs.call_s3("get_object", Bucket=self._bucket, Key=self._key(name), **asked)
        return sync(fs.loop, _all_of, answer["Body"])  # type: ignore[no-any-return]

    def _delete(self, keys: list[dict[str, str]], fs: Any) -> None:
        answer = fs.call_s3("delete_objects", Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True})
        for refused in answer.get("Errors", []):
            if refused["Code"] != "NoSuchKey":
                raise _Refused({"Error": refused})

    def _pages(self, operation: str, field: str, prefix: str) -> Iterator[dict[str, Any]]:
        marker: dict[str, str] = {}
        while True:
            answer = self._connection.call(partial(self._page, operation, prefix, marker))
            yield from (one for one in answer.get(field, []) if one["Key"].startswith(self._key(prefix)))
            if not answer.get("IsTruncated"):
                return
            if operation == "list_objects_v2":
                marker = {"ContinuationToken": answer["NextContinuationToken"]}
            else:
                marker = {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer["NextUploadIdMarker"]}

    def _page(self, operation: str, prefix: str, marker: dict[str, str], fs: Any) -> Any:
        return fs.call_s3(operation, Bucket=self._bucket, Prefix=self._key(prefix), **marker)

    @cached_property
    def _place(self) -> tuple[str, str]:
        bucket, prefix, _ = self._connection.fs.split_path(self._uri)
        return bucket, f"{prefix}/" if prefix else ""

    @property
    def _bucket(self) -> str:
        return self._place[0]

    def _key(self, name: str) -> str:
        return self._place[1] + name


async def _close(body: Any) -> None:
    body.close()


async def _all_of(body: Any) -> bytes:
    async with body:
        data: bytes = await body.read()
    return data


class S3Upload(PartedUpload):
    """A multipart upload, each part under the rules of retry."""

    def __init__(self, backend: S3Backend, name: str) -> None:
        super().__init__()
        self._backend = backend
        self._name = name
        self._mark = secrets.token_hex(8)
        self._upload = ""
        self._tags: list[dict[str, Any]] = []

    def _put(self, data: bytes) -> None:
        self._backend.write(self._name, data)

    def _begin(self) -> None:
        answer = self._backend.call("create_multipart_upload", self._name, Metadata={_MARK: self._mark})
        self._upload = answer["UploadId"]

    def _send(self, data: bytes) -> None:
        number = len(self._tags) + 1
        answer = self._backend.call("upload_part", self._name, UploadId=self._upload, PartNumber=number, Body=data)
        self._tags.append({"PartNumber": number, "ETag": answer["ETag"]})

    def _finish(self, last: bytes) -> None:
        if last:
            self._send(last)
        try:
            self._backend.call(
                "complete_multipart_upload", self._name, UploadId=self._upload, MultipartUpload={"Parts": self._tags}
            )
        except FileNotFoundError:
            # An earlier attempt might have completed it, although its response was lost.
            if not self._backend.has_mark(self._name, self._mark):
                raise

    def _cancel(self) -> None:
        self._backend.call("abort_multipart_upload", self._name, UploadId=self._upload)


class _Refused(OSError):
    """A key that a bulk deletion left alone."""

    def __init__(self, response: dict[str, Any]) -> None:
        super().__init__(response["Error"].get("Message", "refused"))
        self.response = response
