"""Compare the results of the accelerated model with those of the original one, for the same batch."""

from __future__ import annotations

import pandas as pd

from scoremill.accelerate.bits import is_equal
from scoremill.bundle import LoadedModel, call
from scoremill.errors import ParityError

from .predict import Results

_HINT = (
    'Give `spec.model.accelerate: "Off"` and `spec.output.mode: Overwrite`, because rows that were not compared can '
    "differ too. Report this bug, and attach the output of `scoremill model inspect`."
)


def refuse_difference(original: LoadedModel, method: str, frame: pd.DataFrame, results: Results, where: str) -> None:
    """Raise ParityError if `original` does not give `results` for `frame`, in every bit."""
    try:
        wanted = call(original.estimator, original.bundle, method, frame)
    except (MemoryError, OSError, ImportError):
        raise
    except Exception as error:
        # Without its text, which can quote a row.
        kind = type(error).__name__
        raise ParityError(
            f"{where}: the original model raises {kind} on rows that the accelerated model scores", _HINT
        ) from None
    different = [name for name in wanted if not is_equal(results[name], wanted[name])]
    if different:
        raise ParityError(
            f"{where}: the accelerated model gives other results than the original model in {', '.join(different)}",
            _HINT,
        )
