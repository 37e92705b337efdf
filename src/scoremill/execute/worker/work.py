"""What every task of a run needs to know, and a task's own share of it: small, picklable, without a secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scoremill.bundle.load import LoadedModel, load_model
from scoremill.planning import Partition, Settings
from scoremill.spec import Column, Storage

from .reading import Reading


def typed_columns(settings: Settings) -> list[Column]:
    """The kept columns that the job wants as a type."""
    return [Column(kept.name, kept.dtype) for kept in settings.keep if kept.dtype is not None]


def used_columns(model: Sequence[Column], settings: Settings) -> tuple[str, ...]:
    """The columns that a model or a condition reads, or that are kept as a type that the job asks for."""
    columns = (*model, *settings.where_columns, *typed_columns(settings))
    return tuple(dict.fromkeys(column.name for column in columns))


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A bundle by its digest; a process opens and loads it once."""

    uri: str
    digest: str
    storage: Storage
    allow_version_skew: bool = False
    trusted_types: tuple[str, ...] = ()

    def load(self) -> LoadedModel:
        """The bundle and its estimator; the same objects for each call in this process."""
        return load_model(
            self.uri,
            self.digest,
            self.storage,
            allow_version_skew=self.allow_version_skew,
            trusted_types=self.trusted_types,
        )


@dataclass(frozen=True, slots=True)
class Work:
    """The same for all tasks of a run."""

    settings: Settings
    settings_hash: str
    model: ModelReference
    output_uri: str
    input_storage: Storage
    output_storage: Storage
    fail_on_row_error: bool = False
    rejects_objects: bool = False
    """Whether an object that the store refuses is rejected; otherwise it ends the run."""
    max_rejects: int | None = None
    """Most rejected rows that the whole run allows; a task with more fails."""

    def reading(self, model: Sequence[Column]) -> Reading:
        """What is read for a model of these columns; a column may be wanted by model, condition and output."""
        settings = self.settings
        interpreted = (*model, *settings.where_columns, *typed_columns(settings))
        kept = (column.name for column in settings.keep if column.dtype is None)
        texts = (column.name for column in interpreted if column.texts)
        return Reading(
            settings,
            self.settings_hash,
            used=tuple(dict.fromkeys(column.name for column in interpreted if not column.texts)),
            carried=tuple(dict.fromkeys((*kept, *texts))),
            input_storage=self.input_storage,
            rejects_objects=self.rejects_objects,
        )


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
