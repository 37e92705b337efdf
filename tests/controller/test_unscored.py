"""A schedule with `since: LastSuccess` scores each object once, whatever its modification time and whatever fails."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import fsspec
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scoremill.discovery.discover import discover
from scoremill.errors import UsageError
from scoremill.execute.coordinator.earlier import earlier_of
from scoremill.kubernetes.objects.unscored import MOST, what_is_new
from scoremill.naming import MANIFEST
from scoremill.planning import Needs, Plan, Settings, write_groups
from scoremill.planning.partition import group_sources
from scoremill.spec import parse_job
from scoremill.spec.resources.schedule import RunOutput, ScheduleStatus
from scoremill.storage.filesystem import Store
from scoremill_operator.reconcile.observed import Create, Delete, Object
from tests.controller.parsed import announced, decide_schedule, outputs_after, scheduled_job, seen
from tests.support.losing import Lost, losing

BORN = datetime(2026, 11, 20, 12, tzinfo=UTC)
LOOK_BACK = 3600
NEEDS = Needs("sha256:0", "predict", ())


def written(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def a_schedule(root: str, **spec: Any) -> Object:
    template = {
        "model": {"uri": f"{root}/model"},
        "input": {"uris": [f"{root}/in"], "since": "LastSuccess"},
        "output": {"uri": f"{root}/out/{{scheduledTime}}"},
    }
    return {
        "metadata": {"name": "n", "namespace": "n", "uid": "u", "creationTimestamp": written(BORN)},
        "spec": {"schedule": "*/7 * * * *", "jobTemplate": {"spec": template}, "lookBackSeconds": LOOK_BACK, **spec},
        "status": {},
    }


class Machine(RuleBasedStateMachine):
    """A store in which objects appear later than they say, runs that end as they like, and calls that fail."""

    @initialize(policy=st.sampled_from(["Forbid", "Replace"]), kept=st.integers(0, 2))
    def begin(self, policy: str, kept: int) -> None:
        self.root = f"memory://{secrets.token_hex(6)}"
        self.schedule = a_schedule(
            self.root, concurrencyPolicy=policy, successfulJobsHistoryLimit=kept, failedJobsHistoryLimit=kept
        )
        self.now = BORN
        self.files = fsspec.filesystem("memory")
        self.sizes = count(1)
        self.jobs: dict[str, Object] = {}
        self.plans: dict[str, Plan] = {}
        """By URI of the output."""
        self.scored: dict[str, list[tuple[str, str]]] = {}
        """Objects and versions that complete outputs hold, by URI; outputs that were deleted too."""
        self.started: list[str] = []
        self.appear("first", 0)

    # -- the store -----------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from("abcde"), lag=st.integers(0, LOOK_BACK))
    def appear(self, name: str, lag: int) -> None:
        path = f"{self.root}/in/{name}.csv"
        self.files.pipe_file(path, b"x" * next(self.sizes))
        modified = self.now - timedelta(seconds=lag)
        self.files.store[self.files._strip_protocol(path)].created = modified

    @rule(name=st.sampled_from("abcde"))
    def disappear(self, name: str) -> None:
        Store(f"{self.root}/in").delete([f"{name}.csv"])

    @rule()
    def outputs_expire(self) -> None:
        """Those that the schedule does not name any more are not needed."""
        needed = {one.uri for one in seen(self.schedule, self._status, list(self.jobs.values())).outputs}
        needed |= {one["uri"] for job in self.active for one in job["spec"]["input"].get("notScoredBy", ())}
        for uri in self.scored.keys() - needed:
            store = Store(uri)
            store.delete(info.name for info in store.list())

    @rule(seconds=st.integers(1, 600) | st.integers(1, 3 * LOOK_BACK))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    # -- runs ----------------------------------------------------------------------------------------------------------

    @property
    def active(self) -> list[Object]:
        return [job for job in self.jobs.values() if not job["status"]]

    @rule()
    def a_run_plans(self) -> None:
        for job in self.active:
            spec = parse_job({"spec": job["spec"]}).spec
            earlier = earlier_of(spec)
            listing = discover(spec.input, spec.input_storage, earlier)
            assert not listing.problems
            plan_settings = Settings.of(spec, NEEDS, (), ())
            plan = Plan(plan_settings, tuple(group_sources(list(listing.sources), 1024)), earlier=earlier)
            uri = spec.output.uri
            if uri in self.plans:
                try:
                    plan = plan.following(self.plans[uri])
                except UsageError:
                    job["status"] = {"phase": "Failed"}
                    continue
            self.plans[uri] = plan
            Store(uri).write("_scoremill/planning/000000.parquet", write_groups(plan.groups))
            if earlier is not None:
                Store(uri).write("_scoremill/earlier.parquet", earlier.to_bytes())

    def _publish(self, uri: str) -> bool:
        """Return whether the run could score all that it planned, and its output is complete."""
        plan = self.plans.get(uri)
        if plan is None:
            return False
        there = {one.name: one.version for one in Store(f"{self.root}/in").list()}
        if any(there.get(source.name.rpartition("/")[2]) != source.version for source in plan.sources):
            return False
        Store(uri).write(MANIFEST, json.dumps({"formatVersion": 1, "totals": {}}).encode())
        self.scored[uri] = [(source.name, source.version) for source in plan.sources]
        return True

    @rule(end=st.sampled_from(["Complete", "Complete", "Complete", "Failed", "taken for failed", "deleted"]))
    def a_run_ends(self, end: str) -> None:
        for job in self.active:
            is_complete = end != "Failed" and self._publish(job["spec"]["output"]["uri"])
            job["status"] = {"phase": "Complete" if is_complete and end == "Complete" else "Failed"}
            # By hand too, a job runs for longer than the operator takes to see it.
            if end == "deleted" and (not job["metadata"]["name"].startswith("by-hand") or self._is_known(job)):
                del self.jobs[job["metadata"]["name"]]

    @rule()
    def a_user_deletes_the_newest_job(self) -> None:
        for name, job in list(self.jobs.items())[-1:]:
            if job["status"] and self._is_known(job):
                del self.jobs[name]

    def _is_known(self, job: Object) -> bool:
        """Return whether the stored status describes the job's output correctly."""
        is_complete = job["status"].get("phase") == "Complete"
        return any(
            one.uri == job["spec"]["output"]["uri"] and one.complete >= is_complete for one in self._status.outputs
        )

    @precondition(lambda self: not self.active)
    @rule()
    def a_failed_run_is_finished_by_hand(self) -> None:
        """If no later run has started."""
        last = max(self.jobs.values(), key=lambda job: job["metadata"]["creationTimestamp"], default=None)
        if last is not None and last["status"] == {"phase": "Failed"} and not self._has_started_since(last):
            self._publish(last["spec"]["output"]["uri"])

    def _has_started_since(self, job: Object) -> bool:
        return self.started[-1] != job["metadata"]["name"]

    # -- the operator --------------------------------------------------------------------------------------------------

    @rule(fails=st.integers(0, 8), is_done=st.booleans(), completes=st.booleans())
    def look(self, fails: int, is_done: bool, completes: bool) -> None:
        """The operator looks; its call number `fails` fails, done or not."""
        call = losing(fails, is_done=is_done)
        decision = decide_schedule(self.schedule, list(self.jobs.values()), self.now)
        with suppress(Lost):
            if decision.status is not None:
                call(lambda: self.schedule.update(status=decision.status))
            for action in decision.actions:
                call(lambda: self._carry_out(action, completes=completes))  # noqa: B023 called immediately

    def _carry_out(self, action: Create | Delete, *, completes: bool) -> None:
        if isinstance(action, Delete):
            job = self.jobs.pop(action.name)
            if not job["status"] and completes:
                # A run that is replaced might have ended a moment before.
                self._publish(job["spec"]["output"]["uri"])
        else:
            self._create(action.manifest)

    @precondition(lambda self: not self.active)
    @rule()
    def run_by_hand(self) -> None:
        status = seen(self.schedule, self._status, list(self.jobs.values()))
        # Its output has the second in its name, those of the clock have none.
        self.now += timedelta(seconds=1 if self.now.second < 59 else 2)
        self._create(scheduled_job(self.schedule, self.now, status, f"by-hand-{len(self.started)}"))

    @property
    def _status(self) -> ScheduleStatus:
        return ScheduleStatus.model_validate(self.schedule["status"])

    def _create(self, made: Object) -> None:
        name = made["metadata"]["name"]
        if name in self.jobs:
            return
        made["metadata"] |= {"uid": name, "creationTimestamp": written(self.now)}
        self.jobs[name] = {**made, "status": {}}
        self.started = [*self.started, name]
        self.now += timedelta(seconds=1)

    # -- what holds ----------------------------------------------------------------------------------------------------

    @invariant()
    def no_object_is_scored_twice(self) -> None:
        scored = [one for objects in self.scored.values() for one in objects]
        assert len(set(scored)) == len(scored)

    def teardown(self) -> None:
        """Faults end: what is there has been scored."""
        for _ in range(4):
            self.a_run_plans()
            self.a_run_ends("Complete")
            self.now += timedelta(minutes=7)
            self.look(99, is_done=True, completes=True)
        self.no_object_is_scored_twice()
        scored = {one for objects in self.scored.values() for one in objects}
        there = {(f"{one.name}", one.version) for one in Store(f"{self.root}/in").list()}
        assert there <= {(name.rpartition("/")[2], version) for name, version in scored}
        self.files.rm(self.root, recursive=True)


