"""What reading needs to know, and how the columns of an object are found."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from scoremill.discovery import Source
from scoremill.errors import InputError
from scoremill.planning import Settings
from scoremill.spec import Storage
from scoremill.tabular.where import Where


@dataclass(frozen=True, slots=True)
class Reading:
    """The same for all partitions that are read alike."""

    settings: Settings
    settings_hash: str
    used: tuple[str, ...]
    """Columns whose values are interpreted, every null value of CSV being missing."""
    carried: tuple[str, ...]
    """Columns that are read as the input holds them."""
    input_storage: Storage
    rejects_objects: bool = False
    """Whether an object that the store refuses is rejected; otherwise it ends the run."""

    @property
    def needed(self) -> list[str]:
        """The columns to read."""
        return list(dict.fromkeys((*self.used, *self.carried)))

    @property
    def where(self) -> Where | None:
        """The job's condition, if it has one."""
        settings = self.settings
        return Where(settings.where, settings.where_columns, settings.csv) if settings.where else None

    def path_columns(self, source: Source) -> dict[str, str | None]:
        """The columns in the path of `source`, by the names that they have there."""
        return source.hive() if self.settings.hive else {}

    def changes(self, source: Source, names: Sequence[str]) -> dict[str, str]:
        """The new names of the columns of `source`, which has these `names`, those in its path included."""
        all_names = list(dict.fromkeys((*names, *self.path_columns(source))))
        try:
            return self.settings.renaming.changes(all_names, dict.fromkeys(self.needed))
        except InputError as error:
            raise InputError(f"{source.uri}: {error.message}", error.hint, error.code) from None

    def wanted(self, source: Source, path: Collection[str], names: Sequence[str] | None) -> list[str]:
        """Columns to read from the object itself: those needed, less those in its `path`."""
        wanted = [name for name in self.needed if name not in path or (names is not None and name in names)]
        missing = [name for name in wanted if names is not None and name not in names]
        if missing:
            raise InputError(
                f"{source.uri} has no column {', '.join(map(repr, missing))}",
                f"Its columns are: {', '.join((names or ())[:40])}. Leave the file out, or give it the same header.",
                code="ColumnMissing",
            )
        return wanted
