"""Whatever fails, and whenever the operator dies: the end is reached, it is true, and nothing is left over.

The operator's own look (observe, decide, apply) runs against an API server in memory; only HTTP and the clock are ours.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scoremill.deploy import Certificates
from scoremill.errors import ScoremillError
from scoremill_operator import cluster
from scoremill_operator.decide import decide
from scoremill_operator.observed import Settings
from scoremill_operator.queue import Key
from scoremill_operator.reconcile import Reconciler
from tests.controller.api_server import NAMESPACE, CrashError, Server

JOB = "tips-2009"
KEY = Key("ScoringJob", NAMESPACE, JOB)
SETTINGS = Settings("runner:1", issue=lambda *_: Certificates("ca", "certificate", "key"))
BACKOFF_LIMIT = 2
FAULTS = st.lists(
    st.sampled_from(["", "", "", "409", "429", "500", "404", "timeout", "timeout after", "crash", "crash after"]),
    max_size=16,
)
LIVING = {"DaskCluster", "DaskWorkerGroup", "DaskAutoscaler", "Pod"}
ENDS = {"Complete", "Failed"}


class Operator(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.patch = pytest.MonkeyPatch()
        clock = SimpleNamespace(now=lambda zone: self.server.now, fromisoformat=dt.datetime.fromisoformat)
        self.patch.setattr(cluster, "dt", SimpleNamespace(datetime=clock, UTC=dt.UTC))
        self.restart()
        self.paused: Any = None
        self.end: Any = None
        self.starts = 1

    @initialize(
        workers=st.sampled_from([1, 3, {"min": 0, "max": 4}]),
        on_failure=st.sampled_from(["Keep", "Delete"]),
        active=st.sampled_from([None, 3000]),
        last=st.sampled_from([0, 0, 3, 5, 6]),
    )
    def apply_a_job(self, workers: Any, on_failure: str, active: int | None, last: int) -> None:
        self.last = last
        self.server.create({
            "apiVersion": "scoremill.dev/v1alpha1", "kind": "ScoringJob", "metadata": {"name": JOB},
            "spec": {
                "model": {"uri": "s3://models/tips"}, "input": {"uris": ["s3://in/*.csv"]},
                "output": {"uri": "s3://out/tips"}, "cluster": {"workers": workers},
                "retry": {"backoffLimit": BACKOFF_LIMIT}, "deadlines": {"activeSeconds": active},
                "cleanup": {"onFailure": on_failure},
            },
        })  # fmt: skip

    # --- the operator

    def restart(self) -> None:
        self.kube = self.server.client()
        self.reconciler = Reconciler(self.kube, SETTINGS)

    @rule(faults=FAULTS)
    def operator_looks(self, faults: list[str]) -> None:
        self.look(faults)

    def look(self, faults: list[str]) -> float | None:
        self.server.faults.extend(faults)
        try:
            return self.reconciler(KEY)
        except ScoremillError:
            return 1.0
        except CrashError:
            self.restart()
            return 1.0
        finally:
            self.server.faults.clear()

    @rule()
    def look_and_be_paused(self) -> None:
        """One that lost the Lease without knowing it yet."""
        seen = cluster.observe(self.kube, JOB, SETTINGS, None)
        self.paused = seen and (seen.job, decide(seen))

    @precondition(lambda self: self.paused)
    @rule()
    def go_on(self) -> None:
        with suppress(ScoremillError):
            cluster.apply(self.kube, *self.paused)
        self.paused = None

    # --- the world

    @rule(seconds=st.sampled_from([1, 15, 70, 400, 1000]))
    def time_passes(self, seconds: float) -> None:
        self.server.now += dt.timedelta(seconds=seconds)

    @rule(part=st.sampled_from(["collect", "jobs", "dask", "kubelet"]))
    def one_of_the_others_works(self, part: str) -> None:
        getattr(self.server, part)()

    @rule(times=st.integers(1, 6))
    def all_work(self, times: int) -> None:
        for _ in range(times):
            self.look([])
            self.work()
            self.the_end_is_true_and_for_ever()

    def work(self) -> None:
        self.server.collect()
        self.server.dask()
        self.server.jobs()
        self.server.kubelet()

    def drivers(self, phase: str = "Running") -> list[Any]:
        return [pod for pod in self.server.live_drivers() if pod["status"]["phase"] == phase]

    @precondition(lambda self: self.drivers())
    @rule(code=st.sampled_from([0, 1, 2, 3, 4, 5, 6, 6, 7, 130, 137]))
    def driver_ends(self, code: int) -> None:
        self.server.end(self.drivers()[0], code)

    @precondition(lambda self: self.drivers())
    @rule()
    def driver_is_evicted(self) -> None:
        self.server.disrupt(self.drivers()[0])

    @precondition(lambda self: self.drivers() and self.job)
    @rule()
    def driver_tells(self) -> None:
        attempt = int(self.drivers()[0]["metadata"]["labels"]["batch.kubernetes.io/job-name"].rsplit("-", 1)[1])
        progress = {"attempt": attempt, "updateTime": self.server.stamp(), "progressTime": self.server.stamp()}
        self.job.setdefault("status", {})["progress"] = progress
        self.server.touch(self.job)

    @precondition(lambda self: self.server.find("DaskCluster"))
    @rule(kind=st.sampled_from(["Job", "DaskCluster"]))
    def somebody_deletes_a_child(self, kind: str) -> None:
        for found in self.server.find(kind)[-1:]:
            self.server.mark(found)

    @precondition(lambda self: self.drivers())
    @rule()
    def somebody_deletes_a_job_and_its_pod_lives_on(self) -> None:
        job = self.drivers()[0]["metadata"]["labels"]["batch.kubernetes.io/job-name"]
        self.server.objects.pop(("Job", job), None)

    @precondition(
        lambda self: self.phase in {"Starting", "Running", "Retrying"} and not self.job["spec"].get("suspend")
    )
    @rule()
    def suspend(self) -> None:
        self.job["spec"]["suspend"] = True
        self.server.touch(self.job)

    @precondition(lambda self: self.job and self.job["spec"].get("suspend"))
    @rule()
    def resume(self) -> None:
        self.job["spec"]["suspend"] = False
        self.starts += 1
        self.server.touch(self.job)

    # --- what holds at any time

    @property
    def job(self) -> Any:
        return self.server.objects.get(("ScoringJob", JOB))

    @property
    def phase(self) -> str | None:
        return (self.job or {}).get("status", {}).get("phase")

    @invariant()
    def the_end_is_true_and_for_ever(self) -> None:
        status = {key: value for key, value in (self.job or {}).get("status", {}).items() if key != "progress"}
        if self.end is not None:
            assert status == self.end
        elif self.phase in ENDS:
            self.end = status
            (ended,) = [each for each in status["conditions"] if each["type"] == self.phase]
            assert ended["status"] == "True"
            if self.phase == "Complete":
                assert 0 in self.server.ends

    @invariant()
    def nothing_is_torn_down_before_the_status_says_so(self) -> None:
        for kind, phase in self.server.deleted:
            assert phase in {*ENDS, "Suspending", "Retrying"}, kind

    @invariant()
    def attempts_are_bounded(self) -> None:
        status = (self.job or {}).get("status", {})
        assert status.get("failures", 0) <= BACKOFF_LIMIT + 1
        assert status.get("attempt", 0) <= (BACKOFF_LIMIT + 1) * self.starts

    # --- what comes of it

    def teardown(self) -> None:
        """Faults end, and every controller works: now the end must come."""
        try:
            self.settle()
        finally:
            self.patch.undo()

    def settle(self) -> None:
        if self.job is None:
            return
        for _ in range(200):
            again = self.look([])
            self.work()
            if self.drivers() and self.phase == "Running":
                self.server.end(self.drivers()[0], self.last)
            self.the_end_is_true_and_for_ever()
            if self.is_settled():
                break
            self.server.now += dt.timedelta(seconds=max(1.0, min(again or 60.0, 60.0)))
        assert self.is_settled(), (self.phase, [*self.server.objects], self.job.get("status"))

    def is_settled(self) -> bool:
        goal = {"Suspended", *ENDS} if self.job["spec"].get("suspend") else ENDS
        keeps = self.phase == "Failed" and self.job["spec"]["cleanup"]["onFailure"] == "Keep"
        living = {kind for kind, _ in self.server.objects} & LIVING
        if keeps or self.phase in ENDS:
            # Pods of drivers that ended stay, for their logs.
            living -= {"Pod"} if not self.server.live_drivers() else set()
        return self.phase in goal and (keeps or not living) and not self.server.live_drivers()


TestOperator = Operator.TestCase
TestOperator.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
