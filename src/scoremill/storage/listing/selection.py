"""Which of the listed objects are data: neither directory markers nor objects of scoremill outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from scoremill.naming import LEDGER, MANIFEST

from ..stores.objects import ObjectInfo

_HADOOP_MARKER = "_$folder$"


@dataclass(frozen=True, slots=True)
class Selection:
    """The data among the objects listed below one folder."""

    objects: list[ObjectInfo]
    outputs: Counter[str]
    """Number of objects left out, by the scoremill output below the folder that they belong to."""
    is_incomplete_output: bool
    """True if the folder is itself a scoremill output, and has no manifest."""


def select(listed: Sequence[ObjectInfo], folder: str, is_meant: Callable[[str], bool]) -> Selection:
    """Select the data among `listed`, the objects found below `folder` (empty, or a name with a trailing slash).

    Objects of an output that lies below `folder` are left out; if `folder` is itself an output, its parts are data.
    """
    folders = _folders(one.name for one in listed)
    outputs = {output for output in _outputs(folders) if output and output.startswith(folder)}
    objects, left_out = [], Counter[str]()
    for one in listed:
        if not is_meant(one.name) or is_marker(one, folders):
            continue
        output = _enclosing(one.name, outputs) if outputs else None
        if output is None:
            objects.append(one)
        else:
            left_out[output] += 1
    is_output = f"{folder}{LEDGER}" in folders
    return Selection(objects, left_out, is_output and all(one.name != f"{folder}{MANIFEST}" for one in listed))


def is_marker(one: ObjectInfo, folders: Collection[str]) -> bool:
    """Return whether an object only stands for a folder, as consoles and Hadoop create them; `folders` hold other objects."""
    return one.size == 0 and (one.name in folders or one.name.endswith(_HADOOP_MARKER))


def _folders(names: Iterable[str]) -> set[str]:
    """Every folder that the objects of these names lie in."""
    folders: set[str] = set()
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def _outputs(folders: Iterable[str]) -> set[str]:
    steps = (folder.rpartition("/") for folder in folders)
    return {above for above, _, last in steps if last == LEDGER}


def _enclosing(name: str, outputs: Collection[str]) -> str | None:
    folder = name.rpartition("/")[0]
    while folder and folder not in outputs:
        folder = folder.rpartition("/")[0]
    return folder or None