Machine.TestCase.settings = settings(
    max_examples=60,
    phases=[Phase.generate],
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
test_each_object_is_scored_once = Machine.TestCase


# --- what the status remembers ----------------------------------------------------------------------------------------


def at(hour: int) -> datetime:
    return BORN + timedelta(hours=hour)


def a_run(hour: int, *earlier: int, phase: str | None = None, **given: Any) -> Object:
    """The job of a run that was created at that hour and knew the outputs of those at earlier ones."""
    named = {"notScoredBy": [{"uri": f"out/{one}"} for one in earlier]} if earlier else {}
    spec = {"input": {"uris": ["in"], **named, **given}, "output": {"uri": f"out/{hour}"}}
    metadata = {"name": f"n-{hour}", "creationTimestamp": written(at(hour))}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase} if phase else {}}


def uris(outputs: Any) -> list[str]:
    return [output.uri for output in outputs]


def test_a_complete_run_replaces_the_outputs_that_it_knew():
    runs = [a_run(1, phase="Complete"), a_run(2, 1, phase="Failed"), a_run(3, 1, 2)]
    outputs = outputs_after((), runs)
    assert [(one.uri, one.complete) for one in outputs] == [("out/1", True), ("out/2", False), ("out/3", False)]
    assert uris(outputs_after(outputs, [*runs[:2], a_run(3, 1, 2, phase="Complete")])) == ["out/3"]


