"""How many rows may be rejected: a number, a fraction of the input, or both."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scoremill.errors import RejectLimitError

_ACCEPT = "See the reasons in _errors/ of the output. To accept them, run the same command with a higher"


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """A run fails when more rows are rejected. The driver checks it at each receipt, and a task within its partition."""

    rows: int | None
    fraction: float | None

    def most(self, planned: float) -> int | None:
        """The most rows that may be rejected of `planned` rows, or of at most so many; None if there is no limit."""
        limits = [limit for limit in (self.rows, self._share(planned)) if limit is not None]
        return min(limits, default=None)

    def check(self, rejected: int, rows: int, planned: float) -> None:
        """RejectLimitError if more of the `planned` rows are rejected than may be; `rows` were read so far."""
        spent = f"{rejected} of {rows} rows were rejected"
        if self.rows is not None and rejected > self.rows:
            raise RejectLimitError(f"{spent}; at most {self.rows} may be", f"{_ACCEPT} --max-errors.")
        share = self._share(planned)
        if share is not None and rejected > share:
            raise RejectLimitError(f"{spent}; at most {self.fraction:.2%} may be", f"{_ACCEPT} --max-error-fraction.")

    def _share(self, planned: float) -> int | None:
        """The most rows that are not above the fraction; None if that is no limit."""
        if not self.fraction:
            return None if self.fraction is None else 0
        if math.isinf(planned):
            return None
        share = int(self.fraction * planned)
        # 0.29 * 100 is less than 29.
        return share + 1 if share < planned and (share + 1) / planned <= self.fraction else share
