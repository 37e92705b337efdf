"""Settings for reading, and the columns to read from an object."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from scoremill.discovery import Source
from scoremill.errors import InputError
from scoremill.planning import Settings
from scoremill.spec import Storage
from scoremill.tabular.where import RowFilter
from scoremill.units import quoted


@dataclass(frozen=True, slots=True)
class Reading:
    """Settings for reading, the same for all partitions of a run."""

    settings: Settings
    settings_hash: str
    used: tuple[str, ...]
    """Columns whose values are interpreted; null values of CSV become missing values."""
    carried: tuple[str, ...]
    """Columns that are read verbatim."""
    input_storage: Storage
    rejects_objects: bool = False
    """True if an object that the store refuses to return is rejected; otherwise it ends the run."""

    @property
    def needed(self) -> list[str]:
        """The columns to read."""
        return list(dict.fromkeys((*self.used, *self.carried)))

    @property
    def where(self) -> RowFilter | None:
        """The condition of the job, if it has one."""
        settings = self.settings
        return RowFilter(settings.where, settings.where_columns, settings.csv) if settings.where else None

    def path_columns(self, source: Source) -> dict[str, str | None]:
        """Return the values of the columns in the path of `source`, by their names there."""
        return source.hive() if self.settings.hive else {}

    def changes(self, source: Source, names: Sequence[str]) -> dict[str, str]:
        """Return the new names of the columns `names` of `source` and of those in its path."""
        all_names = list(dict.fromkeys((*names, *self.path_columns(source))))
        try:
            return self.settings.renaming.changes(all_names, dict.fromkeys(self.needed))
        except InputError as error:
            raise InputError(f"{source.uri}: {error.message}", error.hint, error.code) from None

    def wanted(self, source: Source, path: Collection[str], names: Sequence[str] | None) -> list[str]:
        """Return the columns to read from the object itself: those needed that are not in its `path`."""
        wanted = [name for name in self.needed if name not in path or (names is not None and name in names)]
        missing = [name for name in wanted if names is not None and name not in names]
        if missing:
            listed = ", ".join(map(quoted, missing))
            raise InputError(
                f"{source.uri} has no column {listed}",
                f"Its columns are: {', '.join((names or ())[:40])}. Exclude the file, or give it the same header.",
                code="ColumnMissing",
            )
        return wanted
