"""One batch through the model; where it raises, the rows that make it raise are found and the rest is scored."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scoremill.errors import ModelError, RejectLimitError, ScoremillError

Results = dict[str, np.ndarray]
Predict = Callable[[pd.DataFrame], Results]
Tell = Callable[[BaseException], str]

SINGLES = 8
"""When so many single rows, spread over a batch, raise, and the task has scored none, the model is at fault."""
_NEVER_BISECTED = (MemoryError, OSError, ScoremillError, ImportError)
"""Faults of the machine or of the bundle, not of a row."""


def reason_of(error: BaseException) -> str:
    """The last line of the traceback, as people know it, on one line."""
    return " ".join("".join(traceback.format_exception_only(error)).split())[:500]


def kind_of(error: BaseException) -> str:
    """What was raised, without its text, which may quote the row."""
    return f"the model raises {type(error).__name__}"


@dataclass(frozen=True, slots=True)
class Failed:
    """A row on which the model raises."""

    position: int
    """Of the frame."""
    reason: str


def predict_rows(
    predict: Predict,
    frame: pd.DataFrame,
    most: int | None,
    *,
    has_scored: bool = False,
    tell: Tell = reason_of,
) -> tuple[Results | None, list[Failed]]:
    """The results of the rows that can be scored, in their order and from one call, and those that cannot.

    Gives up with a RejectLimitError beyond `most` failures, and with a ModelError where the model fails on everything,
    unless it `has_scored` rows before. `tell` makes the reasons of what was raised.
    """
    try:
        return predict(frame), []
    except _NEVER_BISECTED:
        raise
    except Exception as error:
        search = _Search(predict, frame, most, error, tell)
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
            f"the model raises on rows together that it scores in part: {tell(error)}",
            "Its rows depend on one another: give a lower --batch-rows, with --mode Overwrite.",
        ) from None


class _Search:
    """Bisection of a batch whose rows raise, left half first."""

    def __init__(self, predict: Predict, frame: pd.DataFrame, most: int | None, error: Exception, tell: Tell) -> None:
        self._predict, self._frame, self._most, self._error, self._tell = predict, frame, most, error, tell
        self._failed: list[Failed] = []

    def probe(self) -> None:
        """A model that always raises is found out by a few rows spread over the batch, not by bisecting them all."""
        if len(self._frame) < SINGLES:
            return
        positions = np.linspace(0, len(self._frame) - 1, SINGLES).astype(int)
        if all(self._raised(at, at + 1) for at in positions.tolist()):
            raise model_error(self._tell(self._error))

    def run(self) -> list[Failed]:
        """The rows on which the model raises."""
        self._halve(0, len(self._frame), self._error)
        return self._failed

    def _halve(self, start: int, stop: int, error: Exception) -> None:
        if stop - start == 1:
            self._failed.append(Failed(start, self._tell(error)))
            if self._most is not None and len(self._failed) > self._most:
                raise RejectLimitError(
                    f"more rows are rejected than may be, the last because of {self._tell(error)}",
                    "To accept them, run the same command with a higher --max-errors or --max-error-fraction.",
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
    """The model fails on every row that was tried."""
    return ModelError(
        f"the model raises on every row that was tried: {reason}",
        "Score a few rows in Python with the same bundle, or see `scoremill model inspect`.",
    )
