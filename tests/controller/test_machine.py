"""Whatever fails, and whenever the operator dies: the end is reached, it is true, and nothing is left over.

The operator's own look (observe, decide, apply) runs against an API server in memory; only HTTP and the clock are ours.
"""

from __future__ import annotations

import datetime as dt
import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scoremill.errors import ScoremillError
from scoremill.kubernetes.objects import Certificates
from scoremill_operator.reconcile.apply import apply
from scoremill_operator.reconcile.decide import decide
from scoremill_operator.reconcile.observe import observe
from scoremill_operator.reconcile.observed import Key, OperatorSettings
from scoremill_operator.reconcile.reconciler import Reconciler
from tests.controller.api_server import NAMESPACE, CrashError, Server, is_driver

JOB = "tips-2009"
KEY = Key("ScoringJob", NAMESPACE, JOB)
SETTINGS = OperatorSettings("runner:1", issue=lambda *_: Certificates("ca", "certificate", "key"))
BACKOFF_LIMIT = 2
RESYNC = dt.timedelta(seconds=60)
TROUBLES = ["", "", "", "409", "429", "500", "404", "timeout", "timeout after", "crash", "crash after"]
FAULTS = st.lists(st.sampled_from(TROUBLES), max_size=16)
SIZES = [{"workers": 1}, {"workers": 3}, {"workers": 0, "maxWorkers": 4}]
OTHERS = ["collect", "dask", "jobs", "kubelet", "plan"]
"""Everybody but the operator, in the order of their turns."""
LIVING = {"DaskCluster", "DaskWorkerGroup", "DaskAutoscaler", "Pod"}
ENDS = {"Complete", "Failed"}


