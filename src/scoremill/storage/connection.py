"""fsspec file systems, one a process for each protocol and settings, called under the rules of retry and credentials."""

from __future__ import annotations

import logging
import os
import ssl
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import fsspec
from fsspec.asyn import get_loop, sync

from scoremill.errors import UsageError
from scoremill.extras import require
from scoremill.spec import Storage

from . import retry
from .credentials import Options, environment, fingerprint, fsspec_options
from .failures.google import raise_for_status
from .failures.refusal import Refusal
from .retry import persist
from .uri import protocol_of

T = TypeVar("T")

Key = tuple[object, ...]

_INSTANCES: dict[Key, Any] = {}
_LOCK = threading.RLock()
_LOGGER = logging.getLogger("scoremill.storage")
_TELLING_PAUSE = 1.0
"""Seconds of a pause from which on a user wants to know what is waited for."""
os.register_at_fork(after_in_child=lambda: globals().update(_LOCK=threading.RLock()))

_EXTRAS = {"s3": "s3", "gs": "gcs"}
"""Extras of scoremill, by protocol."""
_PACKAGES = {
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), "adlfs"),
    **dict.fromkeys(("http", "https"), "aiohttp"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    **dict.fromkeys(("webhdfs", "dbfs"), "requests"),
    "hdfs": "pyarrow",
    "smb": "smbprotocol",
    "oci": "ocifs",
    "hf": "huggingface_hub",
    "oss": "ossfs",
    "webdav": "webdav4[fsspec]",
}


class Connection:
    """Calls of one file system; equal ones share it. Cheap to make: nothing is loaded before the first call."""

    def __init__(self, uri: str, settings: Storage) -> None:
        self.protocol = protocol_of(uri)
        self.settings = settings
        self._uri = uri
        self._place = "" if self.protocol in {"s3", "gs", "memory"} else uri
        self._fingerprint = fingerprint(settings)

    @property
    def fs(self) -> Any:
        """The file system as it is now; another one after credentials were renewed."""
        key = self._key()
        with _LOCK:
            if key not in _INSTANCES:
                _INSTANCES[key] = _connect(self.protocol, self._uri, self.settings)
            return _INSTANCES[key]

    def call(self, action: Callable[[Any], T]) -> T:
        """What `action` returns, given the file system; tried again as retry.py says."""
        used: list[Any] = [None]

        def attempt() -> T:
            used[0] = self.fs
            return action(used[0])

        return persist(attempt, lambda: self._forget(used[0]), self._log_wait)

    def _log_wait(self, error: Exception, attempt: int, pause: float) -> None:
        if pause >= _TELLING_PAUSE:
            said = Refusal(error, self._uri, self.settings).said
            message = "%s: %s; attempt %d of %d follows in %.0f s"
            _LOGGER.warning(message, self._uri, said, attempt + 1, retry.PATIENCE.tries, pause)

    def _forget(self, stale: Any) -> None:
        # Another thread might have renewed it already.
        with _LOCK:
            if _INSTANCES.get(self._key()) is stale:
                del _INSTANCES[self._key()]

    def _key(self) -> Key:
        return os.getpid(), self.protocol, self._place, self._fingerprint, environment()


def require_protocol(protocol: str) -> None:
    """Nothing, if there is a file system for `protocol`; else UsageError with the package to install."""
    if extra := _EXTRAS.get(protocol):
        require(extra, f"{protocol}://")
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError:
        package = _PACKAGES.get(protocol, f"the fsspec package for {protocol}")
        raise UsageError(
            f"{protocol}:// needs a package that is not installed", f"pip install {package}", code="PackageMissing"
        ) from None
    except ValueError:
        raise UsageError(
            f"no file system is known for {protocol}://",
            "Local paths, s3:// and gs:// are built in; for others install their fsspec package, such as `pip install adlfs` "
            "for abfs://.",
            code="PackageMissing",
        ) from None


def _connect(protocol: str, uri: str, settings: Storage) -> Any:
    require_protocol(protocol)
    options = fsspec_options(protocol, settings)
    try:
        match protocol:
            case "s3":
                return _connect_s3(options)
            case "gs":
                return _connect_gs(options, settings)
            case _:
                return fsspec.core.url_to_fs(uri, **options)[0]
    except TypeError:
        names = ", ".join(sorted({*settings.options, *(["optionsFile"] if settings.options_file else [])}))
        raise UsageError(
            f"the file system for {protocol}:// does not take these storage options: {names}",
            code="InvalidStorageOptions",
        ) from None


def _connect_s3(options: Options) -> Any:
    fs = fsspec.filesystem("s3", **options)
    fs.retries = 1
    fs.connect()
    fs.s3.meta.events.register_first("needs-retry.s3.HeadBucket", _stop_redirects)
    return fs


def _stop_redirects(response: Any, **_: Any) -> None:
    """End botocore's search for a bucket's region if a service redirects that search too: it would never end."""
    if response is not None and response[0].status_code in {301, 302, 307, 308}:
        from botocore.exceptions import ClientError

        if "x-amz-bucket-region" not in response[1]["ResponseMetadata"]["HTTPHeaders"]:
            raise ClientError(response[1], "HeadBucket")


def _connect_gs(options: Options, settings: Storage) -> Any:
    """Plain JSON over HTTPS: gcsfs' default class asks for a bucket's type over gRPC, which emulators and firewalls drop."""
    from gcsfs.core import GCSFileSystem

    class OneAttempt(GCSFileSystem):  # type: ignore[misc]
        # gcsfs' own retries would multiply with ours, and log tracebacks. They have no setting (docs/design/decisions.md).
        _request = getattr(GCSFileSystem._request, "__wrapped__", GCSFileSystem._request)

    # Bytes of objects are read as they are stored. Other answers are not compressed, because nothing would decompress them.
    session: Options = {
        "raise_for_status": raise_for_status,
        "auto_decompress": False,
        "headers": {"Accept-Encoding": "identity"},
    }
    if settings.ca_bundle:
        session["connector"] = sync(get_loop(), _trusting, settings.ca_bundle)
    return OneAttempt(**{**options, "session_kwargs": {**options.get("session_kwargs", {}), **session}})


async def _trusting(ca_bundle: str) -> Any:
    import aiohttp

    return aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca_bundle))
