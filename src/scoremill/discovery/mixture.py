"""The format of each input object, and URIs that stand for objects of several formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Literal

from scoremill.naming import PARQUET_SUFFIXES
from scoremill.spec.mention import mention
from scoremill.storage.filesystem import Found
from scoremill.storage.uri import has_wildcard

from .problem import Problem

Format = Literal["csv", "parquet"]


def format_of(item: Found, given: Literal["auto", "csv", "parquet"]) -> Format:
    """Return how an object is read: as the job says, or by its suffix."""
    if given != "auto":
        return given
    return "parquet" if item.name.lower().endswith(PARQUET_SUFFIXES) else "csv"


def mixed_formats(uri: str, objects: Sequence[Found], given: Literal["auto", "csv", "parquet"]) -> Iterator[Problem]:
    """Yield the problem of a URI that stands for CSV and Parquet objects: often the same rows twice."""
    first: dict[Format, Found] = {}
    for item in objects:
        first.setdefault(format_of(item, given), item)
    if len(first) < 2:
        return
    globs = [_narrowed(uri, PurePosixPath(first[kind].name).suffix) for kind in ("csv", "parquet")]
    fields = [mention("spec.input.uris", [glob]) for glob in globs if glob]
    hint = "Name the objects of one format with a glob."
    if fields:
        hint = f"Name the objects of one format with a glob, such as {' or '.join(fields)}; to score both, name both."
    yield Problem(
        "error",
        uri,
        f"both CSV and Parquet objects are found, such as {first['csv'].name} and {first['parquet'].name}",
        hint,
        code="MixedFormats",
    )


def _narrowed(uri: str, suffix: str) -> str | None:
    """Return a glob for those objects of `uri` that have the suffix, if there is a simple one."""
    if not suffix:
        return None
    if not has_wildcard(uri):
        return f"{uri.rstrip('/')}/**/*{suffix}"
    if uri.endswith("/**"):
        return f"{uri}/*{suffix}"
    if uri.endswith("*"):
        return f"{uri.removesuffix('.*')}{suffix}"
    return None
