"""What every task of a run needs to know, and a task's own share of it: small, picklable, without a secret."""

from __future__ import annotations

from dataclasses import dataclass

from scoremill.bundle import Bundle
from scoremill.plan import Partition, Settings
from scoremill.spec import Column, Storage


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
    fail_on_row_error: bool = False
    max_rejects: int | None = None
    """Rejected rows from which a task gives up: the budget of the whole run."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the model reads."""
        return self.bundle.columns

    @property
    def read_columns(self) -> tuple[Column, ...]:
        """What is read of each row: for the model, to keep, and for the condition."""
        return (*self.columns, *self.settings.keep, *self.settings.where_columns)


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
