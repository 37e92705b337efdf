"""`scoremill cluster` without a cluster: what would be made, and what is refused before anybody is asked."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import yaml

from scoremill.cli import app
from scoremill.cli.app import run
from scoremill.cli.flags.clusters import check_address
from scoremill.errors import ClusterError, UsageError
from scoremill.execute.place import engine_at
from scoremill.kubernetes.clusters import Named
from scoremill.kubernetes.objects import names
from scoremill.kubernetes.readiness import remove
from scoremill.spec import parse_job
from tests.controller.api_server import Server

PLACES: dict[str, str | None] = {"kubeconfig": None, "context": None, "namespace": None}


@pytest.fixture(autouse=True)
def no_kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def call(*arguments: str) -> int:
    return run(lambda: app.main(["cluster", *arguments], standalone_mode=False))


def kubeconfig(folder: Path, server: str) -> str:
    path = folder / "config"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": {"token": "t0ken"}}],
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "scoring"}}],
            }
        )
    )
    return str(path)


def test_dry_run_needs_no_kubernetes_and_prints_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("up", "trips", "--workers", "0:4", "--secret", "buckets", "--dry-run") == 0
    text = capsys.readouterr().out
    objects = {each["kind"]: each for each in yaml.safe_load_all(text)}
    assert set(objects) == {"DaskCluster", "Secret", "NetworkPolicy", "PodDisruptionBudget", "DaskAutoscaler"}
    assert set(objects["Secret"]["stringData"].values()) == {"<made when the cluster is>"}
    assert "-----BEGIN" not in text and "&id" not in text


def test_a_dry_run_is_in_the_namespace_that_would_be_worked_in(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    config = kubeconfig(tmp_path, "https://127.0.0.1:1")
    for more, expected in (([], "scoring"), (["--namespace", "mine"], "mine")):
        assert call("up", "trips", "--kubeconfig", config, *more, "--dry-run", "-o", "json") == 0
        items = json.loads(capsys.readouterr().out)["items"]
        assert {each["metadata"]["namespace"] for each in items} == {expected}


def test_the_image_is_that_of_this_version_unless_another_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    from scoremill.version import __version__

    for more, expected in (([], f"ghcr.io/scoremill/runner:{__version__}"), (["--image", "i:1"], "i:1")):
        assert call("up", "trips", *more, "--dry-run") == 0
        cluster = next(yaml.safe_load_all(capsys.readouterr().out))
        found = [cluster["spec"][part]["spec"]["containers"][0]["image"] for part in ("scheduler", "worker")]
        assert found == [expected] * 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["up", "Trips", "--namespace", "n", "--dry-run"], "is not a valid cluster name"),
        (["up", "local", "--dry-run"], "is not a valid cluster name"),
        (["up", "trips", "--workers", "5:2", "--dry-run"], "nor a range"),
        (["up", "trips", "--workers", "0", "--dry-run"], "nor a range"),
        (["up", "trips", "--memory", "much", "--dry-run"], "--memory"),
        (["up", "trips", "--memory", "256MiB", "--dry-run"], "512 MiB"),
        (["up", "trips", "--cpu", "0", "--dry-run"], "--cpu"),
        (["up", "trips", "--idle-timeout", "soon", "--dry-run"], "is not a time"),
        (["up", "trips", "--env", "AWS_SECRET_ACCESS_KEY=hidden", "--dry-run"], "--secret"),
        (["up", "trips", "--template", "nowhere.yaml", "--dry-run"], "cannot be read"),
        (["down"], "NAME"),
        (["down", "trips", "--all"], "NAME"),
        (["logs", "trips", "--scheduler", "--worker", "all"], "give one"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_2(arguments: list[str], words: str, capsys) -> None:
    assert call(*arguments) == 2
    printed = capsys.readouterr()
    assert words in printed.err and not printed.out and "hidden" not in printed.err


def test_a_template_that_is_no_mapping_is_refused(tmp_path: Path, capsys) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("- a\n- b\n")
    assert call("up", "trips", "--template", str(path), "--dry-run") == 2
    assert "is no mapping" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["up", "trips"], ["list"], ["status", "trips"], ["down", "trips"]])
def test_missing_kubeconfig_has_a_hint(
    command: list[str], capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else it would be the kubeconfig of the user who runs the tests.
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert call(*command) == 6
    assert "Set KUBECONFIG" in capsys.readouterr().err


def test_an_api_server_that_is_not_there_is_named(tmp_path: Path, capsys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"https://127.0.0.1:{taken.getsockname()[1]}"
    assert call("list", "--kubeconfig", kubeconfig(tmp_path, address)) == 6
    printed = capsys.readouterr().err
    assert address in printed and "refused" in printed and "t0ken" not in printed


def test_an_unknown_context_is_named(tmp_path: Path, capsys) -> None:
    assert call("list", "--kubeconfig", kubeconfig(tmp_path, "https://127.0.0.1:1"), "--context", "there") == 6
    assert "there" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["local", "in-process", "tcp://host:8786", "tls://host:8786"])
def test_local_in_process_and_addresses_are_what_they_are(where: str) -> None:
    job = parse_job({"spec": {"model": {"uri": "m"}, "input": {"uris": ["i"]}, "output": {"uri": "o"}}})
    with engine_at(where, job, PLACES) as at:
        assert (at.address, at.security, at.job) == (where, None, job)


@pytest.mark.parametrize(
    "where", ["tcp://host:8786", "TCP://10.0.0.1:8786", "ws://[fe80::1]:8786", "tcp://localhost.example:1"]
)
def test_an_address_without_encryption_is_warned_of_in_one_line(where: str, capsys) -> None:
    check_address(where)
    said = capsys.readouterr().err
    assert said.startswith(f"warning: the connection to {where} is not encrypted: anyone on the network can read")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "where",
    ["tls://host:1", "wss://host:1", "tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://localhost:1", "local", "trips"],
)
def test_encrypted_connections_and_those_within_the_machine_are_not_warned_of(where: str, capsys) -> None:
    check_address(where)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", [("dataset", "list"), ("retry-rejected", "out")])
def test_commands_that_connect_to_a_scheduler_refuse_passwords_in_its_address(command: tuple[str, ...], capsys) -> None:
    arguments = [*command, "--cluster", "tcp://user:secret@host:8786"]
    assert run(lambda: app.main(arguments, standalone_mode=False)) == 2
    said = capsys.readouterr().err
    assert "--cluster contains a user or a password" in said and "secret" not in said


def test_what_is_neither_an_address_nor_a_name_is_refused() -> None:
    job = parse_job({"spec": {"model": {"uri": "m"}, "input": {"uris": ["i"]}, "output": {"uri": "o"}}})
    with pytest.raises(UsageError, match="is not a valid cluster name"), engine_at("My_Cluster", job, PLACES):
        pass


def test_cluster_down_names_what_is_left_when_its_time_is_over() -> None:
    server = Server()
    held = {"labels": names.labels("trips"), "finalizers": ["kopf.zalando.org/KopfFinalizerMarker"]}
    server.put({"kind": "DaskCluster", "metadata": {"name": "trips", **held}})
    for pod in ("a", "b"):
        server.create({"kind": "Pod", "metadata": {"name": pod, "labels": names.labels("trips")}})
    said: list[str] = []
    with pytest.raises(ClusterError) as raised:
        remove(Named(server.client(), "trips"), 0, said.append)
    assert raised.value.message == "cluster trips still has 1 DaskCluster and 2 Pods after 0.0 s"
    assert said == ["waiting for Kubernetes to delete 1 DaskCluster and 2 Pods"]
