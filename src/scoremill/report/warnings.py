"""What a user must hear of a run although it is complete."""

from __future__ import annotations

from collections.abc import Iterator

from scoremill.ledger import Totals
from scoremill.units import counted


def warnings_of(totals: Totals) -> Iterator[str]:
    """Yield the warnings about a complete run."""
    if totals.rejected_files:
        yield f"{counted(totals.rejected_files, 'input object')} could not be read; the reasons are in _errors/files/"
    if totals.scored:
        return
    if totals.rejected:
        yield f"0 rows were scored: all {totals.rejected:,} were rejected"
    elif totals.left_out:
        yield f"0 rows were scored: `spec.input.where` selects none of {totals.left_out:,}"
    elif totals.partitions:
        yield "0 rows were scored: the input has no rows"
    else:
        yield "0 rows were scored: there is no object to score"