def test_an_older_run_does_not_come_back_once_the_newer_job_is_deleted():
    outputs = outputs_after((), [a_run(1, phase="Complete"), a_run(2, 1, phase="Complete")])
    assert uris(outputs) == ["out/2"]
    assert uris(outputs_after(outputs, [a_run(1, phase="Complete")])) == ["out/2"]


def test_complete_output_stays_complete_if_its_job_is_deleted_or_an_attempt_fails():
    outputs = outputs_after((), [a_run(1, phase="Complete")])
    assert outputs_after(outputs, []) == outputs_after(outputs, [a_run(1, phase="Failed")]) == outputs


def test_the_status_is_bounded_and_keeps_the_last_complete_output():
    runs = [a_run(0, phase="Complete"), *(a_run(hour, 0, phase="Failed") for hour in range(1, 3 * MOST))]
    outputs: tuple[RunOutput, ...] = ()
    for end in (1, 150, len(runs)):
        outputs = outputs_after(outputs, runs[:end])
    assert len(outputs) == MOST
    assert uris(outputs) == ["out/0", *(f"out/{hour}" for hour in range(2 * MOST + 1, 3 * MOST))]


def status_of(last: int | None, *runs: Object) -> ScheduleStatus:
    return ScheduleStatus(last_successful_time=None if last is None else at(last), outputs=outputs_after((), runs))


