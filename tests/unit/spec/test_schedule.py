"""A schedule is read like a job: whole, and what is wrong is named."""

import pytest
from pydantic import ValidationError

from scoremill.spec.resources.schedule import ScheduleStatus, ScoringSchedule

JOB = {"model": {"uri": "m"}, "input": {"uris": ["in/*.csv"], "since": "LastSuccess"}, "output": {"uri": "out"}}


def schedule(**fields):
    spec = {"schedule": "0 3 * * *", "jobTemplate": {"spec": JOB}} | fields
    return ScoringSchedule.model_validate({"metadata": {"name": "nightly"}, "spec": spec})


def test_defaults_are_those_of_a_cron_job_but_runs_do_not_overlap():
    spec = schedule().spec
    assert (spec.concurrency_policy, spec.suspend, spec.time_zone) == ("Forbid", False, None)
    assert (spec.successful_jobs_history_limit, spec.failed_jobs_history_limit) == (3, 3)
    assert spec.job_template.spec.input.since == "LastSuccess"


@pytest.mark.parametrize("line", ["*/5 0-6 * * mon,fri", "@daily"])
def test_lines_of_cron_are_taken(line):
    assert schedule(schedule=line).spec.schedule == line


@pytest.mark.parametrize("line", ["0 3 * *", "0 0 3 * * *", "CRON_TZ=UTC 0 3 * * *", ""])
def test_others_are_not(line):
    with pytest.raises(ValidationError, match=r"spec\.schedule"):
        schedule(schedule=line)


def test_a_time_zone_is_one_that_there_is():
    assert schedule(timeZone="Europe/Vienna").spec.time_zone == "Europe/Vienna"
    for name in ("Europe/Atlantis", "../etc/passwd", "Europe"):
        with pytest.raises(ValidationError, match="not a time zone"):
            schedule(timeZone=name)


def test_a_job_that_could_not_be_read_is_found_before_its_time_comes():
    with pytest.raises(ValidationError, match=r"jobTemplate\.spec\.output\.mode"):
        schedule(jobTemplate={"spec": JOB | {"output": {"uri": "out", "mode": "Append"}}})


@pytest.mark.parametrize("status", [{}, {"active": ["nightly-1"], "later": 1}])
def test_any_status_is_read(status):
    assert ScheduleStatus.model_validate(status).active == tuple(status.get("active", ()))
