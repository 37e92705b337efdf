"""What is asked of each input object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from scoremill.spec import Column
from scoremill.tabular.rename import Renaming


@dataclass(frozen=True, slots=True)
class Asked:
    """The columns that a job names, and how it renames those of the input."""

    keep: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    renaming: Renaming = field(default_factory=Renaming)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.keep, *self.where)))

    def changes(self, names: Sequence[str], needs: Sequence[Column], kept: Sequence[str] = ()) -> dict[str, str]:
        """New names of the columns of an object that has these `names`."""
        if not self.renaming:
            return {}
        wanted = dict.fromkeys([*(column.name for column in needs), *self.names, *kept])
        return self.renaming.changes(list(dict.fromkeys(names)), [name for name in wanted if name != "*"])

    def kept(self, names: Sequence[str]) -> list[str]:
        """The columns that the job names, of an object that has `names`."""
        return list(names) if "*" in self.names else list(self.names)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Columns that an object must have, and how many of its rows can be rejected."""

    columns: Sequence[Column]
    """Columns that the model reads."""
    asked: Asked
    allowed: float
    """Fraction of rows that can be rejected."""
