"""A schedule makes the job of each of its times once, as a CronJob would, and each run sees what is new since the last."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scoremill.kubernetes.objects.names import SCHEDULE, SCHEDULED_TIME
from scoremill.kubernetes.objects.scheduled import scheduled_name, stamp
from scoremill.naming import is_kubernetes_name
from scoremill.spec import parse_job
from scoremill.spec.resources.schedule import ScheduleStatus
from scoremill_operator.reconcile.clock import MOST, Clock
from scoremill_operator.reconcile.observed import Create, Decision, Delete, Object
from tests.controller.parsed import decide_schedule, scheduled_job
from tests.support.losing import Lost, losing

BORN = datetime(2026, 11, 20, 12, tzinfo=UTC)
TEMPLATE = {
    "model": {"uri": "s3://b/model"},
    "input": {"uris": ["s3://b/in/*.csv"]},
    "output": {"uri": "s3://b/out/{scheduledTime}"},
}
SINCE = {**TEMPLATE, "input": {**TEMPLATE["input"], "since": "LastSuccess"}}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def written(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def a_schedule(
    line: str = "0 3 * * *", template: Object = TEMPLATE, status: Object | None = None, **spec: Any
) -> Object:
    """One of the name `nightly` as the API gives it."""
    return {
        "apiVersion": "scoremill.dev/v1alpha1",
        "kind": "ScoringSchedule",
        "metadata": {
            "name": "nightly",
            "namespace": "n",
            "uid": "u1",
            "generation": 1,
            "creationTimestamp": written(BORN),
        },
        "spec": {"schedule": line, "jobTemplate": {"spec": template}, **spec},
        "status": status or {},
    }


def a_job(schedule: Object, at: str, phase: str | None = None, **metadata: Any) -> Object:
    job = scheduled_job(schedule, utc(at), ScheduleStatus())
    job["metadata"] |= {"uid": f"uid-{at}", "creationTimestamp": written(utc(at)), **metadata}
    return {**job, "status": {"phase": phase} if phase else {}}


def made(decision: Decision) -> list[str]:
    return [action.manifest["metadata"]["name"] for action in decision.actions if isinstance(action, Create)]


def deleted(decision: Decision) -> list[str]:
    return [action.name for action in decision.actions if isinstance(action, Delete)]


def events(decision: Decision) -> list[str]:
    return [event.reason for event in decision.events]


def named(at: str) -> str:
    return f"nightly-{int(utc(at).timestamp()) // 60}"


def after(schedule: Object, decision: Decision) -> Object:
    """The schedule once the decision's status is written."""
    return schedule if decision.status is None else {**schedule, "status": decision.status}


# --- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "zone", "start", "expected"),
    [
        ("30 2 * * *", None, "2026-03-28T12:00", ["2026-03-29T02:30", "2026-03-30T02:30"]),
        # Set forward: what has no time of its own comes right after the gap.
        ("30 2 * * *", "Europe/Vienna", "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"]),
        ("30 3 * * *", "Europe/Vienna", "2026-03-28T12:00", ["2026-03-29T01:30", "2026-03-30T01:30"]),
        ("0 * * * *", "Europe/Vienna", "2026-03-29T00:30", ["2026-03-29T01:00", "2026-03-29T02:00"]),
        # Set back: what the clock shows twice is run once, what runs by the hour is run every hour.
        ("30 2 * * *", "Europe/Vienna", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        (
            "0 * * * *",
            "Europe/Vienna",
            "2026-10-24T23:30",
            ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00"],
        ),
        (
            "*/30 * * * *",
            "Europe/Vienna",
            "2026-10-25T00:00",
            ["2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30"],
        ),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", ["2026-10-03T15:30", "2026-10-04T15:15"]),
        ("0 0 29 2 *", None, "2026-01-01T00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("@daily", "America/New_York", "2026-11-20T12:00", ["2026-11-21T05:00"]),
        ("@weekly", None, "2026-11-20T12:00", ["2026-11-22T00:00"]),
        ("0 9 * * MON-FRI", None, "2026-11-20T12:00", ["2026-11-23T09:00"]),
    ],
)
def test_times_follow_the_clock_on_the_wall(line: str, zone: str | None, start: str, expected: list[str]) -> None:
    clock, time, found = Clock(line, zone), utc(start), []
    for _ in expected:
        time = clock.next(time)
        found.append(time)
    assert found == [utc(one) for one in expected]
    assert clock.missed(utc(start), found[-1]) == found[::-1]


