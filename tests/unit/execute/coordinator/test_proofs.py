"""Proofs compared with a model: files of any bytes, receipts in any order, drivers that die at any time."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoremill.discovery import Source
from scoremill.execute.coordinator.proofs import Proofs
from scoremill.ledger import Receipt
from scoremill.planning import Group, Partition, Plan, Settings
from scoremill.spec import Csv

CUT = 4
SETTINGS = Settings(
    bundle="",
    method="predict",
    batch_rows=1,
    partition_bytes=CUT,
    csv=Csv(),
    hive=False,
    id_by="version",
    format="parquet",
    keep=(),
    row_id=False,
    columns=(),
    threshold=None,
    dtype=None,
    raw="Keep",
)
TEXTS = st.text(alphabet='"",\na', max_size=60).map(str.encode)


class World:
    """Files, and the receipts of their partitions, computed only from the rules of quotes."""

    def __init__(self, texts: list[bytes]) -> None:
        self.texts = texts
        groups, first = [], 0
        for number, text in enumerate(texts):
            count = max(1, -(-len(text) // CUT))
            groups.append(Group(first, count, (Source("/", str(number), len(text), "v", "v", "csv"),)))
            first += count
        self.plan = Plan(SETTINGS, tuple(groups))

    def score(self, partition: Partition) -> Receipt:
        (piece,) = partition.pieces
        text = self.texts[int(piece.source.name)]
        return Receipt(
            partition.number,
            partition.id,
            rows=1,
            scored=1,
            rejected=0,
            parts=(),
            quotes=text[piece.start : piece.end].count(b'"'),
            irregular=() if piece.whole or self.is_regular(text, piece.start, piece.end, piece.inside_quotes) else (0,),
        )

    @staticmethod
    def is_regular(text: bytes, start: int, end: int, inside: bool) -> bool:
        padded = b"\n" + text + b"\n"
        for at in range(start, min(end, len(text))):
            if text[at] == ord('"'):
                if padded[at + 2 if inside else at] not in b'",\n':
                    return False
                inside = not inside
        return True

    def truth(self) -> list[str]:
        """Return ids of the partitions that must count, in order: each starts in its true state, up to irregular quotes."""
        ids = []
        for group, text in zip(self.plan.groups, self.texts, strict=True):
            pieces = [text[i * CUT : (i + 1) * CUT] for i in range(group.count)]
            states = [odd % 2 == 1 for odd in accumulate((p.count(b'"') for p in pieces), initial=0)]
            for index in range(group.count):
                if not self.is_regular(text, index * CUT, (index + 1) * CUT, states[index]):
                    ids.append(f"rest of {group.first + index}")
                    break
                ids.append(self.plan.partition(group, index, states[index]).id)
        return ids

    def named(self, proofs: Proofs) -> list[str]:
        """Return the ids that `proofs` accepted, in the form of `truth`."""
        possible = {
            self.plan.partition(g, i, inside).id for g in self.plan.groups for i in range(g.count) for inside in (0, 1)
        }
        return [r.id if r.id in possible else f"rest of {r.number}" for _, r in proofs.accepted()]


class Driver:
    """Run a plan like the real driver, with a window; the ledger outlives it."""

    def __init__(self, world: World, ledger: list[Receipt]) -> None:
        self.world, self.ledger = world, ledger
        self.proofs = Proofs(world.plan)
        self.accepted = Counter(receipt.id for receipt in self.proofs.replay(ledger))
        self.pending = self.proofs.pending()
        self.window: list[Partition] = []
        self.submitted: Counter[str] = Counter()

    def step(self, data: st.DataObject) -> bool:
        """Finish one of the submitted tasks; return False if none is left."""
        while len(self.window) < 3 and (partition := next(self.pending, None)) is not None:
            self._submit(partition)
        if not self.window:
            return False
        receipt = self.world.score(self.window.pop(data.draw(st.integers(0, len(self.window) - 1))))
        self.ledger.append(receipt)
        outcome = self.proofs.take(receipt)
        for partition in outcome.again:
            self._submit(partition)
        self.accepted.update(r.id for r in outcome.accepted)
        discarded = {r.id for r in outcome.discarded}
        self.ledger[:] = [r for r in self.ledger if r.irregular or r.id not in discarded]
        return True

    def _submit(self, partition: Partition) -> None:
        self.submitted[partition.id] += 1
        self.window.append(partition)


@settings(max_examples=300, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), data=st.data())
def test_proofs_accept_exactly_the_partitions_with_true_start_states_in_any_order_and_after_restarts(texts, data):
    world, ledger = World(texts), []
    for steps in data.draw(st.lists(st.integers(0, 8), max_size=3)):
        driver = Driver(world, ledger)
        for _ in range(steps):
            driver.step(data)
        # A killed driver loses what it has not flushed.
        del ledger[len(ledger) - data.draw(st.integers(0, min(2, len(ledger)))) :]
        data.draw(st.randoms(use_true_random=False)).shuffle(ledger)
    driver = Driver(world, ledger)
    while driver.step(data):
        assert max(driver.submitted.values()) == 1
    assert driver.proofs.is_complete
    assert world.named(driver.proofs) == world.truth()
    assert set(driver.accepted.values()) == {1}
    assert sum(driver.accepted.values()) == len(world.truth())


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=2), data=st.data())
def test_complete_ledger_leaves_no_pending_partitions(texts, data):
    world, ledger = World(texts), []
    driver = Driver(world, ledger)
    while driver.step(data):
        assert max(driver.submitted.values()) == 1
    proofs = Proofs(world.plan)
    proofs.replay(ledger)
    assert proofs.is_complete
    assert list(proofs.pending()) == []


def test_partition_that_starts_inside_quotes_is_requested_again_once_and_its_first_receipt_discarded():
    world = World([b'a,"\n\n\n\n"\n'])
    proofs = Proofs(world.plan)
    first, second, third = map(world.score, world.plan.partitions())
    assert proofs.take(second).accepted == []
    outcome = proofs.take(first)
    assert outcome.accepted == [first]
    (again,) = outcome.again
    assert (again.number, again.pieces[0].inside_quotes) == (1, True)
    assert proofs.take(second).again == []
    right = world.score(again)
    outcome = proofs.take(right)
    assert outcome.accepted == [right]
    assert outcome.discarded == [second]
    assert not proofs.is_complete
    proofs.take(third)
    assert proofs.is_complete == (right.quotes % 2 == 1)


def test_irregular_quotes_make_the_rest_of_the_file_one_partition():
    world = World([b'aaa\n5" disk\naaaaaaa\n', b"bbb\n"])
    proofs = Proofs(world.plan)
    outcomes = [proofs.take(world.score(partition)) for partition in world.plan.partitions()]
    (rest,) = [partition for outcome in outcomes for partition in outcome.again if partition.pieces[0].whole]
    assert (rest.number, rest.pieces[0].start, rest.pieces[0].end) == (1, CUT, len(world.texts[0]))
    assert [note for outcome in outcomes for note in outcome.notes]
    proofs.take(world.score(rest))
    assert [receipt.number for _, receipt in proofs.accepted()] == [0, 1, world.plan.groups[1].first]


@pytest.mark.parametrize("inside", [False, True])
def test_proofs_know_both_start_states_of_a_partition_and_no_other_ids(inside):
    world = World([b'"aaaaaaa"\n'])
    proofs = Proofs(world.plan)
    partition = world.plan.partition(world.plan.groups[0], 1, inside)
    assert proofs.knows(partition.number, partition.id)
    assert not proofs.knows(0, partition.id)
    assert not proofs.knows(99, partition.id)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_row_groups_count_in_any_order_of_completion(order):
    source = Source("/", "a.parquet", 100, "v", "v", "parquet", row_groups=3)
    plan = Plan(SETTINGS, (Group(0, 3, (source,)),))
    partitions, proofs = list(plan.partitions()), Proofs(plan)
    outcomes = [
        proofs.take(Receipt(number, partitions[number].id, rows=1, scored=1, rejected=0, parts=())) for number in order
    ]
    assert [receipt for outcome in outcomes for receipt in outcome.discarded] == []
    assert proofs.is_complete
