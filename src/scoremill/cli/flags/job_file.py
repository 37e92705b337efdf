"""The job file among the arguments of a command, as opposed to data files that a shell pattern expanded to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import click

from scoremill.errors import UsageError
from scoremill.naming import PARQUET_SUFFIXES
from scoremill.storage.compression import SUFFIXES

from .mentions import has_job_file

_DATA = {".csv", ".tsv", ".txt", *PARQUET_SUFFIXES, *SUFFIXES}
_MANY = 3
"""Names in a message."""


def job_file(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> str | None:
    """Return the job file if one is given; raises UsageError for several files, and for data."""
    data = [name for name in given if PurePath(name).suffix.lower() in _DATA]
    if data:
        raise UsageError(
            f"not a job file: {_listed(data)}",
            f"Name data with --input, and quote a pattern, so that the shell does not expand it: --input '{_glob(data)}'.",
            code="JobFileNotFound",
        )
    if len(given) > 1:
        raise UsageError(f"more than one job file is given: {_listed(given)}", "Run the command once for each job.")
    if given:
        has_job_file(context)
    return given[0] if given else None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return ", ".join(names[:_MANY]) + more


def _glob(names: Sequence[str]) -> str:
    """Return a pattern that matches files such as these."""
    paths = [PurePath(name) for name in names]
    folder = paths[0].parent if len({path.parent for path in paths}) == 1 else PurePath()
    return str(folder / f"*{paths[0].suffix}")
