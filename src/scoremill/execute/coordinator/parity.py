"""Complete the comparison of the accelerated model with the original one at the end of a run."""

from __future__ import annotations

from scoremill.planning import Partition, Plan, rank

from .proofs import Proofs


def to_compare(proofs: Proofs, plan: Plan, rows: int) -> list[Partition]:
    """Return the completed partitions to score again so that `rows` rows are compared, or all rows.

    There are some if partitions had fewer rows than estimated, or if an earlier run scored them.
    """
    completed = list(proofs.completed()) if rows else []
    missing = rows - sum(receipt.compared for _, receipt in completed)
    found = []
    for partition, receipt in sorted(completed, key=lambda each: rank(plan, each[0].number)):
        more = receipt.scored - receipt.compared
        if missing > 0 and more:
            missing -= more
            found.append(partition)
    return found
