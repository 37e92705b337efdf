"""What a fitted estimator reads, derived from its structure and never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from scoremill.errors import FitError, UsageError
from scoremill.spec.mention import mention
from scoremill.units import quoted


@dataclass(frozen=True)
class Feed:
    """How an estimator is fed."""

    names: tuple[str, ...]
    """Columns in the order it wants them."""
    named: bool
    """True if the model gets a data frame, else an array."""
    series: bool = False
    """True if the model gets one series of texts."""


def feed_of(estimator: Any, sample: Sequence[str] | None, columns: Sequence[str] | None) -> Feed:
    """Return how `estimator` is fed; `sample` names the columns of the sample, `columns` override the names it was fitted with.

    Raises FitError for columns that the sample lacks, UsageError if they cannot be determined.
    """
    fitted = getattr(estimator, "feature_names_in_", None)
    if _reads_texts(estimator):
        feed = Feed(tuple(columns or _text_column(sample)), named=False, series=True)
    elif columns is not None:
        feed = Feed(tuple(columns), named=fitted is not None or not _counts(estimator))
    elif fitted is not None:
        feed = Feed(tuple(str(name) for name in fitted), named=True)
    else:
        feed = _unnamed(estimator, sample)
    if sample is not None and (missing := [name for name in feed.names if name not in sample]):
        raise FitError(
            f"the model reads {', '.join(map(quoted, missing))}, which the sample does not have",
            _columns_hint(sample),
            code="ColumnMissing",
        )
    return feed


def used_names(estimator: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the `names` that a ColumnTransformer as first step of `estimator` uses; all without one."""
    first = entrance(estimator)
    if not isinstance(first, ColumnTransformer) or tuple(getattr(first, "feature_names_in_", ())) != names:
        return names
    used = {
        int(position)
        for name, transformer, _ in first.transformers_
        if not (isinstance(transformer, str) and transformer == "drop")
        for position in first._transformer_to_input_indices[name]
    }
    return tuple(name for position, name in enumerate(names) if position in used)


def final_estimator(estimator: Any) -> Any:
    """What is left of `estimator` without searches and pipelines around it: the last step."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def entrance(estimator: Any) -> Any:
    """What of `estimator` reads the input: its first step, without searches and pipelines around it."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
            if not steps:
                return estimator
            estimator = steps[0]
        else:
            return estimator


def _reads_texts(estimator: Any) -> bool:
    try:
        tags = get_tags(entrance(estimator)).input_tags
    except (AttributeError, TypeError):
        return False
    return bool(tags.string and not tags.two_d_array)


def _counts(estimator: Any) -> bool:
    return getattr(estimator, "n_features_in_", None) is not None


def _text_column(sample: Sequence[str] | None) -> Sequence[str]:
    if sample is not None and len(sample) == 1:
        return sample
    raise UsageError(
        "could not determine which text column the model reads",
        "Name it (columns=[…]), or give a sample with that column alone.",
        code="SampleNeeded",
    )


def _unnamed(estimator: Any, sample: Sequence[str] | None) -> Feed:
    """A model fitted without names has a count at most; the sample's columns are its own if they are as many."""
    count = getattr(estimator, "n_features_in_", None)
    if sample is None and count is not None:
        return Feed(tuple(f"x{position}" for position in range(count)), named=False)
    if sample is None:
        raise UsageError(
            "could not determine which columns the model reads",
            "Give a sample (`sample=`) with the columns that it was trained on, and no others.",
            code="SampleNeeded",
        )
    if count is not None and count != len(sample):
        raise FitError(
            f"the model was trained on {count} columns without names, the sample has {len(sample)}",
            "Give a sample with the model's columns alone, or name them (columns=[…]).",
            code="ColumnMissing",
        )
    return Feed(tuple(sample), named=count is None)


def _columns_hint(sample: Sequence[str]) -> str:
    """Return a hint with the columns of the sample and, if likely, another delimiter."""
    found = f"The sample has {', '.join(map(quoted, sample[:_MANY]))}{', …' if len(sample) > _MANY else ''}."
    return f"{found} {delimiter_hint(sample) or 'Give one with the columns that the model was trained on.'}"


def delimiter_hint(names: Sequence[str]) -> str | None:
    """What to do if a CSV seems to have another delimiter than the one by which `names` were read."""
    marks = [mark for mark in ";\t|," if len(names) == 1 and mark in names[0]]
    return (
        f"Its header holds {quoted(marks[0])}: give {mention('spec.input.csv.delimiter', marks[0])}." if marks else None
    )


_MANY = 40
"""Columns named in a hint."""
