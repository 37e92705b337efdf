"""Compare the columns of sampled objects with those that a model reads; differences are not always problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .plan import Plan


@dataclass(frozen=True, slots=True)
class Match:
    """What is read by name and what is not read at all."""

    surplus: tuple[str, ...]
    """Columns of the input that neither the model reads nor the job names."""
    reordered: tuple[str, ...]
    """URIs of sampled objects in which the model's columns stand in another order than in training."""
    renamed: dict[str, str]
    """New names of columns, by the names that they have in the input."""


def match_columns(plan: Plan, columns: Sequence[str]) -> Match:
    """The match of the sampled headers with the model's `columns`."""
    settings = plan.settings
    kept, compared = ([column.name for column in named] for named in (settings.keep, settings.where_columns))
    named = {*columns, *kept, *compared}
    there = dict.fromkeys(name for names in plan.headers.values() for name in names)
    return Match(
        surplus=tuple(name for name in there if name not in named),
        reordered=tuple(
            uri
            for uri, names in plan.headers.items()
            if [name for name in names if name in columns] != [name for name in columns if name in names]
        ),
        renamed=plan.renamed,
    )
