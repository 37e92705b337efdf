"""Where in the input the rows of each object come from, for people who look for one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scoremill.ledger import Origin, Receipt
from scoremill.plan import Group


def origins(counted: Iterable[tuple[Group, Receipt]], partition_bytes: int) -> Iterator[Origin]:
    """Where each counted receipt's rows begin, with line numbers as sums over the receipts before it."""
    group, line = None, 1
    for here, receipt in counted:
        if here is not group:
            group, line = here, 1
        source = here.sources[0]
        cut = source.format == "csv" and here.count > 1
        start = (receipt.number - here.first) * partition_bytes if cut else 0
        yield Origin(source.uri, start, line if source.format == "csv" and len(here.sources) == 1 else 0)
        line += sum(receipt.lines)
