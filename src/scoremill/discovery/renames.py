"""What the samples show of columns that the job renames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from scoremill.errors import InputError
from scoremill.spec import Column
from scoremill.spec.mention import mention
from scoremill.tabular.rename import renamed
from scoremill.units import quoted

from .asked import Asked
from .problem import Problem
from .sample import Sample
from .source import Source


def matched(sample: Sample, asked: Asked, needs: Sequence[Column], kept: Sequence[str]) -> Sample:
    """Return `sample` with its columns also matched with those that are kept because the first object has them."""
    if not asked.renaming.is_relaxed or not sample.names:
        return sample
    in_file = {new: old for old, new in sample.changes.items()}
    try:
        changes = asked.changes(renamed(sample.names, in_file), needs, kept)
    except InputError as error:
        problem = Problem.of(error, sample.source.uri)
        return replace(sample, problems=(*sample.problems, problem))

    def now(names: Sequence[str]) -> tuple[str, ...]:
        return renamed(renamed(names, in_file), changes)

    rows = None if sample.rows is None else sample.rows.rename_columns(list(now(sample.rows.column_names)))
    return replace(sample, names=now(sample.names), rows=rows, changes=changes)


def rename_problems(
    pairs: Mapping[str, str], samples: Sequence[Sample], sources: Sequence[Source]
) -> Iterator[Problem]:
    """Yield a problem for each column to rename that no sampled object has; an error if all objects were sampled."""
    headers = [sample for sample in samples if sample.names]
    for old, new in pairs.items():
        if headers and not any(old in sample.changes for sample in headers):
            is_all = len(headers) == len([source for source in sources if source.size])
            field = mention("spec.input.rename", {old: new})
            yield Problem(
                "error" if is_all else "warning",
                "`spec.input.rename`",
                f"no {'file' if is_all else 'sampled file'} has a column {quoted(old)}",
                f"Leave out {field}, or correct the name; the columns are: {', '.join((headers[0].names or ())[:40])}.",
                code="ColumnMissing",
            )
