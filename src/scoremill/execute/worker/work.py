"""What every task of a run needs to know, and a task's own share of it: small, picklable, without a secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scoremill.bundle import Bundle
from scoremill.planning import Partition, Settings
from scoremill.spec import Column, Storage


def used_columns(model: Sequence[Column], settings: Settings) -> tuple[str, ...]:
    """The columns that a model or a condition reads, or that are kept as a type that the job asks for."""
    typed = (column.name for column in settings.keep if column.dtype is not None)
    named = (column.name for column in (*model, *settings.where_columns))
    return tuple(dict.fromkeys((*named, *typed)))


@dataclass(frozen=True, slots=True)
class Work:
    """The same for all tasks of a run."""

    settings: Settings
    settings_hash: str
    bundle: Bundle
    called: str
    """The method that is called: `predict_proba` also for `predict` with a threshold."""
    results: tuple[Column, ...]
    """What the job's method gives, before it is selected and renamed."""
    output_uri: str
    model_storage: Storage
    input_storage: Storage
    output_storage: Storage
    allow_version_skew: bool = False
    trusted_types: tuple[str, ...] = ()
    fail_on_row_error: bool = False
    rejects_objects: bool = False
    """Whether an object that the store refuses is rejected; otherwise it ends the run."""
    max_rejects: int | None = None
    """Most rejected rows that the whole run allows; a task with more fails."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the model reads."""
        return self.bundle.columns

    @property
    def used(self) -> tuple[str, ...]:
        """Columns whose values are interpreted, every null value of CSV being missing."""
        return tuple(dict.fromkeys(column.name for column in self._interpreted if not column.texts))

    @property
    def carried(self) -> tuple[str, ...]:
        """Columns that are carried as the input holds them, and those interpreted with some null values as text."""
        kept = (column.name for column in self.settings.keep if column.dtype is None)
        texts = (column.name for column in self._interpreted if column.texts)
        return tuple(dict.fromkeys((*kept, *texts)))

    @property
    def _interpreted(self) -> tuple[Column, ...]:
        """Columns as the model, the condition and the output want them; a column may be in it several times."""
        typed = (Column(column.name, column.dtype) for column in self.settings.keep if column.dtype is not None)
        return (*self.columns, *self.settings.where_columns, *typed)


@dataclass(frozen=True, slots=True)
class Task:
    """One partition to score."""

    work: Work
    partition: Partition
    attempt: int = 0
    may_exist: bool = False
    """Whether an earlier driver may have published the part: then it is compared and left untouched."""
    model_works: bool = False
    """Whether the model has scored other partitions: then it is not at fault where it raises on all rows of this one."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """URIs of the objects that are rejected, and why."""
    first_line: int = 0
    """The line of the file, from 1, at which the partition begins; 0 if that is not known yet."""
