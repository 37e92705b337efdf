"""Which receipts count: those whose partitions began where a row begins, as the quotes before them prove.

Partitions of a CSV are cut optimistically, as if no cut lay inside quotes. Each receipt tells how many quotes its
range holds, whatever its own start was taken to be, so the true state at every cut follows from the file's first
byte onwards. A partition that began in the wrong state is scored again in the right one, and an irregular quote
makes the rest of its file one partition.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from scoremill.ledger import Receipt
from scoremill.planning import Group, Partition, Piece, Plan, make_partition, piece_at, whole_pieces


@dataclass(slots=True)
class Outcome:
    """What a receipt changes."""

    accepted: list[Receipt] = field(default_factory=list)
    """Proven now: they count from here on."""
    withdrawn: list[Receipt] = field(default_factory=list)
    """Accepted before, and counted no more: their object is rejected."""
    discarded: list[Receipt] = field(default_factory=list)
    """Disproven now: their objects go."""
    again: list[Partition] = field(default_factory=list)
    """To be scored from another start."""
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _State:
    """What is known of one group."""

    group: Group
    receipts: dict[tuple[int, bool], Receipt] = field(default_factory=dict)
    """By index in the group, and hypothesis about the start."""
    inside: list[bool] = field(default_factory=lambda: [False])
    """Whether the partitions whose predecessors are all counted begin inside quotes."""
    lines: list[int] = field(default_factory=lambda: [1])
    """Line of the file, from 1, at which those partitions begin."""
    proven: int = 0
    """Partitions accepted, from the first."""
    rest: Partition | None = None
    """Everything from partition `proven` on, as one, because of irregular quotes."""
    rest_receipt: Receipt | None = None


class Proofs:
    """Takes receipts in any order and accepts each once its start is proven; a function of the receipts alone."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._states = [_State(group) for group in plan.groups]
        self._firsts = [group.first for group in plan.groups]
        self._asked: set[tuple[int, str]] = set()

    def take(self, receipt: Receipt) -> Outcome:
        """What `receipt` proves of its own partition and of those after it."""
        outcome = Outcome()
        state = self._states[bisect_right(self._firsts, receipt.number) - 1]
        index = receipt.number - state.group.first
        if receipt.rejected_files and (rest := self._without(state, receipt.rejected_files)).id == receipt.id:
            # An earlier run's, which found out what cannot be read.
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
                # A row group's id is the same under both hypotheses: it counts once, and refutes nothing.
                break
        return outcome

    def replay(self, receipts: Iterable[Receipt]) -> list[Receipt]:
        """Those of an earlier run's receipts that count; what they ask for anew is pending."""
        rejecting_first = sorted(receipts, key=lambda receipt: not receipt.rejected_files)
        accepted = [counted for receipt in rejecting_first for counted in self.take(receipt).accepted]
        self._asked.clear()
        return accepted

    @property
    def is_complete(self) -> bool:
        """Whether every byte of the input is accounted for by an accepted receipt."""
        return all(
            state.proven == state.group.count if state.rest is None else state.rest_receipt is not None
            for state in self._states
        )

    def pending(self) -> Iterator[Partition]:
        """The partitions that still have to be scored, in the order of the input."""
        for state in self._states:
            for partition in self._missing(state):
                if (partition.number, partition.id) not in self._asked:
                    self._asked.add((partition.number, partition.id))
                    yield partition

    def suspect(self, partition: Partition, outcome: Outcome) -> bool | None:
        """Whether `partition`, which failed, begins where a row begins; None while that is not known yet.

        Where it does not, its failure says nothing, and `outcome` asks for what is to be scored in its place.
        """
        state = self._states[bisect_right(self._firsts, partition.number) - 1]
        index, piece = partition.number - state.group.first, partition.pieces[0]
        if state.rest is not None or index < state.proven:
            return state.rest is not None and partition.id == state.rest.id
        if index < len(state.inside) and state.inside[index] != piece.inside_quotes:
            self._ask(self._plan.partition(state.group, index, state.inside[index]), outcome)
            return False
        return True if index == state.proven or piece.source.format == "parquet" else None

    def reject(self, partition: Partition, uri: str) -> Outcome:
        """Reject the input object `uri`, of which `partition` is a part: nothing of it counts, and it is read no more."""
        outcome = Outcome()
        state = self._states[bisect_right(self._firsts, partition.number) - 1]
        rejected = [piece.source.uri for piece in partition.pieces if piece.rejected or piece.source.uri == uri]
        outcome.withdrawn = [receipt for _, receipt in self._accepted(state)]
        outcome.discarded += [*state.receipts.values(), *filter(None, [state.rest_receipt])]
        state.receipts, state.rest_receipt, state.proven = {}, None, 0
        self._replace_rest(state, self._without(state, rejected), outcome)
        return outcome

    def _without(self, state: _State, uris: Collection[str]) -> Partition:
        """The whole of a group as one partition, without the objects of these URIs."""
        group, rest = state.group, state.rest
        pieces = rest.pieces if rest is not None and len(group.sources) > 1 else whole_pieces(group)
        marked = (replace(piece, rejected=piece.source.uri in uris) for piece in pieces)
        return make_partition(self._plan.settings_hash, group.first, *marked)

    def _replace_rest(self, state: _State, rest: Partition, outcome: Outcome) -> None:
        state.rest = rest
        # One id stands for every choice of rejected objects.
        self._asked.discard((rest.number, rest.id))
        self._ask(rest, outcome)

    def first_line(self, number: int) -> int:
        """The line of its file, from 1, at which a partition begins; 0 if that is not known yet.

        It is 0 as well for partitions of Parquet, and for those of several files, each of which begins with line 1.
        """
        state = self._states[bisect_right(self._firsts, number) - 1]
        index = number - state.group.first
        has_lines = state.group.sources[0].format == "csv" and len(state.group.sources) == 1
        return state.lines[index] if has_lines and index < len(state.lines) else 0

    def replace(self, receipt: Receipt) -> None:
        """Lets `receipt` stand for the accepted one of the same partition, whose objects were published again."""
        state = self._states[bisect_right(self._firsts, receipt.number) - 1]
        index = receipt.number - state.group.first
        if state.rest_receipt is not None and state.rest_receipt.number == receipt.number:
            state.rest_receipt = receipt
        else:
            state.receipts[index, state.inside[index]] = receipt

    def knows(self, number: int, partition_id: str) -> bool:
        """Whether a partition of this plan has, or under the other hypothesis would have, this number and id."""
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
        """The receipts that count, in the order of the input, with their groups."""
        return (counted for state in self._states for counted in self._accepted(state))

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

    def _compose(self, state: _State, outcome: Outcome) -> None:
        """Counts quotes onwards, and asks anew for partitions that began in the wrong state."""
        while (index := len(state.inside) - 1) < state.group.count:
            inside = state.inside[index]
            receipt = state.receipts.get((index, inside)) or state.receipts.get((index, not inside))
            if receipt is None:
                return
            if (index, inside) not in state.receipts:
                self._ask(self._plan.partition(state.group, index, inside), outcome)
            state.inside.append(inside ^ (receipt.quotes % 2 == 1))
            state.lines.append(state.lines[-1] + sum(receipt.lines))

    def _accept(self, state: _State, outcome: Outcome) -> None:
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

    def _read_rest(self, state: _State, receipt: Receipt, outcome: Outcome) -> None:
        sources, index = state.group.sources, state.proven
        if len(sources) > 1:
            state.rest = self._reread(state.group.first, whole_pieces(state.group), receipt)
        else:
            state.rest = self._rest(state, index, state.inside[index])
        for at in receipt.irregular:
            outcome.notes.append(
                f"{sources[at].uri}: a quote inside an unquoted field; the file is one partition from there on"
            )
        outcome.discarded += [r for (at, _), r in state.receipts.items() if at >= index]
        state.receipts = {key: r for key, r in state.receipts.items() if key[0] < index}
        self._ask(state.rest, outcome)

    def _reread(self, number: int, pieces: Iterable[Piece], receipt: Receipt) -> Partition:
        """The partition of these pieces, those that `receipt` calls irregular to be read as whole files."""
        marked = (replace(piece, whole=piece.whole or at in receipt.irregular) for at, piece in enumerate(pieces))
        return make_partition(self._plan.settings_hash, number, *marked)

    def _rest(self, state: _State, index: int, inside: bool) -> Partition:
        """A file from partition `index` on, as one."""
        source = state.group.sources[0]
        start = piece_at(state.group, index, self._plan.settings.partition_bytes).start
        piece = Piece(source, start, source.size, inside, whole=True)
        return make_partition(self._plan.settings_hash, state.group.first + index, piece)

    def _take_rest(self, state: _State, receipt: Receipt, outcome: Outcome) -> None:
        if state.rest is not None and receipt.id == state.rest.id:
            if receipt.irregular:
                outcome.discarded.append(receipt)
                self._replace_rest(state, self._reread(state.rest.number, state.rest.pieces, receipt), outcome)
            elif state.rest_receipt is None:
                state.rest_receipt = receipt
                outcome.accepted.append(receipt)
        elif state.rest is not None and receipt.number >= state.rest.number:
            outcome.discarded.append(receipt)

    def _ask(self, partition: Partition, outcome: Outcome) -> None:
        if (partition.number, partition.id) not in self._asked:
            self._asked.add((partition.number, partition.id))
            outcome.again.append(partition)
