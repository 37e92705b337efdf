"""Find the steps of a fitted estimator that can run on distinct rows, and build an estimator that runs them so."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from .proof import refutation
from .step import DistinctStep, Wrapper
from .structure import replaced


def accelerate(estimator: Any, sample: Any, method: str = "predict") -> Any:
    """Return `estimator` with the steps that are proven on `sample` run once for each distinct row of a batch.

    Parameters
    ----------
    estimator : fitted estimator
        A pipeline, or anything that holds one. It is not changed.
    sample : DataFrame, Series or array
        Rows as `method` gets them: a few hundred show most dependencies between rows.
    method : str
        The method to call with the sample to see what each step gets.

    Returns
    -------
    estimator
        A copy that shares everything but the replaced steps. Its results are equal in every bit.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> from scoremill.accelerate import accelerate
    >>> rows = pd.DataFrame({"color": ["red", "green", "red", "blue"]})
    >>> model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(rows, [0, 1, 0, 1])
    >>> accelerate(model, rows).predict(rows)
    array([0, 1, 0, 1])

    """
    found = examine(estimator, lambda model: getattr(model, method)(sample))
    return accelerated(estimator, {name for name, reason in found.items() if not reason})


def accelerated(estimator: Any, names: Collection[str], *, always: bool = False) -> Any:
    """Return `estimator` with the transformers called `names`, which must be proven, run on distinct rows.

    They run so for batches for which that is faster, or `always` if it is possible.
    """

    def replace(name: str, step: Any, inner: Any) -> Any:
        return DistinctStep(step, inner, always=always) if name in names else inner

    return replaced(estimator, replace) if names else estimator


def examine(estimator: Any, run: Callable[[Any], object]) -> dict[str, str]:
    """Return for each transformer in `estimator` why it cannot run on distinct rows; empty if it can.

    `run` calls a method of the estimator it is given with a sample.
    """
    seen: dict[str, _Recorder] = {}

    def record(name: str, step: Any, inner: Any) -> Any:
        return seen.setdefault(name, _Recorder(step, inner))

    run(replaced(estimator, record))
    return {
        name: "it was not called" if recorder.table is None else refutation(recorder.step, recorder.table)
        for name, recorder in seen.items()
    }


class _Recorder(Wrapper):
    """A transformer that remembers the first table that it was given."""

    table: Any = None

    def transform(self, table: Any) -> Any:
        if self.table is None:
            self.table = table.copy()
        return super().transform(table)