def test_within_an_hour_that_the_clock_shows_twice_the_next_time_is_ahead() -> None:
    clock = Clock("30 2 * * *", "Europe/Vienna")
    second = utc("2026-10-25T01:10")  # 02:10 for the second time
    assert clock.next(second) == utc("2026-10-26T01:30")
    assert clock.missed(utc("2026-10-24T12:00"), second) == [utc("2026-10-25T00:30")]


LINES = st.builds(
    "{} {} * * *".format,
    st.sampled_from(["0", "30", "15,45", "*/20", "59"]),
    st.sampled_from(["*", "2", "0,3", "1-3", "*/5", "23"]),
)
ZONES = st.sampled_from(
    [None, "Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kolkata"]
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda time: time.replace(tzinfo=UTC))
CHANGES = st.sampled_from(
    [
        "2026-03-29T01:00",
        "2026-10-25T01:00",
        "2026-03-08T07:00",
        "2026-11-01T06:00",
        "2026-04-04T15:00",
        "2026-10-03T15:30",
        "2026-04-23T22:00",
        "2026-10-29T21:00",
    ]
)
NEAR = st.builds(lambda change, seconds: utc(change) + timedelta(seconds=seconds), CHANGES, st.integers(-9000, 9000))


@given(line=LINES, zone=ZONES, start=MOMENTS | NEAR, hours=st.integers(0, 40))
def test_looking_back_finds_what_looking_ahead_had_promised(line, zone, start, hours) -> None:
    clock, now = Clock(line, zone), start + timedelta(hours=hours)
    promised, time = [], start
    while (time := clock.next(time)) <= now:
        promised.append(time)
    assert all(a < b for a, b in pairwise(promised))
    missed = clock.missed(start, now)
    assert missed == promised[::-1] or (len(missed) > MOST and missed == promised[::-1][: len(missed)])


# --- what is made -----------------------------------------------------------------------------------------------------


def test_schedule_creates_nothing_before_its_time() -> None:
    decision = decide_schedule(a_schedule(), [], utc("2026-11-21T02:59:50"))
    assert decision.actions == () and decision.requeue_after == 10
    assert decision.status["nextScheduleTime"] == "2026-11-21T03:00:00Z"


