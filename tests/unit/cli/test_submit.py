"""`scoremill job submit` and `schedule submit` without a cluster: what would be made, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoremill import schedules
from scoremill.cli import app
from scoremill.cli.app import run
from scoremill.cli.flags.clusters import same_place
from scoremill.cli.views import schedule as schedule_view
from scoremill.kubernetes.manifest import asks_the_same
from scoremill.spec import parse_job
from scoremill.spec.resources.schedule import ScoringSchedule

FLAGS = ["--model", "s3://m/tips", "--input", "s3://b/*.csv", "--output", "s3://b/out"]
FILE: dict[str, Any] = {
    "apiVersion": "scoremill.dev/v1alpha1",
    "kind": "ScoringJob",
    "metadata": {"name": "tips", "namespace": "mine", "labels": {"team": "a"}},
    "spec": {
        "model": {"uri": "s3://m/tips"},
        "input": {"uris": ["s3://b/*.csv"], "partitionBytes": "16MiB"},
        "output": {"uri": "s3://b/out"},
        "errors": {"maxFraction": None},
        "cluster": {"workers": 0, "maxWorkers": 8},
    },
}


@pytest.fixture(autouse=True)
def no_kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def call(*arguments: object) -> int:
    return run(lambda: app.main(list(map(str, arguments)), standalone_mode=False))


def dry(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    code = call(*arguments, "--dry-run")
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return dict(yaml.safe_load(printed.out))


def written(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "file.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_file_is_submitted_as_it_stands_with_flags_over_it(tmp_path, capsys) -> None:
    path = written(tmp_path, {**FILE, "status": {"phase": "Complete"}})
    made = dry(capsys, "job", "submit", path)
    assert made["metadata"] == FILE["metadata"]
    assert made["spec"] == {**FILE["spec"], "input": {"uris": ["s3://b/*.csv"], "partitionBytes": 16 * 2**20}}
    assert "status" not in made
    made = dry(capsys, "job", "submit", path, "--workers", "3", "--secret", "buckets", "--namespace", "other")
    assert made["spec"]["cluster"] == {"workers": 3, "maxWorkers": None}
    ranged = dry(capsys, "job", "submit", path, "--workers", "1:20")
    assert ranged["spec"]["cluster"] == {"workers": 1, "maxWorkers": 20}
    assert made["spec"]["credentials"] == {"secretRef": {"name": "buckets"}}
    assert made["metadata"]["namespace"] == "other"


def test_flags_alone_make_a_job_with_a_name_of_its_own(capsys) -> None:
    one, other = (dry(capsys, "job", "submit", *FLAGS, "--cpu", "0.5", "--image", "i:1") for _ in range(2))
    assert one["metadata"]["name"] != other["metadata"]["name"]
    assert one["spec"] == other["spec"]
    assert one["spec"]["cluster"] == {"cpu": 0.5, "image": "i:1"}
    assert parse_job(one).spec == parse_job(other).spec
    assert asks_the_same(one, other)
    assert not asks_the_same(one, {**other, "spec": {**other["spec"], "persist": True}})


def test_written_out_defaults_and_suspend_ask_for_the_same(capsys) -> None:
    made = dry(capsys, "job", "submit", *FLAGS)
    whole = parse_job(made).model_dump(mode="json", by_alias=True)
    assert asks_the_same(made, {**whole, "spec": {**whole["spec"], "suspend": True}})


def test_json_is_a_list_that_kubectl_takes(capsys) -> None:
    assert call("job", "submit", *FLAGS, "--dry-run", "-o", "json") == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert item["kind"] == "ScoringJob"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["job", "submit", "--dry-run"], "missing --model"),
        (["job", "submit", *FLAGS, "--model", "bundle/", "--dry-run"], "pods cannot read"),
        (["job", "submit", *FLAGS, "--input", "trips/*.csv", "--dry-run"], "pods cannot read"),
        (["job", "submit", *FLAGS, "--cpu", "0", "--dry-run"], "--cpu: input should be greater than 0"),
        (["job", "submit", *FLAGS, "--workers", "few", "--dry-run"], "neither a number such as 4 nor a range"),
        (["job", "submit", *FLAGS, "--workers", "9:2", "--dry-run"], "workers (9) is above maxWorkers (2)"),
        (["job", "submit", "nowhere.yaml"], "no job file"),
        (["schedule", "submit", *FLAGS, "--name", "n"], "missing --schedule"),
        (["schedule", "submit", *FLAGS, "--schedule", "@daily"], "missing --name"),
        (["schedule", "submit", *FLAGS, "--name", "n", "--schedule", "daily"], "five fields"),
        (["schedule", "submit", *FLAGS, "--name", "n", "--schedule", "@daily", "--time-zone", "Here"], "time zone"),
        (
            [
                "schedule",
                "submit",
                *FLAGS,
                "--name",
                "n",
                "--schedule",
                "@daily",
                "--set",
                "spec.input.since=LastSuccess",
            ],
            "{scheduledTime}",
        ),
        (
            [
                "schedule",
                "submit",
                *FLAGS[:-1],
                "s3://b/{scheduledTime}",
                "--name",
                "n",
                "--schedule",
                "@daily",
                "--set",
                "spec.input.since=LastSuccess",
                "--concurrency",
                "Allow",
            ],
            "would score the same objects",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_2(arguments: list[str], words: str, capsys) -> None:
    assert call(*arguments) == 2
    printed = capsys.readouterr()
    assert words in printed.err and not printed.out and "Traceback" not in printed.err


def test_secret_in_the_environment_is_refused_and_not_printed(tmp_path, capsys) -> None:
    spec = {**FILE["spec"], "cluster": {"env": {"AWS_SECRET_ACCESS_KEY": "hidden"}}}
    assert call("job", "submit", written(tmp_path, {**FILE, "spec": spec}), "--dry-run") == 2
    printed = capsys.readouterr()
    assert "`spec.credentials.secretRef.name`" in printed.err and "hidden" not in printed.err + printed.out


@pytest.mark.parametrize(
    "command",
    [["job", name, "tips"] for name in ("status", "wait", "logs", "suspend", "resume", "cancel", "report", "why")]
    + [
        ["job", "list"],
        ["schedule", "list"],
        ["schedule", "status", "n"],
        ["schedule", "run", "n"],
        ["job", "submit", *FLAGS],
    ],
)
def test_missing_kubeconfig_has_a_hint(command: list[str], capsys) -> None:
    assert call(*command) == 6
    assert "Set KUBECONFIG" in capsys.readouterr().err


def test_a_schedule_of_a_job_has_its_name_and_gives_its_labels_to_its_jobs(tmp_path, capsys) -> None:
    path = written(tmp_path, FILE)
    made = dry(capsys, "schedule", "submit", path, "--schedule", "0 3 * * *", "--time-zone", "Europe/Vienna")
    assert made["metadata"] == FILE["metadata"]
    assert made["spec"]["timeZone"] == "Europe/Vienna"
    assert made["spec"]["jobTemplate"]["metadata"] == {"labels": {"team": "a"}}
    assert made["spec"]["jobTemplate"]["spec"]["output"] == {"uri": "s3://b/out"}
    assert ScoringSchedule.model_validate(made).spec.concurrency_policy == "Forbid"


def test_a_whole_schedule_is_submitted_as_it_stands(tmp_path, capsys) -> None:
    whole = {
        "apiVersion": "scoremill.dev/v1alpha1",
        "kind": "ScoringSchedule",
        "metadata": {"name": "nightly"},
        "spec": {"schedule": "@daily", "jobTemplate": {"spec": FILE["spec"]}},
    }
    path = written(tmp_path, {**whole, "status": {"active": ["a"]}})
    assert dry(capsys, "schedule", "submit", path) == whole
    assert schedules.asks_the_same(whole, {**whole, "spec": {**whole["spec"], "concurrencyPolicy": "Forbid"}})
    for flags in (
        ["--schedule", "@hourly"],
        ["--look-back", "1d"],
        ["--set", "spec.input.since=LastSuccess"],
        ["--keep", "a"],
    ):
        assert call("schedule", "submit", path, *flags, "--dry-run") == 2
        assert "whole schedule" in capsys.readouterr().err
    written(tmp_path, {**whole, "spec": {"schedule": "@daily"}})
    assert call("schedule", "submit", path, "--dry-run") == 2
    assert "jobTemplate" in capsys.readouterr().err


def test_a_schedule_says_how_far_its_runs_look_back(capsys) -> None:
    flags = [
        *FLAGS[:-1],
        "s3://b/{scheduledTime}",
        "--name",
        "n",
        "--schedule",
        "@daily",
        "--set",
        "spec.input.since=LastSuccess",
    ]
    made = dry(capsys, "schedule", "submit", *flags, "--look-back", "14d")
    assert made["spec"]["lookBackSeconds"] == 14 * 24 * 3600
    assert made["spec"]["jobTemplate"]["spec"]["input"]["since"] == "LastSuccess"


def test_a_line_of_a_schedule() -> None:
    made = {
        "metadata": {"name": "nightly", "namespace": "scoring"},
        "spec": {"schedule": "@daily", "suspend": True},
        "status": {"lastScheduleTime": "2026-11-21T00:00:00Z", "active": ["nightly-1"]},
    }
    expected = ["nightly", "@daily", "UTC", "yes", "2026-11-21T00:00:00Z", "", "nightly-1"]
    assert schedule_view.row(made) == expected and len(expected) == len(schedule_view.TITLES)


def a_schedule(condition: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "nightly", "namespace": "scoring"},
        "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": FILE["spec"]}, **spec},
        "status": {
            "lastScheduleTime": "2026-11-21T02:00:00Z",
            "active": ["nightly-1"],
            "conditions": [
                {"type": "Invalid", "status": "False", "reason": "Valid"},
                *([condition] if condition else []),
            ],
        },
    }


LINES = [
    "nightly in scoring: 0 3 * * * in UTC, Forbid",
    "model     s3://m/tips",
    "output    s3://b/out",
    "last      2026-11-21T02:00:00Z",
    "complete  never",
    "next      none",
    "runs      nightly-1",
]


def test_lines_of_a_schedule() -> None:
    waits = {"type": "Scheduled", "status": "False", "reason": "JobAlreadyActive", "message": "waits for nightly-1"}
    assert list(schedule_view.lines(a_schedule(waits))) == [*LINES, "held up   waits for nightly-1"]
    suspended = {"type": "Scheduled", "status": "False", "reason": "Suspended", "message": "no further runs begin"}
    first, *others = schedule_view.lines(a_schedule(suspended, suspend=True, timeZone="Europe/Vienna"))
    assert first == "nightly in scoring: 0 3 * * * in Europe/Vienna, Forbid; suspended" and others == LINES[1:]


@pytest.mark.parametrize("template", [{}, {"spec": None}, {"spec": {"model": "s3://m", "output": {}}}])
def test_invalid_schedule_is_shown_as_invalid(template: dict[str, Any]) -> None:
    invalid = {"type": "Invalid", "status": "True", "reason": "InvalidSpec", "message": "spec.model: wrong"}
    made = a_schedule(jobTemplate=template)
    made["status"]["conditions"] = [invalid]
    assert list(schedule_view.lines(made)) == [LINES[0], *LINES[3:], "invalid   spec.model: wrong"]
    assert schedule_view.row(made)[5] == "invalid"


def test_suggested_command_has_the_same_place() -> None:
    flags = {"namespace": "science", "context": None, "kubeconfig": "my config"}
    assert same_place(flags) == " --kubeconfig 'my config' --namespace science"
    assert same_place(dict.fromkeys(flags)) == ""
