"""A plan is a function of the listing: which objects, in which order, cut and numbered how."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoremill.discovery import Source
from scoremill.errors import UsageError
from scoremill.planning import Needs, Plan, build_plan, read_groups, write_groups
from scoremill.planning.partition import group_sources
from scoremill.spec import Column
from scoremill.storage.compression import compression_by_name
from tests.support.jobs import make_job

NEEDS = Needs("sha256:0", "predict", (Column("a", "float64"),))


def planned(inputs: Any, **spec: Any) -> Plan:
    return build_plan(make_job("bundle", inputs, "/out", **spec).spec, NEEDS, ["prediction"])


def fill(folder: Path, *names: str, rows: int = 3) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a\n" + "1.5\n" * rows)


def test_an_object_that_two_uris_name_counts_once_where_it_was_named_first(tmp_path):
    fill(tmp_path, "x/1.csv", "x/2.csv", "y/3.csv")
    uris = [f"{tmp_path}/x/2.csv", f"{tmp_path}/**", f"{tmp_path}/*/*.csv", f"{tmp_path}/x", f"{tmp_path}/x/1.csv"]
    assert [Path(source.uri).name for source in planned(uris).sources] == ["2.csv", "1.csv", "3.csv"]


def test_of_the_objects_found_those_modified_within_the_span_are_meant(tmp_path):
    fill(tmp_path, "1.csv", "2.csv", "3.csv")
    for second in (1, 2, 3):
        os.utime(tmp_path / f"{second}.csv", (0, second))

    def meant(**span: Any) -> list[str]:
        return [Path(source.uri).stem for source in planned(f"{tmp_path}/*.csv", input=span).sources]

    at = "1970-01-01T00:00:0{}Z".format
    assert meant(since=at(2)) == ["2", "3"]
    assert meant(until=at(2)) == ["1"]
    assert meant(since=at(2), until=at(3)) == ["2"]
    assert meant(since="1970-01-01T01:00:02+01:00", until=at(3)) == ["2"]
    assert planned(f"{tmp_path}/*.csv", input={"since": at(2)}).excluded.outside_span == 1
    assert meant(since=at(4), allowEmpty=True) == []


def test_a_span_without_a_beginning_in_time_is_for_schedules(tmp_path):
    fill(tmp_path, "1.csv")
    with pytest.raises(UsageError, match="for the jobs of a schedule"):
        planned(f"{tmp_path}/*.csv", input={"since": "LastSuccess"})


def listed(at: int, size: int, suffix: str) -> Source:
    return Source("/r", f"{at}{suffix}", size, "v", "v", "csv", compression=compression_by_name(f"x{suffix}"))


@given(
    sizes=st.lists(st.tuples(st.integers(0, 9000), st.sampled_from(["", ".gz"])), max_size=40),
    cut=st.sampled_from([1024, 4096]),
)
def test_every_byte_is_in_exactly_one_partition_and_numbers_have_no_gap(sizes, cut):
    sources = [listed(at, *each) for at, each in enumerate(sizes)]
    settings = planned_settings(cut)
    plan = Plan(settings, tuple(group_sources(sources, cut)))
    partitions = list(plan.partitions())
    assert [partition.number for partition in partitions] == list(range(len(plan)))
    ranges: dict[str, list[tuple[int, int]]] = {}
    for partition in partitions:
        for piece in partition.pieces:
            ranges.setdefault(piece.source.name, []).append((piece.start, piece.end))
    assert list(ranges) == [source.name for source in sources]
    for source in sources:
        edges = ranges[source.name]
        assert [start for start, _ in edges] == [0, *(end for _, end in edges[:-1])]
        assert edges[-1][1] == source.size
    assert len({partition.id for partition in partitions}) == len(partitions)
    assert read_groups([write_groups(plan.groups)]) == plan.groups
    uncut = list(plan.uncut())
    assert [(p.source.name, p.start, p.end) for one in uncut for p in one.pieces] == [
        (source.name, 0, source.size) for source in sources
    ]


def footed(at: int, row_groups: int, rows: int, schema: str) -> Source:
    return Source("/r", str(at), 100 * rows, "v", "v", "parquet", row_groups, rows=rows * row_groups, schema=schema)


@given(files=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 40), st.sampled_from("ab")), max_size=40))
def test_every_row_group_is_in_exactly_one_partition_and_only_like_files_share_one(files):
    sources = [footed(at, *each) for at, each in enumerate(files)]
    plan = Plan(planned_settings(65536), tuple(group_sources(sources, 65536)))
    partitions = list(plan.partitions())
    assert [partition.number for partition in partitions] == list(range(len(plan)))
    for cut in (partitions, plan.uncut()):
        pieces = [piece for partition in cut for piece in partition.pieces]
        found = [(piece.source, group) for piece in pieces for group in range(piece.start, piece.end)]
        assert found == [(source, group) for source in sources for group in range(source.row_groups)]
    for partition in partitions:
        assert len({piece.source.schema for piece in partition.pieces}) == 1
        if len(partition.pieces) > 1:
            assert sum(max(8 * one.source.size, 128 * one.source.rows) for one in partition.pieces) <= 65536 // 4
    assert read_groups([write_groups(plan.groups)]) == plan.groups


def test_small_files_are_packed_by_the_text_that_they_hold():
    kib = 1024

    def packed(*sources: Source) -> list[int]:
        return [len(group.sources) for group in group_sources(list(sources), 1024 * kib)]

    assert packed(*(listed(at, 60 * kib, "") for at in range(8))) == [4, 4]
    assert packed(*(listed(at, 60 * kib, ".gz") for at in range(8))) == [1] * 8
    assert packed(*(listed(at, 7 * kib, ".gz") for at in range(8))) == [4, 4]
    assert packed(*(footed(at, 1, 20, "a") for at in range(8))) == [8]
    assert packed(*(Source("/r", str(at), kib, "v", "v", "parquet", 1, rows=500) for at in range(8))) == [4, 4]
    assert packed(*(Source("/r", str(at), kib, "v", "v", "parquet", 1, rows=600) for at in range(8))) == [1] * 8
    assert packed(footed(0, 1, 20, "a"), footed(1, 1, 20, "b"), listed(2, 9, ""), listed(3, 9, ".gz")) == [1, 1, 2]


def planned_settings(cut: int) -> Any:
    from scoremill.planning import Settings

    job = make_job("bundle", "x", "/out", input={"partitionBytes": cut})
    return Settings.of(job.spec, NEEDS, (), ())


def test_what_shapes_a_part_is_in_its_id_and_what_does_not_is_not(tmp_path):
    fill(tmp_path, "1.csv")

    def ids(**spec: Any) -> list[str]:
        return [partition.id for partition in planned(f"{tmp_path}/1.csv", **spec).partitions()]

    assert ids() == ids(cluster={"workers": 7}) == ids(errors={"maxRows": 5}) == ids(output={"mode": "Overwrite"})
    others = [
        {"output": {"format": "csv"}},
        {"output": {"keep": ["a"]}},
        {"output": {"rowId": True}},
        {"output": {"dtype": "float32"}},
        {"model": {"batchRows": 7}},
        {"input": {"csv": {"nullValues": ["-"]}}},
        {"errors": {"raw": "Omit"}},
    ]
    assert len({tuple(ids(**spec)) for spec in [{}, *others]}) == len(others) + 1


def test_new_files_come_after_those_of_the_earlier_plan(tmp_path):
    fill(tmp_path, "2.csv")
    earlier = planned(f"{tmp_path}/*.csv")
    fill(tmp_path, "1.csv", "3.csv")
    plan = planned(f"{tmp_path}/*.csv").following(earlier)
    assert [Path(source.uri).name for source in plan.sources] == ["2.csv", "1.csv", "3.csv"]
    assert plan.groups[: len(earlier.groups)] == earlier.groups


def test_a_replaced_and_a_vanished_input_are_refused_by_name(tmp_path):
    fill(tmp_path, "1.csv", "2.csv")
    earlier = planned(f"{tmp_path}/*.csv")
    fill(tmp_path, "2.csv", rows=9)
    with pytest.raises(UsageError, match=r"replaced.*2\.csv"):
        planned(f"{tmp_path}/*.csv").following(earlier)
    (tmp_path / "2.csv").unlink()
    with pytest.raises(UsageError, match=r"made from .*2\.csv, which is not in the input now"):
        planned(f"{tmp_path}/*.csv").following(earlier)


def test_other_settings_are_refused_by_name(tmp_path):
    fill(tmp_path, "1.csv")
    earlier = planned(f"{tmp_path}/*.csv")
    other = replace(earlier, settings=replace(earlier.settings, batch_rows=7))
    with pytest.raises(UsageError, match=r"`spec.model.batchRows`: 131072 → 7"):
        other.following(earlier)


def test_rows_are_estimated_from_samples_and_footers(tmp_path):
    fill(tmp_path, "1.csv", rows=50_000)
    pd.DataFrame({"a": [1.0] * 77}).to_parquet(tmp_path / "2.parquet")
    plan = planned([f"{tmp_path}/*.csv", f"{tmp_path}/*.parquet"])
    assert plan.estimated_rows == pytest.approx(50_077, rel=0.01)
