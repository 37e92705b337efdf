"""The place in the input that the rows of each output object come from."""

from __future__ import annotations

from collections.abc import Iterator

from scoremill.ledger import Origin

from .proofs import Proofs


def origins(proofs: Proofs, partition_bytes: int) -> Iterator[Origin]:
    """Yield where in the input the rows of each accepted receipt start."""
    for group, receipt in proofs.accepted():
        source = group.sources[0]
        is_cut = source.format == "csv" and group.count > 1
        start = (receipt.number - group.first) * partition_bytes if is_cut else 0
        yield Origin(source.uri, start, proofs.first_line(receipt.number))
