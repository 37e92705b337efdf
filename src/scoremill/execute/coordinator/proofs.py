"""Decide which receipts count: those whose partitions start where a row starts, proven by the quotes before them.

The plan cuts a CSV file as if no cut were inside quotes. Each receipt has the number of quotes in its range, which does
not depend on the assumed state at its start. So the true state at every cut can be computed from the start of the file.
A partition that assumed the wrong state is scored again with the right one. An irregular quote makes the rest of its
file one partition.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from scoremill.ledger import Receipt
from scoremill.planning import Group, Partition, Piece, Plan, make_partition, piece_at, whole_pieces


@dataclass(slots=True)
class ReceiptEffects:
    """The effects of a receipt."""

    accepted: list[Receipt] = field(default_factory=list)
    """Receipts that are proven now and count."""
    withdrawn: list[Receipt] = field(default_factory=list)
    """Receipts that were accepted and no longer count, because their input object is rejected."""
    discarded: list[Receipt] = field(default_factory=list)
    """Receipts that are disproven now; their objects must be deleted."""
    again: list[Partition] = field(default_factory=list)
    """Partitions to score again, with another state at the start."""
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _State:
    """The state of one group."""

    group: Group
    receipts: dict[tuple[int, bool], Receipt] = field(default_factory=dict)
    """Receipts by index in the group and by whether the partition assumed that it starts inside quotes."""
    inside: list[bool] = field(default_factory=lambda: [False])
    """For each partition, True if it starts inside quotes; known if all partitions before it have receipts."""
    lines: list[int] = field(default_factory=lambda: [1])
    """Line of the file, from 1, at which each of those partitions starts."""
    proven: int = 0
    """Number of accepted partitions, from the first."""
    rest: Partition | None = None
    """All of the group from partition `proven` on, as one partition, because of irregular quotes."""
    rest_receipt: Receipt | None = None


class Proofs:
    """Take receipts in any order and accept each when its start is proven; the result depends only on the receipts."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._states = [_State(group) for group in plan.groups]
        self._firsts = [group.first for group in plan.groups]
        self._requested: set[tuple[int, str]] = set()

    def take(self, receipt: Receipt) -> ReceiptEffects:
        """Return what `receipt` proves about its own partition and later ones."""
        outcome = ReceiptEffects()
        state = self._states[bisect_right(self._firsts, receipt.number) - 1]
        index = receipt.number - state.group.first
        if receipt.rejected_files and (rest := self._without(state, receipt.rejected_files)).id == receipt.id:
            # From an earlier run, which found out which objects cannot be read.
            state.rest = rest
        if state.rest is not None:
            self._take_rest(state, receipt, outcome)
            return outcome
        for inside in (False, True):
            if (index, inside) not in state.receipts and self._plan.partition(
                state.group, index, inside
            ).id == receipt.id:
                state.receipts[index, inside] = receipt
                self._compose(state, outcome)
                self._accept(state, outcome)
                # The id of a row group is the same for both states: it counts once and disproves nothing.
                break
        return outcome

    def replay(self, receipts: Iterable[Receipt]) -> list[Receipt]:
        """Return the receipts of an earlier run that count; partitions to score again become pending."""
        rejecting_first = sorted(receipts, key=lambda receipt: not receipt.rejected_files)
        accepted = [counted for receipt in rejecting_first for counted in self.take(receipt).accepted]
        self._requested.clear()
        return accepted

    @property
    def is_complete(self) -> bool:
        """True if accepted receipts cover every byte of the input."""
        return all(
            state.proven == state.group.count if state.rest is None else state.rest_receipt is not None
            for state in self._states
        )

    def pending(self) -> Iterator[Partition]:
        """Yield the partitions that still must be scored, in the order of the input."""
        for state in self._states:
            for partition in self._missing(state):
                if (partition.number, partition.id) not in self._requested:
                    self._requested.add((partition.number, partition.id))
                    yield partition

    def suspect(self, partition: Partition, outcome: ReceiptEffects) -> bool | None:
        """Return whether `partition`, which failed, starts where a row starts; None if that is not known yet.

        If it does not, ignore its failure: the partition to score instead is added to `outcome`.
        """
        state = self._states[bisect_right(self._firsts, partition.number) - 1]
        index, piece = partition.number - state.group.first, partition.pieces[0]
        if state.rest is not None or index < state.proven:
            return state.rest is not None and partition.id == state.rest.id
        if index < len(state.inside) and state.inside[index] != piece.inside_quotes:
            self._request(self._plan.partition(state.group, index, state.inside[index]), outcome)
            return False
        return True if index == state.proven or piece.source.format == "parquet" else None

    def reject(self, partition: Partition, uri: str) -> ReceiptEffects:
        """Reject the input object `uri` of `partition`: nothing from it counts, and it is not read again."""
        outcome = ReceiptEffects()
        state = self._states[bisect_right(self._firsts, partition.number) - 1]
        rejected = [piece.source.uri for piece in partition.pieces if piece.rejected or piece.source.uri == uri]
        outcome.withdrawn = [receipt for _, receipt in self._accepted(state)]
        outcome.discarded += [*state.receipts.values(), *filter(None, [state.rest_receipt])]
        state.receipts, state.rest_receipt, state.proven = {}, None, 0
        self._replace_rest(state, self._without(state, rejected), outcome)
        return outcome

    def _without(self, state: _State, uris: Collection[str]) -> Partition:
        """Return a whole group as one partition, without the objects at `uris`."""
        group, rest = state.group, state.rest
        pieces = rest.pieces if rest is not None and len(group.sources) > 1 else whole_pieces(group)
        marked = (replace(piece, rejected=piece.source.uri in uris) for piece in pieces)
        return make_partition(self._plan.settings_hash, group.first, *marked)

    def _replace_rest(self, state: _State, rest: Partition, outcome: ReceiptEffects) -> None:
        state.rest = rest
        # The id does not depend on which objects are rejected.
        self._requested.discard((rest.number, rest.id))
        self._request(rest, outcome)

    def first_line(self, number: int) -> int:
        """Return the line of its file, from 1, at which a partition starts; 0 if that is not known yet.

        It is also 0 for partitions of Parquet, and for partitions of several files, each of which starts with line 1.
        """
        state = self._states[bisect_right(self._firsts, number) - 1]
        index = number - state.group.first
        has_lines = state.group.sources[0].format == "csv" and len(state.group.sources) == 1
        return state.lines[index] if has_lines and index < len(state.lines) else 0

    def replace(self, receipt: Receipt) -> None:
        """Replace the accepted receipt of the same partition, whose objects were published again, with `receipt`."""
        state = self._states[bisect_right(self._firsts, receipt.number) - 1]
        index = receipt.number - state.group.first
        if state.rest_receipt is not None and state.rest_receipt.number == receipt.number:
            state.rest_receipt = receipt
        else:
            state.receipts[index, state.inside[index]] = receipt

    def knows(self, number: int, partition_id: str) -> bool:
        """Return whether a partition of this plan, with either state at its start, has this number and id."""
        state = self._states[bisect_right(self._firsts, number) - 1] if self._states else None
        if state is None or number - state.group.first >= state.group.count:
            return False
        index = number - state.group.first
        candidates = [self._plan.partition(state.group, index, inside) for inside in (False, True)]
        if len(state.group.sources) == 1:
            candidates += [self._rest(state, index, inside) for inside in (False, True)]
        candidates.append(self._without(state, [source.uri for source in state.group.sources]))
        return partition_id in {partition.id for partition in (*candidates, state.rest) if partition is not None}

    def accepted(self) -> Iterator[tuple[Group, Receipt]]:
        """Return the receipts that count with their groups, in the order of the input."""
        return (counted for state in self._states for counted in self._accepted(state))

    def completed(self) -> Iterator[tuple[Partition, Receipt]]:
        """Return the receipts that count with their partitions."""
        for state in self._states:
            for index in range(state.proven):
                inside = state.inside[index]
                yield self._plan.partition(state.group, index, inside), state.receipts[index, inside]
            if state.rest is not None and state.rest_receipt is not None:
                yield state.rest, state.rest_receipt

    def _accepted(self, state: _State) -> Iterator[tuple[Group, Receipt]]:
        for index in range(state.proven):
            yield state.group, state.receipts[index, state.inside[index]]
        if state.rest_receipt is not None:
            yield state.group, state.rest_receipt

    def _missing(self, state: _State) -> Iterator[Partition]:
        for index in range(state.proven, state.group.count):
            if state.rest is not None:
                break
            known = index < len(state.inside)
            inside = state.inside[index] if known else False
            if (index, inside) not in state.receipts and (known or (index, True) not in state.receipts):
                yield self._plan.partition(state.group, index, inside)
        if state.rest is not None and state.rest_receipt is None:
            yield state.rest

    def _compose(self, state: _State, outcome: ReceiptEffects) -> None:
        """Compute the states of later partitions, and request partitions that assumed the wrong one again."""
        while (index := len(state.inside) - 1) < state.group.count:
            inside = state.inside[index]
            receipt = state.receipts.get((index, inside)) or state.receipts.get((index, not inside))
            if receipt is None:
                return
            if (index, inside) not in state.receipts:
                self._request(self._plan.partition(state.group, index, inside), outcome)
            state.inside.append(inside ^ (receipt.quotes % 2 == 1))
            state.lines.append(state.lines[-1] + sum(receipt.lines))

    def _accept(self, state: _State, outcome: ReceiptEffects) -> None:
        while state.proven < state.group.count and state.proven < len(state.inside):
            inside = state.inside[state.proven]
            receipt = state.receipts.get((state.proven, inside))
            if receipt is None:
                return
            if receipt.irregular:
                self._read_rest(state, receipt, outcome)
                return
            outcome.accepted.append(receipt)
            disproven = state.receipts.pop((state.proven, not inside), None)
            outcome.discarded += [disproven] if disproven else []
            state.proven += 1

    def _read_rest(self, state: _State, receipt: Receipt, outcome: ReceiptEffects) -> None:
        sources, index = state.group.sources, state.proven
        if len(sources) > 1:
            state.rest = self._reread(state.group.first, whole_pieces(state.group), receipt)
        else:
            state.rest = self._rest(state, index, state.inside[index])
        for at in receipt.irregular:
            outcome.notes.append(
                f"{sources[at].uri} has a quote inside an unquoted field, so the rest of the file is one partition"
            )
        outcome.discarded += [r for (at, _), r in state.receipts.items() if at >= index]
        state.receipts = {key: r for key, r in state.receipts.items() if key[0] < index}
        self._request(state.rest, outcome)

    def _reread(self, number: int, pieces: Iterable[Piece], receipt: Receipt) -> Partition:
        """Return the partition of `pieces`, with the irregular ones according to `receipt` read as whole files."""
        marked = (replace(piece, whole=piece.whole or at in receipt.irregular) for at, piece in enumerate(pieces))
        return make_partition(self._plan.settings_hash, number, *marked)

    def _rest(self, state: _State, index: int, inside: bool) -> Partition:
        """Return the rest of a file from partition `index` on as one partition."""
        source = state.group.sources[0]
        start = piece_at(state.group, index, self._plan.settings.partition_bytes).start
        piece = Piece(source, start, source.size, inside, whole=True)
        return make_partition(self._plan.settings_hash, state.group.first + index, piece)

    def _take_rest(self, state: _State, receipt: Receipt, outcome: ReceiptEffects) -> None:
        if state.rest is not None and receipt.id == state.rest.id:
            if receipt.irregular:
                outcome.discarded.append(receipt)
                self._replace_rest(state, self._reread(state.rest.number, state.rest.pieces, receipt), outcome)
            elif state.rest_receipt is None:
                state.rest_receipt = receipt
                outcome.accepted.append(receipt)
        elif state.rest is not None and receipt.number >= state.rest.number:
            outcome.discarded.append(receipt)

    def _request(self, partition: Partition, outcome: ReceiptEffects) -> None:
        if (partition.number, partition.id) not in self._requested:
            self._requested.add((partition.number, partition.id))
            outcome.again.append(partition)
