"""The steps of a model that can run once for each distinct row of a batch."""

from __future__ import annotations

from typing import Any

import pandas as pd

from scoremill.accelerate import accelerated, examine
from scoremill.accelerate.bits import is_equal

from .results import Results, call
from .schema import Bundle

_EXAMINED_ROWS = 1000
"""Number of rows of the sample for which each step is called some twenty times."""


def examined(estimator: Any, bundle: Bundle, sample: pd.DataFrame) -> dict[str, str]:
    """Return each transformer in `estimator`, and why it cannot run on distinct rows; empty if it can.

    Each step is compared for altered batches of what it gets of the sample, and the whole model for the sample.
    """
    sample = sample.head(_EXAMINED_ROWS)
    try:
        found = examine(estimator, lambda model: call(model, bundle, bundle.method, sample))
        names = [name for name, reason in found.items() if not reason]
        whole = accelerated(estimator, names, always=True)
        for method in bundle.results if names else ():
            if not _is_same(call(estimator, bundle, method, sample), call(whole, bundle, method, sample)):
                return dict.fromkeys(found, f"the results of {method} would differ")
    except Exception as error:
        return {"model": f"it cannot be taken apart: {type(error).__name__}"}
    return found


def with_steps(estimator: Any, bundle: Bundle) -> Any:
    """Return `estimator` with the steps that the bundle lists as proven run on distinct rows."""
    return accelerated(estimator, {name for name, reason in bundle.steps.items() if not reason})


def _is_same(one: Results, other: Results) -> bool:
    return list(one) == list(other) and all(is_equal(one[name], other[name]) for name in one)
