"""Settings of all tasks of a run, and of one task: small, picklable, and without secrets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scoremill.bundle.load import LoadedModel, load_model
from scoremill.planning import NOTHING, Partition, Sample, Settings
from scoremill.spec import Column, Storage

from .reading import Reading


def typed_columns(settings: Settings) -> list[Column]:
    """Return the kept columns for which the job gives a type."""
    return [Column(kept.name, kept.dtype) for kept in settings.keep if kept.dtype is not None]


def used_columns(model: Sequence[Column], settings: Settings) -> tuple[str, ...]:
    """Return the columns that a model or a condition reads, or that are kept with a type given by the job."""
    columns = (*model, *settings.where_columns, *typed_columns(settings))
    return tuple(dict.fromkeys(column.name for column in columns))


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A bundle and its digest; a process opens and loads it once."""

    uri: str
    digest: str
    storage: Storage
    allow_version_skew: bool = False
    trusted_types: tuple[str, ...] = ()
    accelerate: bool = True

    def load(self) -> LoadedModel:
        """Return the bundle and its estimator; every call in this process returns the same objects."""
        return load_model(
            self.uri,
            self.digest,
            self.storage,
            allow_version_skew=self.allow_version_skew,
            trusted_types=self.trusted_types,
            accelerate=self.accelerate,
        )

    def original(self) -> LoadedModel:
        """Return the bundle and its estimator as it was fitted."""
        return replace(self, accelerate=False).load()


@dataclass(frozen=True, slots=True)
class Work:
    """Settings of all tasks of a run."""

    settings: Settings
    settings_hash: str
    model: ModelReference
    output_uri: str
    input_storage: Storage
    output_storage: Storage
    fail_on_row_error: bool = False
    rejects_objects: bool = False
    """True if an object that the store refuses to return is rejected; otherwise it ends the run."""
    max_rejects: int | None = None
    """Maximum number of rejected rows of the run; a task with more fails."""

    def reading(self, model: Sequence[Column]) -> Reading:
        """Return the settings to read for a model with these columns, and for the condition and the output."""
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
    might_exist: bool = False
    """True if an earlier driver might have published the parts: equal ones are left untouched."""
    model_works: bool = False
    """True if the model has scored other partitions, so it is not at fault if it raises on all rows of this one."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """URIs of the rejected objects, and the reasons."""
    first_line: int = 0
    """Line of the file, from 1, at which the partition starts; 0 if that is not known yet."""
    parity: Sample = NOTHING
    """Batches that the original model scores as well."""
