"""Every error that scoremill raises on purpose.

    ScoremillError            1  a defect of ours, or a fault nobody foresaw
    ├── UsageError            2  what was asked cannot be done as asked
    │   └── TrustError        2  a pickle from a place that nobody vouched for
    ├── FitError              3  the model, the input, or the two together do not fit
    │   ├── InputError        3  an input object cannot be read as what it is said to be
    │   │   ├── ObjectError   3  an input object cannot be read at all
    │   │   └── InputChanged  3  an input object is not the one that was planned
    │   ├── SkewError         3  versions here differ from those the model was trained with
    │   └── ModelError        3  the model fails on rows that it should be able to score
    ├── RejectLimitError           4  more rows were rejected than the job allows
    ├── StorageError          5  a store refused, or could not be reached
    │   └── RefusedError      5  a store refuses one object, and will refuse it again
    ├── ClusterError          6  the Dask cluster could not be had, or was lost
    │   ├── LeaseError        6  another driver writes to this output
    │   ├── StallError        6  no partition was finished for too long
    │   ├── DeadlineError     6  the run took longer than it may
    │   ├── KilledWorkerError 6  several workers died while they scored one partition
    │   └── WorkerMemoryError 6  a partition needs more memory than a worker may use
    └── VerificationError     7  the output is not what its manifest says

The number is the exit code of the command line. 130 means interrupted.
"""

from __future__ import annotations

HINT = "hint: "
"""What a line begins with that says what the user can do."""


def with_hint(message: str, hint: str | None) -> str:
    """Return the message, and the hint, if there is one, on a line of its own."""
    return f"{message}\n{HINT}{hint}" if hint else message


class ScoremillError(Exception):
    """What went wrong, in one sentence, and in `hint` what the user can do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return with_hint(self.message, self.hint)

    def __reduce__(self) -> tuple[object, ...]:
        # Errors travel from workers: both arguments must survive pickling.
        return type(self), (self.message, self.hint)


class UsageError(ScoremillError):
    """What was asked cannot be done as asked."""

    exit_code = 2


class TrustError(UsageError):
    """A pickle from a place that nobody vouched for."""


class FitError(ScoremillError):
    """The model, the input, or the two together do not fit."""

    exit_code = 3


class InputError(FitError):
    """An input object cannot be read as what it is said to be."""


class ObjectError(InputError):
    """An input object cannot be read at all; `uri` is its URI."""

    def __init__(self, message: str, hint: str | None = None, uri: str = "") -> None:
        super().__init__(message, hint)
        self.uri = uri

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.hint, self.uri)


class InputChanged(InputError):
    """An input object is not the one that was planned."""


class SkewError(FitError):
    """Versions here differ from those that the model was trained with."""


class ModelError(FitError):
    """The model fails on rows that it should be able to score."""


class RejectLimitError(ScoremillError):
    """More rows were rejected than the job allows."""

    exit_code = 4


class StorageError(ScoremillError):
    """A store refused, or could not be reached."""

    exit_code = 5


class RefusedError(StorageError):
    """A store refuses one object, and will refuse it again."""


class ClusterError(ScoremillError):
    """The Dask cluster could not be had, or was lost."""

    exit_code = 6


class LeaseError(ClusterError):
    """Another driver writes to this output."""


class StallError(ClusterError):
    """No partition was finished for too long."""


class DeadlineError(ClusterError):
    """The run took longer than it may."""


class KilledWorkerError(ClusterError):
    """Several workers died while they scored one partition."""


class WorkerMemoryError(ClusterError):
    """A partition needs more memory than a worker may use."""


class VerificationError(ScoremillError):
    """The output is not what its manifest says."""

    exit_code = 7


INTERRUPTED = 130
"""Exit code after Ctrl-C or SIGTERM, as shells give it."""
