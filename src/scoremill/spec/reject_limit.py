"""The reject limit: a number of rows, a fraction of the input, or both."""

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
        """Return how many of at most `planned` rows can be rejected; None if there is no limit."""
        limits = [limit for limit in (self.rows, self._share(planned)) if limit is not None]
        return min(limits, default=None)

    def check(self, rejected: int, rows: int, planned: float) -> None:
        """Raise RejectLimitError if more of the `planned` rows are rejected than allowed; `rows` were read so far."""
        spent = f"{rejected} of {rows} rows were rejected"
        if self.rows is not None and rejected > self.rows:
            raise RejectLimitError(f"{spent}; at most {self.rows} are allowed", f"{_ACCEPT} `spec.errors.maxRows`.")
        share = self._share(planned)
        if share is not None and rejected > share:
            raise RejectLimitError(
                f"{spent}; at most {self.fraction:.2%} are allowed", f"{_ACCEPT} `spec.errors.maxFraction`."
            )

    def _share(self, planned: float) -> int | None:
        """Return the highest number of rows within the fraction; None if there is no limit."""
        if not self.fraction:
            return None if self.fraction is None else 0
        if math.isinf(planned):
            return None
        share = int(self.fraction * planned)
        # 0.29 * 100 is less than 29.
        return share + 1 if share < planned and (share + 1) / planned <= self.fraction else share
