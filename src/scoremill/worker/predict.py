"""Predict one batch; if the model raises, find the rows that make it raise and score the others."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scoremill.errors import ModelError, RejectLimitError, ScoremillError

Results = dict[str, np.ndarray]
Predict = Callable[[pd.DataFrame], Results]
Describe = Callable[[BaseException], str]

SINGLES = 8
"""Number of single rows, spread over a batch, that are tried first: if all raise, the model is at fault."""
_NEVER_BISECTED = (MemoryError, OSError, ScoremillError, ImportError)
"""Failures of the machine or the bundle, not of a row."""


def reason_of(error: BaseException) -> str:
    """Return the last entry of the traceback, on one line."""
    return " ".join("".join(traceback.format_exception_only(error)).split())[:500]


def kind_of(error: BaseException) -> str:
    """Return the class of `error` without its text, which can quote the row."""
    return f"the model raises {type(error).__name__}"


@dataclass(frozen=True, slots=True)
class Failed:
    """A row on which the model raises."""

    position: int
    """Position in the frame"""
    reason: str


def predict_rows(
    predict: Predict,
    frame: pd.DataFrame,
    most: int | None,
    *,
    has_scored: bool = False,
    describe: Describe = reason_of,
) -> tuple[Results | None, list[Failed]]:
    """Return the results of the rows that can be scored, in order and from one call, and the rows that cannot.

    Raises RejectLimitError after more than `most` failures, and ModelError if the model fails on all rows and never
    `has_scored` one. `describe` turns an error into a reason.
    """
    try:
        return predict(frame), []
    except _NEVER_BISECTED:
        raise
    except Exception as error:
        search = _Search(predict, frame, most, error, describe)
    if not has_scored:
        search.probe()
    failed = search.run()
    good = np.setdiff1d(np.arange(len(frame)), [f.position for f in failed])
    if not len(good):
        return None, failed
    try:
        return predict(frame.iloc[good].reset_index(drop=True)), failed
    except _NEVER_BISECTED:
        raise
    except Exception as error:
        raise ModelError(
            f"the model raises on a batch of rows that it can score separately: {describe(error)}",
            "Its results depend on other rows of the batch: give a lower `spec.model.batchRows`, with `spec.output.mode: Overwrite`.",
        ) from None


class _Search:
    """Bisection of a batch on which the model raises, left half first."""

    def __init__(
        self, predict: Predict, frame: pd.DataFrame, most: int | None, error: Exception, describe: Describe
    ) -> None:
        self._predict, self._frame, self._most, self._error, self._describe = predict, frame, most, error, describe
        self._failed: list[Failed] = []

    def probe(self) -> None:
        """Raise ModelError if a few rows spread over the batch all fail, so that not all rows need to be tried."""
        if len(self._frame) < SINGLES:
            return
        positions = np.linspace(0, len(self._frame) - 1, SINGLES).astype(int)
        if all(self._raised(at, at + 1) for at in positions.tolist()):
            raise model_error(self._describe(self._error))

    def run(self) -> list[Failed]:
        """Return the rows on which the model raises."""
        self._halve(0, len(self._frame), self._error)
        return self._failed

    def _halve(self, start: int, stop: int, error: Exception) -> None:
        if stop - start == 1:
            self._failed.append(Failed(start, self._describe(error)))
            if self._most is not None and len(self._failed) > self._most:
                raise RejectLimitError(
                    f"more rows are rejected than allowed, the last one because of {self._describe(error)}",
                    "To accept them, run the same command with a higher `spec.errors.maxRows` or `spec.errors.maxFraction`.",
                )
            return
        middle = (start + stop) // 2
        for low, high in ((start, middle), (middle, stop)):
            raised = self._raised(low, high)
            if raised is not None:
                self._halve(low, high, raised)

    def _raised(self, start: int, stop: int) -> Exception | None:
        try:
            self._predict(self._frame.iloc[start:stop].reset_index(drop=True))
        except _NEVER_BISECTED:
            raise
        except Exception as error:
            return error
        return None


def model_error(reason: str) -> ModelError:
    """Return the error of a model that fails on every row that was tried."""
    return ModelError(
        f"the model raises on every row that was tried: {reason}",
        "Score a few rows in Python with the same bundle, or see `scoremill model inspect`.",
    )
