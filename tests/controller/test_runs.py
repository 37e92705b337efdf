"""Two runs of one schedule never write to one output at the same time, whatever starts them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from scoremill.errors import ClusterError, UsageError
from scoremill.kubernetes.jobs import Ours
from scoremill.kubernetes.objects import Certificates
from scoremill.kubernetes.schedules import run_now
from scoremill_operator.reconcile.observed import Key, OperatorSettings
from scoremill_operator.reconcile.reconciler import Reconciler
from tests.controller.api_server import NAMESPACE, Server

SETTINGS = OperatorSettings("runner:1", issue=lambda *_: Certificates("ca", "certificate", "key"))
TEMPLATE = {
    "model": {"uri": "s3://models/tips"},
    "input": {"uris": ["s3://in/*.csv"], "since": "LastSuccess"},
    "output": {"uri": "s3://out/{scheduledTime}"},
    "deadlines": {"noProgressSeconds": 600},
}
HOUR = dt.timedelta(hours=1)


class World:
    """An hourly schedule, the operator, and all around it."""

    def __init__(self, **spec: Any) -> None:
        self.server = Server()
        self.server.create(
            {
                "apiVersion": "scoremill.dev/v1alpha1",
                "kind": "ScoringSchedule",
                "metadata": {"name": "hourly"},
                "spec": {"schedule": "0 * * * *", "jobTemplate": {"spec": TEMPLATE}, **spec},
            }
        )
        self.look = Reconciler(self.server.client(), SETTINGS, self.server.clock)

    @property
    def runs(self) -> list[Any]:
        return self.server.find("ScoringJob")

    def schedule_is_looked_at(self) -> None:
        self.look(Key("ScoringSchedule", NAMESPACE, "hourly"))

    def all_work(self, *, kubelet: bool = True) -> None:
        for run in self.runs:
            self.look(Key("ScoringJob", NAMESPACE, run["metadata"]["name"]))
        for part in ("collect", "dask", "jobs", *(["kubelet", "plan"] if kubelet else [])):
            getattr(self.server, part)()

    def first_run_works(self) -> None:
        self.server.now += HOUR
        self.schedule_is_looked_at()
        for _ in range(8):
            self.all_work()
        assert [run["status"]["phase"] for run in self.runs] == ["Running"]

    def run_by_hand(self) -> Any:
        name = run_now(Ours(self.server.client(), "ScoringSchedule"), "hourly")
        return self.server.objects["ScoringJob", name]


@pytest.fixture
def world() -> Callable[..., World]:
    return World


@pytest.mark.parametrize("policy", ["Forbid", "Replace"])
def test_the_next_run_waits_for_the_driver_of_one_that_failed_by_its_deadline(policy, world):
    here = world(concurrencyPolicy=policy)
    here.first_run_works()
    here.server.now += HOUR
    for _ in range(4):
        here.all_work(kubelet=False)
        here.schedule_is_looked_at()
    (failed,) = here.runs
    assert failed["status"]["failure"]["reason"] == "NoProgress"
    assert here.server.live_drivers()
    for _ in range(4):
        here.all_work()
    assert not here.server.live_drivers()
    here.schedule_is_looked_at()
    assert len(here.runs) == 2


def test_replaced_run_is_deleted_with_its_driver_before_the_next_starts(world):
    here = world(concurrencyPolicy="Replace")
    here.first_run_works()
    here.server.now += dt.timedelta(minutes=5)
    here.schedule_is_looked_at()
    here.server.now = here.server.now.replace(minute=0) + HOUR
    for _ in range(4):
        here.schedule_is_looked_at()
        here.all_work(kubelet=False)
    assert [run["metadata"].get("deletionTimestamp") is not None for run in here.runs] == [True]
    assert here.server.live_drivers()
    here.server.kubelet()
    for _ in range(4):
        here.all_work()
    here.schedule_is_looked_at()
    assert [run["metadata"].get("deletionTimestamp") for run in here.runs] == [None]


def test_manual_run_is_refused_while_another_is_active(world):
    here = world()
    here.first_run_works()
    with pytest.raises(ClusterError, match=f"is still active: {here.runs[0]['metadata']['name']}"):
        here.run_by_hand()
    assert len(here.runs) == 1


def test_manual_runs_are_allowed_with_concurrency_policy_allow(world):
    here = world(concurrencyPolicy="Allow", jobTemplate={"spec": {**TEMPLATE, "input": {"uris": ["s3://in/*.csv"]}}})
    here.first_run_works()
    here.run_by_hand()
    assert len(here.runs) == 2


def test_manual_run_omits_what_the_last_complete_run_scored_before_the_operator_reports_it(world):
    here = world()
    here.first_run_works()
    (first,) = here.runs
    (driver,) = here.server.live_drivers()
    here.server.end(driver, 0)
    for _ in range(2):
        here.all_work()
    assert first["status"]["phase"] == "Complete"
    named = here.run_by_hand()["spec"]["input"]["notScoredBy"]
    assert named == [{"uri": first["spec"]["output"]["uri"]}]


def test_manual_run_can_start_at_a_given_time(world):
    here = world()
    since = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    ours = Ours(here.server.client(), "ScoringSchedule")
    made = here.server.objects["ScoringJob", run_now(ours, "hourly", since)]
    assert made["spec"]["input"]["since"] == "2026-11-01T00:00:00Z"
    other = world(jobTemplate={"spec": {**TEMPLATE, "input": {"uris": ["s3://in/*.csv"]}}})
    with pytest.raises(UsageError, match="does not use input"):
        run_now(Ours(other.server.client(), "ScoringSchedule"), "hourly", since)
