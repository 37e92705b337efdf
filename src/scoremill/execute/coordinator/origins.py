"""Where in the input the rows of each object come from, for people who look for one of them."""

from __future__ import annotations

from collections.abc import Iterator

from scoremill.ledger import Origin

from .proofs import Proofs


def origins(proofs: Proofs, partition_bytes: int) -> Iterator[Origin]:
    """Where the rows of each accepted receipt begin."""
    for group, receipt in proofs.accepted():
        source = group.sources[0]
        is_cut = source.format == "csv" and group.count > 1
        start = (receipt.number - group.first) * partition_bytes if is_cut else 0
        yield Origin(source.uri, start, proofs.first_line(receipt.number))
