"""A run skips objects, by name and version, that are in the ledgers of earlier runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scoremill import score
from scoremill.errors import ScoremillError, UsageError, VerificationError
from scoremill.events import Event, Note, Progress
from scoremill.kubernetes.objects.scheduled import stamp
from scoremill.ledger import Manifest
from scoremill.spec import parse_job
from scoremill.spec.resources.status import format_time
from scoremill.storage.filesystem import Store
from scoremill_operator.reconcile.observed import Create
from tests.controller.parsed import decide_schedule
from tests.support.jobs import make_job, run, table, trip_bundle, trips


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle"))


class Place:
    """A folder of inputs, with outputs next to it."""

    def __init__(self, root: str, bundle: str) -> None:
        self.root, self.bundle = root, bundle
        self.inputs = Store(f"{root}/in")

    def put(self, name: str, rows: int = 5, seed: int = 0) -> None:
        self.inputs.write(name, trips(rows, seed).to_csv(index=False).encode())

    def score(
        self, output: str, *earlier: str | dict[str, Any], watchers: Iterable[Any] = (), **fields: Any
    ) -> Manifest:
        named = [one if isinstance(one, dict) else {"uri": f"{self.root}/{one}"} for one in earlier]
        job = make_job(
            self.bundle,
            f"{self.root}/in",
            f"{self.root}/{output}",
            input={"notScoredBy": named, **fields},
            output={"rowId": True},
        )
        return score(job, cluster="in-process", watchers=watchers)

    def scored(self, output: str) -> set[str]:
        """Return the names of the objects whose rows the output has."""
        store = Store(f"{self.root}/{output}")
        if not any(info.name.startswith("part-") for info in store.list()):
            return set()
        return set(table(store.uri)["source"].str.rpartition("/")[2])


@pytest.fixture
def place(store_uri: str, bundle: str) -> Place:
    return Place(store_uri, bundle)


@pytest.fixture
def local(tmp_path: Path, bundle: str) -> Place:
    return Place(str(tmp_path), bundle)


def test_each_object_is_scored_once_in_a_chain_of_runs(place):
    place.put("1.csv")
    place.score("out/1")
    place.put("2.csv")
    place.score("out/2", "out/1")
    place.put("3.csv")
    assert place.score("out/3", "out/2").totals.rows == 5
    assert [place.scored(f"out/{n}") for n in (1, 2, 3)] == [{"1.csv"}, {"2.csv"}, {"3.csv"}]
    place.put("2.csv", rows=7, seed=1)
    place.score("out/4", "out/3")
    assert place.scored("out/4") == {"2.csv"}, "a replaced object is another one"
    notes: list[Event] = []
    assert place.score("out/5", "out/*", watchers=[notes.append]).totals.partitions == 0
    assert Note("excluded: 3 objects scored by earlier runs") in notes


def test_last_output_of_a_chain_is_enough_to_skip_scored_objects(local):
    for number in (1, 2, 3):
        local.put(f"{number}.csv")
        local.score(f"out/{number}", *([f"out/{number - 1}"] if number > 1 else []))
        if number > 1:
            earlier = Store(f"{local.root}/out/{number - 1}")
            earlier.delete(info.name for info in earlier.list())
    assert local.scored("out/3") == {"3.csv"}
    assert local.score("out/4", "out/3").totals.rows == 0


def test_incomplete_optional_output_is_ignored(local):
    local.put("1.csv")

    def interrupt(event):
        if isinstance(event, Progress):
            raise ScoremillError("injected fault")

    with pytest.raises(ScoremillError, match="injected fault"):
        local.score("out/1", watchers=[interrupt])
    for name in ("out/1", "out/nowhere"):
        with pytest.raises(VerificationError, match="not a complete output"):
            local.score("out/2", name)
    optional = [{"uri": f"{local.root}/out/{name}", "optional": True} for name in ("1", "nowhere")]
    assert local.score("out/2", *optional, "out/*").totals.rows == 5
    local.score("out/1")
    assert local.score("out/3", *optional).totals.rows == 0


def test_glob_of_earlier_outputs_can_match_none_and_excludes_the_own_output(local):
    local.put("1.csv")
    for _ in range(2):
        assert local.score("out/1", "out/*").totals.rows == 5
    local.put("2.csv")
    assert local.score("out/1", "out/*", "out/1").totals.rows == 10
    assert local.scored("out/1") == {"1.csv", "2.csv"}


def test_objects_older_than_since_are_neither_scored_nor_remembered(local):
    for number in range(1, 5):
        local.put(f"{number}.csv")
        os.utime(f"{local.root}/in/{number}.csv", (0, number))
    at = "1970-01-01T00:00:0{}Z".format
    local.score("out/1", until=at(4))
    local.score("out/2", "out/1", since=at(2))
    assert local.scored("out/2") == {"4.csv"}
    assert local.score("out/3", "out/2", since=at(2)).totals.rows == 0
    for fields in ({}, {"since": at(1)}):
        with pytest.raises(UsageError, match="remembers only objects modified since 1970-01-01T00:00:02Z") as caught:
            local.score("out/4", "out/2", **fields)
    assert "`spec.input.since: 1970-01-01T00:00:02Z" in str(caught.value.hint)


def test_output_without_a_list_of_objects_is_refused(local):
    local.put("1.csv")
    local.score("out/1")
    code, _, err = run("compact", f"{local.root}/out/1", "--rows-per-file", "2", "--to", f"{local.root}/out/2")
    assert code == 0, err
    with pytest.raises(UsageError, match="written by `scoremill compact`"):
        local.score("out/3", "out/2")


def test_damaged_list_of_scored_objects_is_reported(local):
    local.put("1.csv")
    local.score("out/1")
    local.score("out/2", "out/1")
    Store(f"{local.root}/out/2").write("_scoremill/earlier.parquet", b"PAR1 no")
    with pytest.raises(VerificationError, match="out/2 is damaged"):
        local.score("out/3", "out/2")


def test_one_bucket_with_two_uri_schemes_is_recognized(bundle, s3):
    store = Store(s3.uri("in"))
    store.write("1.csv", trips(5).to_csv(index=False).encode())
    score(make_job(bundle, s3.uri("in"), s3.uri("out/1")), cluster="in-process")
    other = s3.uri("in/*.csv").replace("s3://", "s3a://")
    earlier = {"notScoredBy": [{"uri": s3.uri("out/1")}]}
    assert score(make_job(bundle, other, s3.uri("out/2"), input=earlier), cluster="in-process").totals.rows == 0


def test_not_scored_by_flag_skips_objects_and_the_plan_counts_them(local):
    local.put("1.csv")
    local.score("out/1")
    local.put("2.csv", rows=8)
    arguments = [
        "--model",
        local.bundle,
        "--input",
        f"{local.root}/in",
        "--set",
        f"spec.input.notScoredBy=[{{uri: {local.root}/out/*}}]",
    ]
    code, out, err = run("plan", *arguments)
    assert code == 0, err
    assert "excluded    1 object scored by earlier runs" in out
    code, out, err = run("score", *arguments, "--output", f"{local.root}/out/2", "--cluster", "in-process", "--json")
    assert code == 0, err
    assert json.loads(out)["totals"]["rows"] == 8


def test_scheduled_runs_score_an_object_with_an_old_modification_time_once(local):
    template = {
        "model": {"uri": local.bundle},
        "input": {"uris": [f"{local.root}/in"], "since": "LastSuccess"},
        "output": {"uri": f"{local.root}/out/{{scheduledTime}}", "rowId": True},
    }
    born = datetime(2026, 11, 20, 12, tzinfo=UTC)
    schedule: dict[str, Any] = {
        "metadata": {"name": "n", "namespace": "n", "uid": "u", "creationTimestamp": format_time(born)},
        "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": template}},
    }

    def night(day: int, *objects: tuple[str, datetime], phase: str = "Complete") -> tuple[set[str], int]:
        """Add objects with their modification times, run the job of a night, and return the scored objects."""
        for name, modified in objects:
            local.put(name)
            os.utime(f"{local.root}/in/{name}", (0, modified.timestamp()))
        now = born.replace(day=day, hour=3)
        decision = decide_schedule(schedule, [], now)
        (made,) = [action.manifest for action in decision.actions if isinstance(action, Create)]
        manifest = score(parse_job(made), cluster="in-process")
        made["metadata"] |= {"uid": f"uid-{day}", "creationTimestamp": format_time(now)}
        # The job is observed once and deleted. The next one reads from its output what was scored.
        observed = decide_schedule({**schedule, "status": decision.status}, [{**made, "status": {"phase": phase}}], now)
        schedule["status"] = observed.status
        return local.scored(f"out/{stamp(now)}"), manifest.totals.partitions

    at = datetime(2026, 11, 21, tzinfo=UTC)
    assert night(21, ("1.csv", at)) == ({"1.csv"}, 1)
    assert night(22) == (set(), 0)
    # An upload that started days ago, and one that started before the last run.
    assert night(23, ("2.csv", at - timedelta(days=5)), ("3.csv", at + timedelta(days=1)))[0] == {"2.csv", "3.csv"}
    # The output is complete, but the operator has recorded a failure.
    assert night(24, ("4.csv", at), phase="Failed")[0] == {"4.csv"}
    assert night(25, ("5.csv", at), ("1.csv", at + timedelta(days=4)))[0] == {"1.csv", "5.csv"}
    assert night(26) == (set(), 0)
