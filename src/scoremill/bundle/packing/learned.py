"""What fitted encoders and imputers learned about the columns that they get unchanged from the input."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline

from scoremill.errors import FitError
from scoremill.spec import NULL_VALUES, Csv, Missing
from scoremill.spec.mention import mention_argument
from scoremill.units import quoted

from ..columns import entrance


@dataclass(frozen=True)
class Learned:
    """What the steps that read one column learned about its values."""

    categories: tuple[Any, ...] = ()
    """Values that are categories, missing ones left out."""
    fills: tuple[Any, ...] = ()
    """Values that stand in for missing ones."""
    missing: frozenset[Missing] = frozenset()
    """The forms of missing values that are categories, or that are replaced."""

    @property
    def values(self) -> tuple[Any, ...]:
        return self.categories + self.fills

    @property
    def is_text(self) -> bool:
        return any(isinstance(value, str) for value in self.values)

    @property
    def is_numeric(self) -> bool:
        return bool(self.values) and all(isinstance(value, int | float | np.number | np.bool_) for value in self.values)

    def __add__(self, other: Learned) -> Learned:
        return Learned(self.categories + other.categories, self.fills + other.fills, self.missing | other.missing)


def learned(estimator: Any, names: tuple[str, ...]) -> Mapping[str, Learned]:
    """For each of the columns `names` that the first steps of `estimator` know, what they learned about it."""
    found: defaultdict[str, Learned] = defaultdict(Learned)
    for step, columns in _first_steps(estimator, names):
        for name, known in _of_step(step, columns):
            found[name] += known
    return found


def _first_steps(estimator: Any, names: tuple[str, ...]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Each transformer or predictor that reads columns of the input as they are, with their names."""
    first = entrance(estimator)
    names = tuple(getattr(first, "feature_names_in_", names))
    if isinstance(first, ColumnTransformer):
        for name, transformer, _ in first.transformers_:
            positions = first._transformer_to_input_indices.get(name, ())
            yield from _first_steps(transformer, tuple(names[position] for position in positions))
    elif isinstance(first, FeatureUnion):
        for _, transformer in first.transformer_list:
            yield from _first_steps(transformer, names)
    else:
        yield first, names
        for inner in _inside(first):
            yield from _first_steps(inner, names)


def _inside(estimator: Any) -> list[Any]:
    """The pipelines that `estimator` hands its input to, unchanged."""
    calibrated = [one.estimator for one in getattr(estimator, "calibrated_classifiers_", ())]
    wrapped = [getattr(estimator, name, None) for name in ("estimator_", "regressor_")]
    several = getattr(estimator, "estimators_", ())
    return [one for one in (*calibrated, *wrapped, *several) if isinstance(one, Pipeline | ColumnTransformer)]


def _of_step(step: Any, names: tuple[str, ...]) -> Iterator[tuple[str, Learned]]:
    categories = getattr(step, "categories_", None)
    if isinstance(step, SimpleImputer) and len(step.statistics_) == len(names):
        forms: set[Missing] = set() if isinstance(step.missing_values, float) else _forms([step.missing_values])
        for name, value in zip(names, step.statistics_, strict=True):
            yield name, Learned(fills=() if pd.isna(value) else (value,), missing=frozenset(forms))
    elif isinstance(categories, list) and len(categories) == len(names):
        for name, known in zip(names, categories, strict=True):
            present = tuple(value for value in known if not pd.isna(value))
            yield name, Learned(present, missing=frozenset(_forms(known)))


def _forms(values: Any) -> set[Missing]:
    return {"None" if value is None else "NA" if value is pd.NA else "NaN" for value in values if pd.isna(value)}


def texts_of(values: Iterable[Any], known: Learned, csv: Csv, *, has_missing: bool) -> tuple[str, ...]:
    """Return the null values of CSV that are text: among the `values` of a column, or to the model that reads it.

    An empty text is one of them only if nothing is missing there: most writers of CSV write both alike.
    """
    nulls = {*NULL_VALUES, *csv.null_values}
    found = {value for value in chain(values, known.categories) if isinstance(value, str) and value in nulls}
    return tuple(sorted(found - {""} if has_missing or known.missing else found))


def sole_form(name: str, known: Learned) -> Missing | None:
    """The one form of missing values that the model learned in the column `name`, if any; FitError if several."""
    if len(known.missing) > 1:
        raise FitError(
            f"column {quoted(name)}: the model learned {' and '.join(sorted(known.missing))} as different values, "
            "and files have one kind of missing value",
            f"Choose what the model gets, for example {mention_argument('missing', {name: 'None'})}, "
            "or train it with one of them.",
            code="ColumnType",
        )
    return next(iter(known.missing), None)
