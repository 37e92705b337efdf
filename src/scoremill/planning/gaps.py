"""What the model was trained on and the input's formats cannot carry to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scoremill.discovery.problem import Problem
from scoremill.discovery.source import Source
from scoremill.spec import Csv, Gap


def gap_problems(gaps: Sequence[Gap], sources: Sequence[Source], csv: Csv) -> Iterator[Problem]:
    """A problem for each gap that input of these formats, read as `csv` says, has.

    A value that is altered is an error, since no row would show it; one whose row is rejected is a warning.
    """
    spellings = [gap.spelling for gap in gaps if gap.spelling is not None]
    for gap in gaps:
        uris = [source.uri for source in sources if source.format == gap.format]
        if uris and gap.is_open(csv):
            more = f" and {len(uris) - 1} more" if len(uris) > 1 else ""
            yield Problem(
                "warning" if gap.is_rejected else "error",
                uris[0] + more,
                gap.message,
                gap.hint(csv, spellings),
                code="InvalidValues",
            )
