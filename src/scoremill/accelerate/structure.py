"""Replace the transformers inside a fitted estimator, in a copy that shares everything else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from .step import Wrapper

Replace = Callable[[str, Any, Any], Any]
"""Takes the name of a transformer, the transformer, and its copy with replaced steps; returns what to use instead."""

_INNER = ("best_estimator_", "estimator_", "regressor_", "final_estimator_")
"""Attributes of fitted estimators that hold another one."""


def replaced(estimator: Any, replace: Replace, name: str = "") -> Any:
    """Return a copy of `estimator` in which each transformer is what `replace` returns for it.

    Names are those of scikit-learn's nested parameters, such as `features__vendor`.
    """
    if isinstance(estimator, Wrapper):
        return _copy(estimator, inner=replaced(estimator.inner, replace, name))
    if isinstance(estimator, Pipeline):
        steps = [(key, _step(step, replace, _join(name, key))) for key, step in estimator.steps]
        return _copy(estimator, steps=steps)
    if isinstance(estimator, ColumnTransformer):
        found = [(key, _step(one, replace, _join(name, key)), at) for key, one, at in estimator.transformers_]
        return _copy(estimator, transformers_=found)
    if isinstance(estimator, FeatureUnion):
        union = [(key, _step(one, replace, _join(name, key))) for key, one in estimator.transformer_list]
        return _copy(estimator, transformer_list=union)
    # A search and the like call the methods of what they hold.
    fitted = vars(estimator) if hasattr(estimator, "__dict__") else {}
    inner = {key: replaced(fitted[key], replace, _join(name, key)) for key in _INNER if key in fitted}
    return _copy(estimator, **inner) if inner else estimator


def _step(step: Any, replace: Replace, name: str) -> Any:
    inner = replaced(step, replace, name)
    return replace(name, step, inner) if hasattr(step, "transform") else inner


def _join(name: str, key: str) -> str:
    return f"{name}__{key}" if name else key


def _copy(estimator: Any, **attributes: Any) -> Any:
    copied = copy.copy(estimator)
    vars(copied).update(attributes)
    return copied
