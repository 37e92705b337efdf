"""All errors that scoremill raises on purpose.

    ScoremillError            1  an internal error
    ├── UsageError            2  the command or the job cannot be run as specified
    │   └── TrustError        2  the model bundle is not trusted
    ├── FitError              3  the model and the input do not fit together
    │   ├── InputError        3  an input object does not have the expected content
    │   │   ├── ObjectError   3  an input object cannot be read at all
    │   │   └── InputChanged  3  an input object changed after the run was planned
    │   ├── SkewError         3  installed versions differ from those the model was trained with
    │   └── ModelError        3  the model fails on rows that it should be able to score
    │       └── ParityError   3  the accelerated model gives other results than the original one
    ├── RejectLimitError      4  more rows were rejected than the job allows
    ├── StorageError          5  a store rejected a request or could not be reached
    │   └── RefusedError      5  a store rejects requests for one object and will reject them again
    ├── ClusterError          6  the Dask cluster or Kubernetes failed
    │   ├── LeaseError        6  another run writes to the same output
    │   ├── StallError        6  no partition was completed for too long
    │   ├── DeadlineError     6  the run took longer than allowed
    │   ├── KilledWorkerError 6  several workers died while scoring the same partition
    │   └── WorkerMemoryError 6  a partition needs more memory than a worker has
    └── VerificationError     7  the output or the bundle does not match its manifest

The number is the exit code of the command line; 130 means interrupted. Each error also has a `code`, such as
`OutputExists`, which `scoremill explain` describes (`scoremill.errors.registry`).
"""

from __future__ import annotations

HINT = "hint: "
"""Prefix of a line that says what the user can do."""


def with_hint(message: str, hint: str | None) -> str:
    """Return the message, followed by the hint on its own line if there is one."""
    return f"{message}\n{HINT}{hint}" if hint else message


class ScoremillError(Exception):
    """An error with a message, a hint, and a code.

    Parameters
    ----------
    message
        What went wrong: one lower-case clause without a full stop.
    hint
        What the user can do about it: whole sentences.
    code
        Code of the cause; by default that of the class.

    """

    exit_code = 1
    code = "InternalError"

    def __init__(self, message: str, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return with_hint(self.message, self.hint)

    def __reduce__(self) -> tuple[object, ...]:
        # Errors of workers reach the driver pickled. Exception itself would keep only the message.
        return type(self), (self.message, self.hint, self.code)


class UsageError(ScoremillError):
    """The command or the job cannot be run as specified."""

    exit_code = 2
    code = "InvalidArgument"


class TrustError(UsageError):
    """The model bundle is not trusted."""

    code = "ModelUntrusted"


class FitError(ScoremillError):
    """The model and the input do not fit together."""

    exit_code = 3
    code = "DoesNotFit"


class InputError(FitError):
    """An input object does not have the expected content."""

    code = "InvalidInput"


class ObjectError(InputError):
    """An input object cannot be read at all; `uri` is its URI."""

    def __init__(self, message: str, hint: str | None = None, code: str | None = None, uri: str = "") -> None:
        super().__init__(message, hint, code)
        self.uri = uri

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.hint, self.code, self.uri)


class InputChanged(InputError):
    """An input object changed after the run was planned."""

    code = "InputChanged"


class SkewError(FitError):
    """Installed versions differ from those the model was trained with."""

    code = "VersionMismatch"


class ModelError(FitError):
    """The model fails on rows that it should be able to score."""

    code = "ModelFailed"


class ParityError(ModelError):
    """The accelerated model gives other results than the original one."""

    code = "ParityFailed"


class RejectLimitError(ScoremillError):
    """More rows were rejected than the job allows."""

    exit_code = 4
    code = "TooManyRejectedRows"


class StorageError(ScoremillError):
    """A store rejected a request or could not be reached."""

    exit_code = 5
    code = "StorageFailed"


class RefusedError(StorageError):
    """A store rejects requests for one object and will reject them again."""


class ClusterError(ScoremillError):
    """The Dask cluster or Kubernetes failed."""

    exit_code = 6
    code = "ClusterFailed"


class LeaseError(ClusterError):
    """Another run writes to the same output."""

    code = "OutputLocked"


class StallError(ClusterError):
    """No partition was completed for too long."""

    code = "NoProgress"


class DeadlineError(ClusterError):
    """The run took longer than allowed."""

    code = "DeadlineExceeded"


class KilledWorkerError(ClusterError):
    """Several workers died while scoring the same partition."""

    code = "WorkersKilled"


class WorkerMemoryError(ClusterError):
    """A partition needs more memory than a worker has."""

    code = "WorkerOutOfMemory"


class VerificationError(ScoremillError):
    """The output or the bundle does not match its manifest."""

    exit_code = 7
    code = "VerificationFailed"


INTERRUPTED = 130
"""Exit code after Ctrl-C or SIGTERM, as shells report it."""
