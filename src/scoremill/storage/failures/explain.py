"""The one place where errors of client libraries become StorageError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scoremill.errors import InputChanged, RefusedError, ScoremillError, StorageError
from scoremill.spec import Storage

from .faults import GaveUpError, VersionChanged, code_of, is_absent, refuses_object
from .reasons import reason_of
from .refusal import Refusal

_HTTP = {"aiohttp", "requests", "urllib3"}
_LIBRARIES = {"botocore", "aiobotocore", "s3fs", "gcsfs", "google", "azure", "fsspec", *_HTTP}


def explain(error: Exception, uri: str, settings: Storage) -> ScoremillError:
    """Return the StorageError that says what failed at `uri`, and what to do about it."""
    kind = RefusedError if refuses_object(error) else StorageError
    return kind(*reason_of(Refusal(error, uri, settings)))


@contextmanager
def explained(uri: str, settings: Storage, version: str | None = None) -> Iterator[None]:
    """Turn errors of client libraries into StorageError, without their tracebacks.

    An object of which a `version` was asked for was there before: if it is missing, that is InputChanged.
    """
    try:
        yield
    except ScoremillError:
        raise
    except VersionChanged:
        raise InputChanged(
            f"{uri} was replaced after the run was planned",
            "Keep inputs unchanged while they are scored; plan again to score the new content.",
        ) from None
    except Exception as error:
        if not _is_of_a_store(error):
            raise
        if version is not None and is_absent(error) and code_of(error) != "NoSuchBucket":
            raise InputChanged(
                f"{uri} was removed after the run was planned",
                "Restore it and run the same command again, which resumes; or score what is there: `spec.output.mode: Overwrite`, or "
                "another output.",
            ) from None
        raise explain(error, uri, settings) from None


def _is_of_a_store(error: Exception) -> bool:
    return isinstance(error, OSError | GaveUpError) or type(error).__module__.partition(".")[0] in _LIBRARIES