class Operator(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.restart()
        self.paused: Any = None
        self.end: Any = None
        self.starts = 1

    @initialize(
        workers=st.sampled_from(SIZES),
        on_failure=st.sampled_from(["Keep", "Delete"]),
        active=st.sampled_from([None, 3000]),
        ttl=st.sampled_from([None, None, 0, 100]),
        last=st.sampled_from([0, 0, 3, 5, 6]),
        rounds=st.integers(0, 6),
    )
    def apply_a_job(
        self, workers: Any, on_failure: str, active: int | None, ttl: int | None, last: int, rounds: int
    ) -> None:
        self.last = last
        self.asked = {
            "apiVersion": "scoremill.dev/v1alpha1",
            "kind": "ScoringJob",
            "metadata": {"name": JOB},
            "spec": {
                "model": {"uri": "s3://models/tips"},
                "input": {"uris": ["s3://in/*.csv"]},
                "output": {"uri": "s3://out/tips"},
                "cluster": workers,
                "retry": {"backoffLimit": BACKOFF_LIMIT},
                "deadlines": {"activeSeconds": active},
                "cleanup": {"onFailure": on_failure, "ttlSecondsAfterFinished": ttl},
            },
        }
        self.server.create(self.asked)
        self.all_work(rounds)

    # --- the operator

    def restart(self) -> None:
        self.kube = self.server.client()
        self.reconciler = Reconciler(self.kube, SETTINGS, self.server.clock)

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
        seen = observe(self.kube, JOB, SETTINGS, self.server.now)
        self.paused = seen and (seen.job, decide(seen))

    @rule()
    def go_on(self) -> None:
        if self.paused:
            with suppress(ScoremillError):
                apply(self.kube, *self.paused, self.server.now)
        self.paused = None

    # --- the world

    @rule(seconds=st.sampled_from([1, 15, 70, 400, 1000]))
    def time_passes(self, seconds: float) -> None:
        self.server.now += dt.timedelta(seconds=seconds)

    @rule(part=st.sampled_from(OTHERS))
    def one_of_the_others_works(self, part: str) -> None:
        getattr(self.server, part)()

    @rule(times=st.integers(1, 6))
    def everybody_works(self, times: int) -> None:
        self.all_work(times)

    def all_work(self, times: int) -> None:
        for _ in range(times):
            self.look([])
            self.work()
            self.the_end_is_true_and_final()

    def work(self) -> None:
        for part in OTHERS:
            getattr(self.server, part)()

    def drivers(self, phase: str = "Running") -> list[Any]:
        return [pod for pod in self.server.live_drivers() if pod["status"]["phase"] == phase]

    # What cannot happen at the time does nothing: rules with conditions end most runs of Hypothesis early.

    @rule(code=st.sampled_from([0, 1, 2, 3, 4, 5, 6, 6, 7, 130, 137]))
    def driver_ends(self, code: int) -> None:
        for pod in self.drivers():
            self.server.end(pod, code)

    @rule()
    def driver_is_evicted(self) -> None:
        for pod in self.drivers():
            self.server.disrupt(pod)

    @rule(stage=st.sampled_from(["Planning", "WaitingForCluster", "Scoring"]))
    def driver_reports(self, stage: str) -> None:
        for pod in self.drivers() if self.job else ():
            attempt = int(job_of(pod).rsplit("-", 1)[1])
            self.server.progress(self.job, attempt, stage)

    @rule(kind=st.sampled_from(["Job", "DaskCluster"]))
    def somebody_deletes_a_child(self, kind: str) -> None:
        for found in self.server.find(kind)[-1:]:
            self.server.mark(found)

    @rule()
    def somebody_deletes_a_job_and_its_pod_lives_on(self) -> None:
        for pod in self.drivers():
            self.server.objects.pop(("Job", job_of(pod)), None)

    @rule(policy=st.sampled_from(["Foreground", "Background"]))
    def the_user_deletes_it(self, policy: str) -> None:
        if self.job and policy == "Foreground":
            self.server.mark(self.job)
        self.server.objects.pop(("ScoringJob", JOB) if policy == "Background" else ("", ""), None)

    @rule()
    def the_user_makes_it_again(self) -> None:
        if self.job is None:
            self.end, self.starts = None, 1
            self.server.create(self.asked)

    @rule()
    def suspend(self) -> None:
        self.set_suspend(self.phase in {"Planning", "Starting", "Running", "Retrying"})

    @rule(size=st.sampled_from(SIZES))
    def the_user_scales_it(self, size: Any) -> None:
        if self.job:
            cluster = self.job["spec"]["cluster"]
            self.job["spec"]["cluster"] = {**cluster, "maxWorkers": None, **size}
            self.job["metadata"]["generation"] += 1
            self.server.touch(self.job)

    @rule()
    def resume(self) -> None:
        self.set_suspend(False)

    def set_suspend(self, suspend: bool) -> None:
        if self.job and suspend != self.job["spec"].get("suspend", False):
            self.job["spec"]["suspend"] = suspend
            self.job["metadata"]["generation"] += 1
            self.starts += not suspend
            self.server.touch(self.job)

    # --- what holds at any time

    @property
    def job(self) -> Any:
        return self.server.objects.get(("ScoringJob", JOB))

    @property
    def phase(self) -> str | None:
        return (self.job or {}).get("status", {}).get("phase")

    @invariant()
    def the_end_is_true_and_final(self) -> None:
        if self.job is None:
            return
        status = {key: value for key, value in self.job.get("status", {}).items() if key != "progress"}
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
            # An autoscaler goes when a range of workers becomes a number.
            assert kind == "DaskAutoscaler" or phase in {*ENDS, "Suspending", "Retrying"}, kind

    @invariant()
    def attempts_are_bounded(self) -> None:
        status = (self.job or {}).get("status", {})
        assert status.get("failedAttempts", 0) <= BACKOFF_LIMIT + 1
        assert status.get("attempt", 0) <= (BACKOFF_LIMIT + 1) * self.starts

    # --- what comes of it

    def teardown(self) -> None:
        """Faults end, every controller works, and events and promised looks are all lost: now the end must come."""
        self.settle()
        # One that was paused all the time wakes up, and must not undo it.
        self.go_on()
        self.the_end_is_true_and_final()
        self.settle()

    def settle(self) -> None:
        for _ in range(200):
            self.resync()
            self.work()
            if self.drivers() and self.phase == "Running":
                self.has_the_workers_it_asks_for()
                self.server.end(self.drivers()[0], self.last)
            self.the_end_is_true_and_final()
            self.attempts_are_bounded()
            if self.is_settled():
                break
            self.server.now += RESYNC
        assert self.is_settled(), (self.phase, [*self.server.objects], self.job)
        # From then on it costs nothing; a cluster that is kept does.
        assert self.is_due() == bool(self.server.find("DaskCluster"))

    def has_the_workers_it_asks_for(self) -> None:
        """After some reconciliations: one for a change, and one after each of its steps."""
        for _ in range(4):
            self.look([])
            self.work()
        if self.phase == "Running" and (groups := self.server.find("DaskWorkerGroup")):
            asked = self.job["spec"]["cluster"]
            scalers = [each["spec"] for each in self.server.find("DaskAutoscaler")]
            if asked.get("maxWorkers"):
                assert [(each["minimum"], each["maximum"]) for each in scalers] == [(0, 4)]
            else:
                assert not scalers and groups[0]["spec"]["worker"]["replicas"] == asked["workers"]

    def is_due(self) -> bool:
        known = self.reconciler.known([NAMESPACE], self.server.now + RESYNC)
        return any(key == KEY and is_due for key, _, is_due in known)

    def resync(self) -> None:
        if self.is_due():
            self.look([])

    def is_settled(self) -> bool:
        if self.job is None:
            return not self.server.objects.keys() - {key for key in self.server.objects if key[0] == "Event"}
        if self.phase in ENDS and self.job["spec"]["cleanup"]["ttlSecondsAfterFinished"] is not None:
            return False
        goal = {"Suspended", *ENDS} if self.job["spec"].get("suspend") else ENDS
        keeps = self.phase == "Failed" and self.job["spec"]["cleanup"]["onFailure"] == "Keep"
        # Drivers that ended stay, for their logs.
        living = [key for key, each in self.server.objects.items() if key[0] in LIVING and not has_ended(each)]
        living += [key for key, each in self.server.objects.items() if "deletionTimestamp" in each["metadata"]]
        return self.phase in goal and (keeps or not living) and not self.server.live_drivers()


def has_ended(pod: Any) -> bool:
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"} and is_driver(pod)


def job_of(pod: Any) -> str:
    return str(pod["metadata"]["labels"]["batch.kubernetes.io/job-name"])


TestOperator = Operator.TestCase
TestOperator.settings = settings(
    max_examples=50, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize("seed", range(40))
def test_so_it_is_on_long_walks(seed: int) -> None:
    """What Hypothesis, which looks for what is simple, comes to but seldom: many troubles in one run."""
    chance = random.Random(seed)
    machine = Operator()
    workers, last = chance.choice(SIZES), chance.choice([0, 0, 3, 5, 6])
    limits = chance.choice([None, 3000]), chance.choice([None, None, 0, 100])
    machine.apply_a_job(workers, chance.choice(["Keep", "Delete"]), *limits, last, chance.randrange(6))
    rules = [
        lambda: machine.look(chance.choices(TROUBLES, k=chance.randrange(16))),
        lambda: machine.all_work(chance.randrange(1, 6)),
        lambda: machine.one_of_the_others_works(chance.choice(OTHERS)),
        lambda: machine.time_passes(chance.choice([1, 15, 70, 400])),
        lambda: machine.driver_ends(chance.choice([0, 1, 5, 6, 137])),
        lambda: machine.somebody_deletes_a_child(chance.choice(["Job", "DaskCluster"])),
        machine.somebody_deletes_a_job_and_its_pod_lives_on,
        machine.look_and_be_paused,
        machine.go_on,
        machine.driver_is_evicted,
        lambda: machine.driver_reports(chance.choice(["Planning", "Scoring"])),
        machine.suspend,
        machine.resume,
        lambda: machine.the_user_deletes_it(chance.choice(["Foreground", "Background"])),
        machine.the_user_makes_it_again,
        lambda: machine.the_user_scales_it(chance.choice(SIZES)),
    ]
    try:
        for happens in chance.choices(rules, weights=[6, 6, 6, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.3, 1, 1], k=50):
            happens()
            machine.the_end_is_true_and_final()
            machine.nothing_is_torn_down_before_the_status_says_so()
            machine.attempts_are_bounded()
    finally:
        machine.teardown()


def test_job_deleted_in_the_foreground_exists_until_its_driver_is_deleted() -> None:
    """So that what takes its place, on the same output, never meets that driver."""
    machine = Operator()
    machine.apply_a_job({"workers": 1}, "Keep", None, None, 0, 6)
    assert machine.drivers()
    machine.the_user_deletes_it("Foreground")
    for _ in range(3):
        machine.look([])
        for part in ("collect", "jobs", "dask"):
            machine.one_of_the_others_works(part)
    assert machine.drivers() and machine.job
    machine.settle()
    assert machine.job is None
