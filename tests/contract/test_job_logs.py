"""`scoremill job logs` prints the log of the pod if it exists, or the log in the output with a note."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from scoremill.kubernetes.api import connect
from scoremill.kubernetes.objects import names
from tests.support.http_api import Api, JsonHandler, Object, running
from tests.support.jobs import run

CHILD = names.child_name("tips", "0f3a")
EXCUSE = "unable to retrieve container logs for containerd://0f3a"


class Served(Api):
    """An API server with a job, its runner pods by attempt, and answers to requests for their logs."""

    namespace = "scoring"

    def __init__(self, output: Path, **status: Any) -> None:
        super().__init__(_Handler)
        requested = {"model": {"uri": "m"}, "input": {"uris": ["in.csv"]}, "output": {"uri": str(output)}}
        metadata = {"name": "tips", "namespace": "scoring", "uid": "0f3a", "creationTimestamp": "2026-11-21T03:00:00Z"}
        driver = {"job": f"{CHILD}-2", "pod": "driver-2"}
        self.job = {"metadata": metadata, "spec": requested, "status": {"attempt": 2, "driver": driver, **status}}
        self.logs: dict[int, tuple[int, str]] = {}


class _Handler(JsonHandler):
    server: Served

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        *_, kind, name = url.path.split("/")
        if name == "tips":
            self._answer(200, self.server.job)
        elif name == "log":
            self._log(*self.server.logs[int(kind.rpartition("-")[2])])
        elif kind == "daskclusters":
            self._answer(404, {"reason": "NotFound"})
        elif kind == "pods":
            attempt = int(name.rpartition("-")[2])
            self._answer(*((200, _pod(attempt)) if attempt in self.server.logs else (404, {"reason": "NotFound"})))
        else:
            label, _, job = unquote(parse_qs(url.query)["labelSelector"][0]).partition("=")
            found = [_pod(attempt) for attempt in self.server.logs if job == names.driver_name(CHILD, attempt)]
            self._answer(200, {"items": found if label == "batch.kubernetes.io/job-name" else []})

    def _log(self, status: int, text: str) -> None:
        if status != 200:
            self._answer(status, {"message": text})
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


def _pod(attempt: int) -> Object:
    metadata = {"name": f"driver-{attempt}", "creationTimestamp": "2026-11-21T03:00:00Z"}
    return {"metadata": metadata, "status": {"phase": "Failed"}}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A job that failed at its second attempt, with three logs of two attempts in the output."""
    folder = tmp_path / "out/_scoremill/logs" / CHILD
    folder.mkdir(parents=True)
    for name in ("00001-20261121T030000Z", "00002-20261121T040000Z", "00002-20261121T050000Z"):
        (folder / f"{name}.log").write_text(f"started\nkept of {name}\n")
    with running(Served(tmp_path / "out", phase="Failed")) as server:
        yield server


def logs(served: Served, folder: Path, *words: object) -> tuple[int, str, str]:
    return run("job", "logs", "tips", *words, environment={"KUBECONFIG": str(served.kubeconfig(folder))})


@pytest.mark.parametrize("words", [[], ["-f"], ["--attempt", "2"]])
def test_job_logs_prefers_the_log_of_the_pod(served: Served, tmp_path: Path, words: list[str]) -> None:
    served.logs = {2: (200, "of the pod\n")}
    assert logs(served, tmp_path, *words) == (0, "of the pod\n", "")


@pytest.mark.parametrize("words", [[], ["-f"], ["--attempt", "2"]])
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "no pod|no driver any more"),
        ((200, EXCUSE), "pod driver-2 has no log"),
        ((500, "dial tcp 10.0.0.7:10250: no route to host"), "no route to host"),
        ((403, "pods/log is forbidden"), "not permitted"),
    ],
)
def test_job_logs_prints_the_newest_log_of_the_output_if_the_pod_has_none(
    served: Served, tmp_path: Path, words: list[str], answer: tuple[int, str] | None, message: str
) -> None:
    served.logs = {2: answer} if answer else {}
    code, out, err = logs(served, tmp_path, *words)
    assert (code, out) == (0, "started\nkept of 00002-20261121T050000Z\n")
    assert any(word in err for word in message.split("|")), err
    assert err.startswith("note: ") and f"{tmp_path}/out/_scoremill/logs/{CHILD}/00002-20261121T050000Z.log" in err


def test_job_logs_selects_an_attempt_by_number(served: Served, tmp_path: Path) -> None:
    served.logs = {2: (200, "of the pod\n")}
    assert logs(served, tmp_path, "--attempt", 1, "--tail", 1)[:2] == (0, "kept of 00001-20261121T030000Z\n")
    served.logs[1] = (200, "of its own pod\n")
    assert logs(served, tmp_path, "--attempt", 1) == (0, "of its own pod\n", "")
    code, out, err = logs(served, tmp_path, "--attempt", 3)
    assert (code, out) == (2, "") and "has no attempt 3" in err


def test_job_logs_without_any_log_reports_both_reasons(served: Served, tmp_path: Path) -> None:
    served.job["spec"]["output"]["uri"] = str(tmp_path / "elsewhere")
    code, out, err = logs(served, tmp_path)
    assert (code, out) == (6, "") and "no driver any more" in err and "job why tips" in err
    (tmp_path / "file").touch()
    served.job["spec"]["output"]["uri"] = str(tmp_path / "file" / "out")
    served.job["spec"]["output"]["storage"] = {"optionsFile": str(tmp_path / "none")}
    code, out, err = logs(served, tmp_path)
    assert (code, out) == (6, "") and "no driver any more" in err


def test_kubelet_error_text_is_not_a_log(served: Served, tmp_path: Path) -> None:
    kube = connect(str(served.kubeconfig(tmp_path)))
    served.logs = {2: (200, EXCUSE)}
    assert kube.log("driver-2", 10) is None
    served.logs = {2: (200, f"it said: {EXCUSE}")}
    assert kube.log("driver-2", 10) == f"it said: {EXCUSE}"


def test_job_why_exits_with_the_exit_code_of_the_failure(served: Served, tmp_path: Path) -> None:
    environment = {"KUBECONFIG": str(served.kubeconfig(tmp_path))}
    for code, reason in ((3, "DoesNotFit"), (4, "TooManyRejectedRows"), (5, "StorageFailed")):
        failure = {"reason": reason, "message": "so it is", "hint": "Do this.", "exitCode": code}
        served.job["status"]["failure"] = failure
        ended, out, _ = run("job", "why", "tips", environment=environment)
        assert (ended, out) == (code, f"{reason}: so it is\nhint: Do this.\n")
    served.job["status"]["phase"] = "Retrying"
    assert run("job", "why", "tips", environment=environment)[0] == 0
