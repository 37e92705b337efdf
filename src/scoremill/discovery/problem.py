"""Something that a user should know before the first worker starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scoremill.errors import FitError, ScoremillError, with_hint


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding about one object or field; an `error` keeps the run from starting."""

    severity: Literal["error", "warning"]
    where: str
    message: str
    hint: str = ""
    about: str = ""
    """What problems of several objects have in common where their messages differ."""
    error: type[ScoremillError] = FitError
    """Class of the error that a run would end with."""
    code: str = FitError.code
    """Code of the error that a run would end with."""

    @classmethod
    def of(cls, error: ScoremillError, where: str) -> Problem:
        """Return the problem that `error` reports."""
        return cls("error", where, error.message, error.hint or "", error=type(error), code=error.code)

    @property
    def text(self) -> str:
        """The message, after its object unless it names that itself."""
        return self.message if self.where in self.message else f"{self.where}: {self.message}"

    def __str__(self) -> str:
        return with_hint(f"{self.severity}: {self.text}", self.hint)
