"""From the names that columns have in the input to those that the model and the job use."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from scoremill.errors import InputError
from scoremill.spec.mention import mention
from scoremill.units import quoted

_IGNORED = re.compile(r"[\s_]+")


def relaxed(name: str) -> str:
    """Return what is compared of a name without case, blanks and underscores."""
    return _IGNORED.sub("", name).casefold()


@dataclass(frozen=True, slots=True)
class Renaming:
    """How the columns of an input object are renamed; the same for all objects of a job."""

    pairs: tuple[tuple[str, str], ...] = ()
    """Names in the input, each with the name that takes its place."""
    is_relaxed: bool = False
    """True if names also match without case, blanks and underscores."""

    def __bool__(self) -> bool:
        return bool(self.pairs) or self.is_relaxed

    def changes(self, names: Sequence[str], wanted: Collection[str]) -> dict[str, str]:
        """Return the new names of those columns of an object that get one.

        Relaxed matching looks for the `wanted` columns that `names` lacks. InputError if two columns would have one
        name, or if several could be meant.
        """
        changes = {old: new for old, new in self.pairs if old in names}
        _refuse_twins(names, changes)
        if self.is_relaxed:
            changes |= _matches([name for name in names if name not in changes], wanted, {*changes.values()})
        return changes


def renamed(names: Sequence[str], changes: Mapping[str, str]) -> tuple[str, ...]:
    """Return `names` with their `changes`."""
    return tuple(changes.get(name, name) for name in names)


def _refuse_twins(names: Sequence[str], changes: Mapping[str, str]) -> None:
    count = Counter(renamed(names, changes))
    for old, new in changes.items():
        if count[new] > 1:
            other = next(name for name in names if name != old and changes.get(name, name) == new)
            raise InputError(
                f"`spec.input.rename` gives column {quoted(old)} the name {quoted(new)}, which column {quoted(other)} has too",
                "Give each column a name of its own, or rename only one of them.",
                code="DuplicateColumn",
            )


def _matches(names: Sequence[str], wanted: Collection[str], taken: Collection[str]) -> dict[str, str]:
    """Return the names of `wanted` columns for those of `names` that differ from them in case, blanks or underscores."""
    found: dict[str, str] = {}
    missing = [name for name in wanted if name not in names and name not in taken]
    for new in missing:
        rivals = [name for name in missing if relaxed(name) == relaxed(new)]
        meant = [name for name in names if name not in wanted and relaxed(name) == relaxed(new)]
        if meant and len(meant) + len(rivals) > 2:
            fields = " or ".join(mention("spec.input.rename", {old: name}) for name in rivals for old in meant)
            raise InputError(
                f"without case, blanks and underscores {_listed(meant)} can be {_listed(rivals)}",
                f"Say which is meant: {fields}.",
                code="AmbiguousColumn",
            )
        found |= dict.fromkeys(meant, new)
    return found


def _listed(names: Sequence[str]) -> str:
    return " or ".join(map(quoted, names))
