"""Something that a user should know before the first worker starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding about one object or field; an `error` keeps the run from starting."""

    severity: Literal["error", "warning"]
    where: str
    message: str
    mend: str = ""
    about: str = ""
    """What problems of several objects have in common where their messages differ."""

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.message}" + (f"\n  {self.mend}" if self.mend else "")
