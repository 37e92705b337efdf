"""Jobs and schedules that ask for more than the operator permits are refused, once, with the field and the switch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scoremill_operator.__main__ import options
from scoremill_operator.reconcile.decide import decide
from scoremill_operator.reconcile.observed import Delete, OperatorSettings
from tests.controller.parsed import decide_schedule
from tests.controller.test_decide import (
    ANYTHING,
    NOW,
    SETTINGS,
    ago,
    cluster,
    observed,
    resource,
    started,
    status,
    true,
)
from tests.controller.test_schedule import BORN, TEMPLATE, a_schedule, after, events

ALLOWED = {"spec": {"worker": {"spec": {"nodeSelector": {"pool": "spot"}}}}}
HOST = {"spec": {"worker": {"spec": {"hostNetwork": True}}}}


def reader(settings: OperatorSettings) -> OperatorSettings:
    return replace(settings, accounts=frozenset({"ml/reader"}))


def test_a_template_that_asks_for_the_host_is_refused_once_with_field_and_switch() -> None:
    job = resource(cluster={"template": HOST})
    decision = decide(observed(job, NOW, SETTINGS))
    assert "Invalid" in true(decision) and not decision.actions
    failure = status(decision).failure
    assert failure is not None and failure.reason == "InvalidSpec"
    assert failure.message == "spec.cluster.template.spec.worker.spec.hostNetwork is not allowed here"
    assert failure.hint == (
        "Remove it, or ask the cluster's administrator to install the chart with operator.templates=Any."
    )
    again = decide(observed({**job, "status": decision.status}, NOW, SETTINGS))
    assert again.status is None and not again.events and not again.actions


def test_every_refused_field_is_named_up_to_ten() -> None:
    many = {"spec": {"worker": {"spec": {f"field{number}": 1 for number in range(12)}}}}
    failure = status(decide(observed(resource(cluster={"template": many}), NOW, SETTINGS))).failure
    assert failure is not None and failure.message is not None
    assert failure.message.count("field") == 10 and failure.message.endswith("and 2 more are not allowed here")


@pytest.mark.parametrize("template", [ALLOWED, HOST])
def test_the_same_is_accepted_where_any_template_is(template: dict[str, Any]) -> None:
    job = resource(cluster={"template": template})
    accepted = {
        name: "Invalid" not in true(decide(observed(job, NOW, by)))
        for name, by in (("Restricted", SETTINGS), ("Any", ANYTHING))
    }
    assert accepted == {"Restricted": template is ALLOWED, "Any": True}


def test_the_operators_own_template_is_not_restricted() -> None:
    settings = replace(SETTINGS, template=HOST)
    assert "Invalid" not in true(decide(observed(resource(cluster={"template": ALLOWED}), NOW, settings)))


@pytest.mark.parametrize(
    ("settings", "namespace", "is_accepted"),
    [
        (SETTINGS, "ml", False),
        (reader(SETTINGS), "ml", True),
        (reader(SETTINGS), "other", False),
        (replace(reader(SETTINGS), reserved=frozenset({"ml/reader"})), "ml", False),
        (ANYTHING, "ml", True),
    ],
)
def test_jobs_run_as_an_account_only_if_it_is_listed(
    settings: OperatorSettings, namespace: str, is_accepted: bool
) -> None:
    job = resource(cluster={"serviceAccount": "reader"})
    job["metadata"]["namespace"] = namespace
    decision = decide(observed(job, NOW, settings))
    assert ("Invalid" not in true(decision)) == is_accepted


def test_an_account_that_is_not_listed_is_named_with_the_setting_that_lists_it() -> None:
    failure = status(decide(observed(resource(cluster={"serviceAccount": "reader"}), NOW, SETTINGS))).failure
    assert failure is not None and failure.hint is not None
    assert failure.message == 'spec.cluster.serviceAccount: service account "reader" is not allowed here'
    assert "operator.serviceAccounts" in failure.hint


@pytest.mark.parametrize("cluster", [{"template": HOST}, {"serviceAccount": "reader"}])
def test_a_schedule_of_such_jobs_is_refused_once_and_creates_none(cluster: dict[str, Any]) -> None:
    schedule = a_schedule("* * * * *", {**TEMPLATE, "cluster": cluster})
    decision = decide_schedule(schedule, [], BORN.replace(minute=5), settings=SETTINGS)
    assert events(decision) == ["InvalidSpec"] and not decision.actions and decision.status is not None
    (invalid,) = [each for each in decision.status["conditions"] if each["type"] == "Invalid"]
    assert "not allowed here" in invalid["message"] and "operator." in invalid["message"]
    again = decide_schedule(after(schedule, decision), [], BORN.replace(minute=5), settings=SETTINGS)
    assert again.status is None and not again.events
    assert decide_schedule(schedule, [], BORN.replace(minute=5), settings=ANYTHING).actions


def test_templates_are_restricted_by_default() -> None:
    assert OperatorSettings("runner:1").templates == "Restricted"
    assert options(["--all-namespaces"]).templates == "Restricted"
    assert options(["--all-namespaces", "--templates=Any"]).templates == "Any"


@pytest.mark.parametrize("mount", [{"mountPath": "/data"}, {"mountPath": "/data", "name": ["x"]}])
@pytest.mark.parametrize("settings", [SETTINGS, ANYTHING], ids=["Restricted", "Any"])
def test_a_mount_without_a_name_is_an_invalid_spec(settings: OperatorSettings, mount: dict[str, Any]) -> None:
    worker = {"spec": {"containers": [{"name": "worker", "volumeMounts": [mount]}]}}
    job = resource(cluster={"template": {"spec": {"worker": worker}}})
    assert "Invalid" in true(decide(observed(job, NOW, settings)))


def test_a_finished_job_that_could_not_be_created_any_more_is_cleaned_up_as_it_says() -> None:
    finished = started("Complete", completionTime=ago(2 * 86400))
    job = resource(finished, cluster={"template": HOST}, cleanup={"ttlSecondsAfterFinished": 3600})
    (action,) = decide(observed(job, NOW, SETTINGS)).actions
    assert isinstance(action, Delete) and action.kind == "ScoringJob"
    kept = resource(
        started("Complete", completionTime=ago(60)), cluster={"template": HOST}, cleanup={"onSuccess": "Keep"}
    )
    assert not decide(observed(kept, NOW, SETTINGS, cluster=cluster())).actions