def test_the_first_run_takes_everything():
    assert what_is_new(status_of(None), LOOK_BACK) == {}
    assert what_is_new(status_of(None, a_run(1, phase="Failed")), LOOK_BACK) == {
        "notScoredBy": [{"uri": "out/1", "optional": True}]
    }


def test_a_run_looks_back_from_the_last_complete_one_and_leaves_out_what_that_scored():
    status = status_of(9, a_run(9, phase="Complete"), a_run(10, 9, phase="Failed"))
    assert what_is_new(status, LOOK_BACK) == {
        "since": written(at(8)),
        "notScoredBy": [{"uri": "out/9"}, {"uri": "out/10", "optional": True}],
    }


def test_a_longer_look_back_does_not_reach_behind_what_the_outputs_remember():
    status = status_of(9, a_run(9, phase="Complete", since=written(at(8))))
    assert what_is_new(status, 100 * LOOK_BACK)["since"] == written(at(8))
    assert what_is_new(status, 0)["since"] == written(at(9))


def test_without_the_output_of_a_complete_run_its_time_decides_what_is_new():
    """As after an upgrade of an operator that decided by time alone."""
    assert what_is_new(status_of(9), LOOK_BACK) == {"since": written(at(9)), "allowEmpty": True}


def test_time_given_by_a_user_counts_and_outputs_can_be_missing():
    status = status_of(9, a_run(9, phase="Complete", since=written(at(8))))
    assert what_is_new(status, LOOK_BACK, at(3)) == {
        "since": written(at(3)),
        "notScoredBy": [{"uri": "out/9", "optional": True}],
    }


def test_the_output_of_a_run_is_known_before_its_job_exists():
    schedule = a_schedule("s3://b")
    first = decide_schedule(schedule, [], BORN + timedelta(minutes=8))
    (asked,) = [action.manifest for action in first.actions if isinstance(action, Create)]
    assert first.status is not None
    assert [one["uri"] for one in first.status["outputs"]] == [asked["spec"]["output"]["uri"]]
    # The API server refuses the job, or it is deleted before it is observed.
    schedule = {**schedule, "status": first.status}
    again = decide_schedule(schedule, [], BORN + timedelta(minutes=9), "a quota")
    assert again.status is None or again.status["outputs"] == first.status["outputs"]
    later = decide_schedule(schedule, [], BORN + timedelta(minutes=20))
    (made,) = [action.manifest for action in later.actions if isinstance(action, Create)]
    assert made["spec"]["input"]["notScoredBy"] == [{"uri": asked["spec"]["output"]["uri"], "optional": True}]


def test_what_a_template_leaves_out_is_left_out_too():
    schedule = a_schedule("s3://b")
    schedule["spec"]["jobTemplate"]["spec"]["input"]["notScoredBy"] = [{"uri": "s3://b/before"}]
    status = status_of(9, a_run(9, phase="Complete"))
    spec = scheduled_job(schedule, at(10), status)["spec"]
    assert spec["input"]["notScoredBy"] == [{"uri": "s3://b/before"}, {"uri": "out/9"}]
    assert parse_job({"spec": spec}).spec.input.since == at(8)
    assert scheduled_job(schedule, at(10), ScheduleStatus())["spec"]["input"]["notScoredBy"] == [
        {"uri": "s3://b/before"}
    ]


def test_a_schedule_that_does_not_ask_for_what_is_new_remembers_nothing():
    schedule = a_schedule("s3://b")
    del schedule["spec"]["jobTemplate"]["spec"]["input"]["since"]
    job = a_run(1, phase="Complete")
    assert seen(schedule, ScheduleStatus(), [job]).outputs == ()
    assert announced(schedule, ScheduleStatus(), job, BORN).outputs == ()
