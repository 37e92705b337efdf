"""The policies of a job let through what scoring needs, and no attack, as an evaluator of policies sees it."""

from __future__ import annotations

from typing import Any

import pytest

from scoremill.kubernetes.objects import Network
from scoremill.kubernetes.objects.network import METADATA as BLOCKED
from scoremill.kubernetes.objects.policy import network_policies
from tests.support.attacks import API, ATTACKS, BUCKETS, DASK, METADATA, NEEDED, PEERS, policies
from tests.support.network import Peer, reaches

NETWORK = Network(api_server=(f"{API}/32",), dask_namespace=DASK)


def passes(network: Network, source: str, target: str, port: int, protocol: str) -> bool:
    return reaches(policies(network), PEERS[source], PEERS[target], port, protocol)


@pytest.mark.parametrize("connection", [*NEEDED, *BUCKETS], ids=str)
def test_what_scoring_needs_is_let_through(connection: tuple[str, str, int, str]) -> None:
    assert passes(NETWORK, *connection)
    assert passes(Network(), *connection)


@pytest.mark.parametrize("attack", [*ATTACKS, *METADATA], ids=str)
def test_no_attack_is_let_through(attack: tuple[str, str, int, str]) -> None:
    assert not passes(NETWORK, *attack)


@pytest.mark.parametrize("connection", METADATA, ids=str)
def test_metadata_services_are_reached_if_workload_identity_takes_them(connection: tuple[str, str, int, str]) -> None:
    assert passes(Network(metadata=True, api_server=NETWORK.api_server), *connection)


@pytest.mark.parametrize(("source", "target", "port", "protocol"), ATTACKS)
def test_metadata_services_open_nothing_else(source: str, target: str, port: int, protocol: str) -> None:
    network = Network(metadata=True, api_server=NETWORK.api_server, dask_namespace=DASK)
    assert not passes(network, source, target, port, protocol)


def test_given_egress_replaces_the_default() -> None:
    given = {"to": [{"ipBlock": {"cidr": "52.216.0.0/16"}}], "ports": [{"protocol": "TCP", "port": 443}]}
    network = Network(egress=(given,), dask_namespace=DASK)
    assert all(passes(network, *connection) for connection in NEEDED)
    assert passes(network, "worker", "bucket", 443, "TCP")
    assert not any(passes(network, "worker", where, 443, "TCP") for where in ("store", "bucket by IPv6", "API", "node"))


def test_without_a_namespace_of_dask_kubernetes_only_its_label_counts() -> None:
    assert passes(Network(), "false dask-kubernetes", "scheduler", 8787, "TCP")
    assert not passes(Network(), "impostor", "scheduler", 8787, "TCP")


def test_a_cluster_of_the_command_line_limits_who_reaches_it_and_not_what_it_reaches() -> None:
    assert {each for policy in network_policies("a", "b") for each in policy["spec"]["policyTypes"]} == {"Ingress"}


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.23",
        "169.254.169.252",
        "168.63.129.16",
        "100.100.100.200",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fe80::a9fe:a9fe",
    ],
)
def test_every_known_metadata_service_is_blocked(address: str) -> None:
    made: list[dict[str, Any]] = policies(NETWORK)
    assert not any(reaches(made, PEERS[pod], Peer(address), 80) for pod in ("worker", "scheduler", "driver"))
    assert BLOCKED
