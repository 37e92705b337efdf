"""The report of an output: what Python programs and the command line call."""

from __future__ import annotations

import os

from scoremill.spec import Storage
from scoremill.storage.filesystem import Store

from .build import Report, build_report


def read_report(output: str | os.PathLike[str], storage: Storage | None = None) -> Report:
    """Return the rows, rejected rows, timings and memory of the run that wrote an output.

    Parameters
    ----------
    output : str or path
        Folder or prefix that the run wrote to; the run need not be complete.
    storage : Storage, optional
        How the store is reached.

    Returns
    -------
    Report
        `state`, `rows`, `scored`, `rejected`, `seconds` and more; a table in a notebook.

    Raises
    ------
    UsageError
        If there is no output at `output`.
    StorageError
        If it cannot be read.

    Examples
    --------
    >>> scoremill.read_report("scores/").scored  # doctest: +SKIP
    200000

    """
    return build_report(Store(os.fspath(output), storage or Storage()))
