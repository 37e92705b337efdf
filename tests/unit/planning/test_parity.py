"""The batches that the original model scores as well: enough rows, all over the input, chosen by the plan alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from scoremill.discovery import Source
from scoremill.planning import EVERYTHING, NOTHING, Needs, Plan, Sample, build_plan, choose_batches
from scoremill.planning.partition import group_sources
from scoremill.spec import Column
from tests.support.jobs import make_job

NEEDS = Needs("sha256:0", "predict", (Column("a", "float64"),))
MakePlan = Callable[..., Plan]
BATCH, BATCHES, FILES = 1000, 5, 20


@pytest.fixture(scope="module", name="plan")
def make_plan(tmp_path_factory: pytest.TempPathFactory) -> MakePlan:
    """Return what makes a plan of 100 partitions, of 5,000 rows each if a row has 10 bytes."""
    file = tmp_path_factory.mktemp("input") / "in.csv"
    file.write_text("a\n1.5\n")
    spec = make_job("bundle", str(file), "/out", model={"batchRows": BATCH}, input={"partitionBytes": 50_000}).spec
    small = build_plan(spec, NEEDS, ["prediction"])

    def plan(root: str = "/root", row_bytes: float = 10.0) -> Plan:
        sources = [Source(root, f"{number}.csv", 250_000, "v", "i", "csv") for number in range(FILES)]
        return replace(small, groups=tuple(group_sources(sources, 50_000)), row_bytes=row_bytes)

    return plan


def rows_of(chosen: dict[int, Sample]) -> int:
    return sum(BATCH for sample in chosen.values() for batch in range(BATCHES) if batch in sample)


@pytest.mark.parametrize("rows", [1, 1000, 1001, 25_000, 499_000, 10**9])
def test_chosen_batches_have_at_least_as_many_rows_as_asked_for_and_not_many_more(plan, rows):
    found = rows_of(choose_batches(plan(), rows))
    assert min(rows, 500_000) <= found <= 1.5 * rows + 2 * BATCH


def test_nothing_is_chosen_for_no_rows(plan):
    assert choose_batches(plan(), 0) == {}


def test_everything_is_chosen_if_the_input_has_no_more_rows(plan):
    chosen = choose_batches(plan(row_bytes=11.0), 500_000)
    assert len(chosen) == 100
    assert all(batch in sample for sample in chosen.values() for batch in range(2 * BATCHES))


def test_the_choice_is_the_same_for_the_same_plan_wherever_the_input_is_mounted(plan):
    assert choose_batches(plan(), 25_000) == choose_batches(plan("/elsewhere"), 25_000)


def test_chosen_batches_are_spread_over_files_and_over_their_partitions(plan):
    chosen = choose_batches(plan(), 50_000)
    assert len({number // 5 for number in chosen}) > FILES // 2
    assert {batch for sample in chosen.values() for batch in sample.batches} == set(range(4))


def test_later_rows_never_change_what_is_chosen_for_fewer(plan):
    few, many = choose_batches(plan(), 10_000), choose_batches(plan(), 50_000)
    assert all(sample.batches <= many[number].batches for number, sample in few.items())


def test_the_last_batch_stands_for_those_that_were_not_expected():
    sample = Sample(frozenset({1, 3}), last=3)
    assert [batch for batch in range(6) if batch in sample] == [1, 3, 4, 5]
    assert 7 in EVERYTHING
    assert 0 not in NOTHING


def test_a_partition_of_tiny_batches_is_chosen_from_in_a_bounded_number_of_steps(plan):
    tiny = plan()
    tiny = replace(tiny, settings=replace(tiny.settings, batch_rows=1))
    assert sum(len(sample.batches) for sample in choose_batches(tiny, 10**9).values()) == 6400