def test_the_job_of_a_time_is_the_template_with_its_time_and_is_owned() -> None:
    template = {"metadata": {"labels": {"team": "a"}, "annotations": {"why": "b"}}, "spec": TEMPLATE}
    schedule = a_schedule(jobTemplate=template)
    decision = decide_schedule(schedule, [], utc("2026-11-21T03:00:00"))
    [create] = decision.actions
    assert isinstance(create, Create)
    assert create.manifest == {
        "apiVersion": "scoremill.dev/v1alpha1",
        "kind": "ScoringJob",
        "metadata": {
            "name": named("2026-11-21T03:00"),
            "namespace": "n",
            "labels": {"team": "a", SCHEDULE: "nightly"},
            "annotations": {"why": "b", SCHEDULED_TIME: "2026-11-21T03:00:00Z"},
            "ownerReferences": [
                {
                    "apiVersion": "scoremill.dev/v1alpha1",
                    "kind": "ScoringSchedule",
                    "name": "nightly",
                    "uid": "u1",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {**TEMPLATE, "output": {"uri": "s3://b/out/20261121T0300Z"}},
    }
    parse_job(create.manifest)
    # Until the job is seen its time counts as not run.
    assert "lastScheduleTime" not in decision.status


def test_template_can_set_what_a_file_can_and_the_job_is_accepted_by_the_api_server() -> None:
    template = {**TEMPLATE, "cluster": {"workers": 3, "memory": "2GiB"}}
    spec = scheduled_job(a_schedule(template=template), BORN, ScheduleStatus())["spec"]
    assert spec["cluster"] == {"workers": 3, "memory": 2 * 2**30}


def test_existing_run_is_recorded_and_not_created_again() -> None:
    schedule = a_schedule()
    job = a_job(schedule, "2026-11-21T03:00", "Running")
    decision = decide_schedule(schedule, [job], utc("2026-11-21T03:00:05"))
    assert decision.actions == ()
    assert decision.status["lastScheduleTime"] == "2026-11-21T03:00:00Z"
    assert decision.status["active"] == [named("2026-11-21T03:00")]
    assert [event.message for event in decision.events] == [
        f"created job {named('2026-11-21T03:00')} for 2026-11-21T03:00:00Z"
    ]
    again = decide_schedule(after(schedule, decision), [job], utc("2026-11-21T03:00:06"))
    assert again.status is None and again.actions == again.events == ()
    deleted = decide_schedule(after(schedule, decision), [], utc("2026-11-21T03:00:09"))
    assert deleted.actions == () and not deleted.status.get("active")


@pytest.mark.parametrize(
    ("policy", "makes", "removes", "event"),
    [
        ("Allow", ["2026-11-22T03:00"], [], []),
        ("Forbid", [], [], ["JobAlreadyActive"]),
        ("Replace", [], ["2026-11-21T03:00"], ["JobAlreadyActive"]),
    ],
)
def test_run_that_is_not_finished(policy: str, makes: list[str], removes: list[str], event: list[str]) -> None:
    schedule = a_schedule(concurrencyPolicy=policy)
    running = a_job(schedule, "2026-11-21T03:00", "Running")
    decision = decide_schedule(schedule, [running], utc("2026-11-22T03:00:00"))
    assert (made(decision), deleted(decision)) == (list(map(named, makes)), list(map(named, removes)))
    assert events(decision) == [*event, "Created"]
    if policy != "Allow":
        # While it is deleted, and after that is reported, nothing more; after its deletion the waiting time is run.
        going = a_job(schedule, "2026-11-21T03:00", "Running", deletionTimestamp=written(BORN))
        quiet = decide_schedule(after(schedule, decision), [going], utc("2026-11-22T03:00:09"))
        assert quiet.actions == quiet.events == ()
        ended = [a_job(schedule, "2026-11-21T03:00", "Failed")] if policy == "Forbid" else []
        then = decide_schedule(after(schedule, decision), ended, utc("2026-11-22T07:00:00"))
        assert made(then) == [named("2026-11-22T03:00")]


def test_after_an_outage_the_last_missed_time_is_run_and_it_alone() -> None:
    schedule = a_schedule("0 * * * *")
    decision = decide_schedule(schedule, [], utc("2026-11-21T03:20"))
    assert made(decision) == [named("2026-11-21T03:00")] and events(decision) == []
    seen = a_job(schedule, "2026-11-21T03:00", "Complete")
    assert decide_schedule(schedule, [seen], utc("2026-11-21T03:21")).actions == ()


def test_more_than_a_hundred_missed_times_are_reported() -> None:
    decision = decide_schedule(a_schedule("* * * * *"), [], BORN + timedelta(days=400, seconds=30))
    assert made(decision) == [scheduled_name("nightly", BORN + timedelta(days=400))]
    assert events(decision) == ["TooManyMissedTimes"]
    assert events(decide_schedule(a_schedule("* * * * *"), [], BORN + timedelta(minutes=100))) == []


def test_failed_run_is_reported_once() -> None:
    schedule = a_schedule(failedJobsHistoryLimit=0)
    running = a_job(schedule, "2026-11-21T03:00", "Running")
    seen = after(schedule, decide_schedule(schedule, [running], utc("2026-11-21T03:01")))
    failed = a_job(schedule, "2026-11-21T03:00", "Failed")
    failed["status"]["failure"] = {"reason": "DoesNotFit", "message": "no column a"}
    decision = decide_schedule(seen, [failed], utc("2026-11-21T03:02"))
    assert [(event.type, event.reason) for event in decision.events] == [("Warning", "JobFailed")]
    assert "DoesNotFit: no column a" in decision.events[0].message and deleted(decision) == [failed["metadata"]["name"]]
    assert events(decide_schedule(after(seen, decision), [failed], utc("2026-11-21T03:03"))) == []


def test_history_is_deleted_before_the_next_run_is_created() -> None:
    schedule = a_schedule(successfulJobsHistoryLimit=0)
    old = a_job(schedule, "2026-11-21T03:00", "Complete")
    decision = decide_schedule(schedule, [old], utc("2026-11-22T03:00:05"))
    assert [type(action) for action in decision.actions] == [Delete, Create]


def test_template_with_a_hundred_faults_is_reported_up_to_the_limit() -> None:
    template = {**TEMPLATE, "output": {**TEMPLATE["output"], "keep": list(range(900))}}
    decision = decide_schedule(a_schedule(template=template), [], BORN)
    assert len(decision.status["conditions"][0]["message"]) == 4096


def test_rejected_job_is_reported_once_and_retried() -> None:
    schedule = a_schedule()
    asked = (utc("2026-11-21T03:00:05"), "ScoringJob nightly-29395860: exceeded quota: jobs")
    decision = decide_schedule(schedule, [], *asked)
    assert events(decision) == ["JobRefused"] and made(decision) == [named("2026-11-21T03:00")]
    (condition,) = [each for each in decision.status["conditions"] if each["type"] == "Scheduled"]
    assert (condition["status"], condition["reason"]) == ("False", "JobRefused") and "quota" in condition["message"]
    again = decide_schedule(after(schedule, decision), [], *asked)
    assert again.status is None and again.events == () and made(again)
    taken = decide_schedule(after(schedule, decision), [a_job(schedule, "2026-11-21T03:00")], asked[0])
    (condition,) = [each for each in taken.status["conditions"] if each["type"] == "Scheduled"]
    assert condition["status"] == "True" and events(taken) == ["Created"]


@pytest.mark.parametrize(("now", "makes"), [("2026-11-21T03:00:30", True), ("2026-11-21T03:00:31", False)])
def test_a_run_does_not_begin_later_than_its_deadline(now: str, makes: bool) -> None:
    schedule = a_schedule(startingDeadlineSeconds=30)
    decision = decide_schedule(schedule, [], utc(now))
    assert bool(made(decision)) is makes
    if not makes:
        assert events(decision) == ["MissedDeadline"]
        assert events(decide_schedule(after(schedule, decision), [], utc("2026-11-21T04:00"))) == []
        assert made(decide_schedule(after(schedule, decision), [], utc("2026-11-22T03:00"))) == [
            named("2026-11-22T03:00")
        ]


def test_while_suspended_nothing_begins_and_what_was_missed_last_does_afterwards() -> None:
    schedule = a_schedule(suspend=True)
    decision = decide_schedule(schedule, [], utc("2026-11-22T03:10"))
    assert decision.actions == () and decision.requeue_after is None and "nextScheduleTime" not in decision.status
    resumed = a_schedule(status=decision.status)
    assert made(decide_schedule(resumed, [], utc("2026-11-22T03:11"))) == [named("2026-11-22T03:00")]


def test_jobs_above_the_limits_go_the_oldest_first_and_those_that_go_on_stay() -> None:
    schedule = a_schedule(successfulJobsHistoryLimit=1, failedJobsHistoryLimit=0, concurrencyPolicy="Allow")
    jobs = [
        a_job(schedule, "2026-11-21T03:00", "Complete"),
        a_job(schedule, "2026-11-22T03:00", "Failed"),
        a_job(schedule, "2026-11-23T03:00", "Running"),
        a_job(schedule, "2026-11-24T03:00", "Complete"),
    ]
    decision = decide_schedule(schedule, jobs[::-1], utc("2026-11-24T09:00"))
    assert deleted(decision) == [named("2026-11-21T03:00"), named("2026-11-22T03:00")]
    assert decision.status["lastSuccessfulTime"] == "2026-11-24T03:00:00Z"


@pytest.mark.parametrize("policy", ["Forbid", "Replace"])
def test_a_time_waits_for_the_driver_of_a_run_that_has_failed(policy: str) -> None:
    schedule = a_schedule(concurrencyPolicy=policy)
    failed = a_job(schedule, "2026-11-21T03:00", "Failed")
    waits = decide_schedule(schedule, [failed], utc("2026-11-22T03:00"), None, {failed["metadata"]["name"]})
    assert waits.actions == () and waits.requeue_after == 5.0
    assert events(waits) == ["JobAlreadyActive", "Created"]
    assert f"{failed['metadata']['name']}, whose driver is still active" in waits.events[0].message
    assert made(decide_schedule(schedule, [failed], utc("2026-11-22T03:00"))) == [named("2026-11-22T03:00")]


def test_jobs_of_an_earlier_schedule_of_that_name_are_not_its_own() -> None:
    schedule = a_schedule()
    foreign = a_job({**schedule, "metadata": {**schedule["metadata"], "uid": "u0"}}, "2026-11-21T03:00", "Running")
    assert made(decide_schedule(schedule, [foreign], utc("2026-11-22T03:00"))) == [named("2026-11-22T03:00")]


def test_a_run_that_a_user_asked_for_is_no_time_of_the_clock() -> None:
    schedule = a_schedule(template=SINCE)
    asked = scheduled_job(schedule, utc("2026-11-21T03:05:07"), ScheduleStatus(), "nightly-asked")
    asked["metadata"] |= {"uid": "x", "creationTimestamp": "2026-11-21T03:05:07Z"}
    asked["status"] = {"phase": "Complete"}
    decision = decide_schedule(schedule, [asked], utc("2026-11-21T03:06"))
    [create] = decision.actions
    assert made(decision) == [named("2026-11-21T03:00")]
    # It is the later run, whatever its time: what the other has scored is left out.
    assert create.manifest["spec"]["input"]["notScoredBy"] == [{"uri": "s3://b/out/20261121T030507Z"}]
    assert create.manifest["spec"]["input"]["since"] == "2026-11-14T03:05:07Z"
    parse_job(create.manifest)
    assert decision.status["lastSuccessfulTime"] == "2026-11-21T03:05:07Z"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": "61 * * * *"}, "not a cron expression"),
        ({"schedule": "* * *"}, "spec.schedule"),
        ({"timeZone": "Mars/Olympus"}, "spec.timeZone"),
        ({"jobTemplate": {"spec": {**TEMPLATE, "model": {}}}}, "spec.jobTemplate.spec.model"),
        ({"jobTemplate": {"spec": {**SINCE, "output": {"uri": "s3://b/out"}}}}, "{scheduledTime}"),
        ({"jobTemplate": {"spec": SINCE}, "concurrencyPolicy": "Allow"}, "would score the same objects"),
        ({"lookBackSeconds": -1}, "spec.lookBackSeconds"),
    ],
)
def test_a_schedule_that_cannot_be_understood_says_so_once_and_makes_nothing(change: Object, message: str) -> None:
    schedule = a_schedule(**change)
    decision = decide_schedule(schedule, [], utc("2026-11-22T03:00"))
    assert decision.actions == () and events(decision) == ["InvalidSpec"]
    conditions = {each["type"]: each for each in decision.status["conditions"]}
    assert conditions["Invalid"]["status"] == conditions["Stalled"]["status"] == "True"
    assert message in conditions["Invalid"]["message"]
    again = decide_schedule(after(schedule, decision), [], utc("2026-11-22T03:01"))
    assert again.status is None and again.events == ()
    fixed = {**after(schedule, decision), "spec": a_schedule()["spec"]}
    assert {each["type"] for each in decide_schedule(fixed, [], utc("2026-11-22T03:02")).status["conditions"]} == {
        "Invalid",
        "Scheduled",
    }


def test_a_schedule_that_goes_makes_nothing() -> None:
    schedule = a_schedule()
    schedule["metadata"]["deletionTimestamp"] = written(BORN)
    assert decide_schedule(schedule, [], utc("2026-11-22T03:00")) == Decision()


@pytest.mark.parametrize("name", ["a" * 253, "a." * 126 + "a", "a" + "-b" * 126, "nightly"])
def test_names_and_labels_keep_within_what_kubernetes_allows(name: str) -> None:
    schedule = a_schedule()
    schedule["metadata"]["name"] = name
    metadata = scheduled_job(schedule, BORN, ScheduleStatus())["metadata"]
    assert is_kubernetes_name(metadata["name"]) and metadata["name"].endswith(f"-{int(BORN.timestamp()) // 60}")
    assert len(metadata["labels"][SCHEDULE]) <= 63 and is_kubernetes_name(metadata["labels"][SCHEDULE])
    if len(name) > 63:
        schedule["metadata"]["name"] = f"{name[:-1]}z"
        assert scheduled_job(schedule, BORN, ScheduleStatus())["metadata"]["labels"] != metadata["labels"]
        assert scheduled_job(schedule, BORN, ScheduleStatus())["metadata"]["name"] != metadata["name"]


def test_the_time_in_an_output_is_in_utc() -> None:
    assert stamp(datetime(2026, 11, 21, 4, tzinfo=ZoneInfo("Europe/Vienna"))) == "20261121T0300Z"


# --- whatever fails ---------------------------------------------------------------------------------------------------


class Machine(RuleBasedStateMachine):
    """A schedule under Forbid, an API server that fails, an operator that is away, and jobs that end as they like."""

    @initialize(line=st.sampled_from(["* * * * *", "*/7 * * * *", "0 * * * *"]), kept=st.integers(0, 2))
    def begin(self, line: str, kept: int) -> None:
        self.schedule = a_schedule(line, SINCE, successfulJobsHistoryLimit=kept, failedJobsHistoryLimit=kept)
        self.clock, self.now = Clock(line), BORN
        self.jobs: dict[str, Object] = {}
        self.ever: list[Object] = []

    @rule(seconds=st.integers(1, 200) | st.integers(1, 20_000))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(phase=st.sampled_from(["Complete", "Complete", "Failed"]))
    def a_run_ends(self, phase: str) -> None:
        for job in self.jobs.values():
            job["status"] = {"phase": job["status"].get("phase", phase)}

    @rule(fails=st.integers(0, 2), is_done=st.booleans())
    def look_and_fail(self, fails: int, is_done: bool) -> None:
        """The operator looks; its call number `fails` fails, done or not."""
        call = losing(fails, is_done=is_done)
        with suppress(Lost):
            self._look(call)

    @rule()
    def look(self) -> None:
        """After an undisturbed reconciliation the latest time has its job, unless another runs."""
        self._look(lambda effect: effect())
        due = self.clock.missed(BORN, self.now)
        if due and all(job["status"] for job in self.jobs.values()):
            assert due[0] in {time_of(job) for job in self.ever}

    @rule(fails=st.integers(0, 2), is_done=st.booleans())
    def look_and_fail_and_look_again(self, fails: int, is_done: bool) -> None:
        self.look_and_fail(fails, is_done)
        self.look()

    def _look(self, call: Callable[[Callable[[], object]], None]) -> None:
        decision = decide_schedule(self.schedule, list(self.jobs.values()), self.now)
        if decision.status is not None:
            call(lambda: self.schedule.update(status=decision.status))
        for action in decision.actions:
            call(lambda: self._carry_out(action))  # noqa: B023 called immediately

    def _carry_out(self, action: Create | Delete) -> None:
        if isinstance(action, Delete):
            assert self.jobs.pop(action.name)["status"], "only what has ended goes"
        elif action.manifest["metadata"]["name"] not in self.jobs:
            job = {**action.manifest, "status": {}}
            job["metadata"] |= {"uid": str(len(self.ever)), "creationTimestamp": written(self.now)}
            self.jobs[job["metadata"]["name"]] = job
            self.ever.append(job)

    @invariant()
    def no_time_is_run_twice(self) -> None:
        names = [job["metadata"]["name"] for job in self.ever]
        assert len(set(names)) == len(names)

    @invariant()
    def at_most_one_run_is_active(self) -> None:
        assert sum(not job["status"] for job in self.jobs.values()) <= 1

    @invariant()
    def each_run_knows_the_output_of_the_last_complete_one(self) -> None:
        complete = None
        for job in self.ever:
            named = [one["uri"] for one in job["spec"]["input"].get("notScoredBy", ()) if "optional" not in one]
            assert named == ([complete] if complete else [])
            if job["status"].get("phase") == "Complete":
                complete = job["spec"]["output"]["uri"]

    def teardown(self) -> None:
        """Faults end: the latest time is run, and all is known."""
        for _ in range(4):
            self.a_run_ends("Complete")
            self.look()
        due = self.clock.missed(BORN, self.now)
        assert due[:1] == [time_of(self.ever[-1])] if self.ever else not due
        if due:
            assert self.schedule["status"]["lastScheduleTime"] == written(due[0])


def time_of(job: Object) -> datetime:
    return datetime.fromisoformat(job["metadata"]["annotations"][SCHEDULED_TIME])


Machine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
test_whatever_fails_each_time_is_run_once = Machine.TestCase
