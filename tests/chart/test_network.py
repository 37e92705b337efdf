"""The chart's policies together with those of its operator's jobs, as an evaluator of policies sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scoremill.kubernetes.objects import Network, network
from scoremill_operator.__main__ import network_of, options
from tests.chart.conftest import EVERYWHERE, Render
from tests.chart.test_chart import ALL_VALUES, arguments_of, of_kind
from tests.support.attacks import API, ATTACKS, BUCKETS, DASK, METADATA, NEEDED, PEERS, PLACE, policies
from tests.support.network import reaches

CLOSED = [
    "--set",
    f"networkPolicies.apiServer={{{API}/32}}",
    "--set",
    "dask-kubernetes-operator.enabled=false",
    "--set",
    f"networkPolicies.daskNamespace={DASK}",
]
Connection = tuple[str, str, int, str]


@pytest.fixture(scope="module")
def passes(render: Render, tmp_path_factory: pytest.TempPathFactory):
    """Return a function that checks a connection against the chart with some arguments, and the jobs of its operator."""
    known: dict[str, list[dict]] = {}

    def passing(arguments: list[str], connection: Connection) -> bool:
        key = json.dumps(arguments)
        if key not in known:
            objects = render(*arguments)
            asked = options(arguments_of(objects, tmp_path_factory.mktemp("chart")))
            own = [
                {**each, "metadata": {**each["metadata"], "namespace": PLACE}}
                for each in of_kind(objects, "NetworkPolicy")
            ]
            known[key] = [*own, *policies(network_of(asked))]
        source, target, port, protocol = connection
        return reaches(known[key], PEERS[source], PEERS[target], port, protocol)

    return passing


@pytest.mark.parametrize("connection", [*NEEDED, *BUCKETS], ids=str)
def test_chart_policies_allow_what_scoring_needs(passes, connection: Connection) -> None:
    assert passes(CLOSED, connection)


@pytest.mark.parametrize("attack", [*ATTACKS, *METADATA], ids=str)
def test_chart_policies_block_every_attack(passes, attack: Connection) -> None:
    assert not passes(CLOSED, attack)


@pytest.mark.parametrize("connection", METADATA, ids=str)
def test_the_values_open_metadata_services(passes, connection: Connection) -> None:
    assert passes([*CLOSED, "--set", "networkPolicies.metadata=true"], connection)


def test_without_policies_of_the_chart_those_of_jobs_limit_no_egress(passes) -> None:
    off = [*CLOSED, "--set", "networkPolicies.enabled=false"]
    assert all(passes(off, connection) for connection in [*NEEDED, *BUCKETS, *METADATA])
    assert not passes(off, ("stranger", "worker", 40001, "TCP"))


def test_operator_arguments_match_the_network_policies_of_the_chart(render: Render, tmp_path: Path) -> None:
    assert network_of(options(arguments_of(render(), tmp_path))) == Network(dask_namespace="science")
    assert network_of(options(arguments_of(render(*ALL_VALUES), tmp_path))) == Network(
        egress=({"to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}], "ports": [{"port": 7070}]},),
        metadata=True,
        api_server=("10.96.0.1/32", "fd00::1/128"),
        dask_namespace="science",
    )


@pytest.mark.parametrize("more", [[], CLOSED[:2], ["--set", "networkPolicies.metadata=true"], EVERYWHERE], ids=str)
def test_the_chart_and_the_operator_have_the_same_rules(render: Render, more: list[str], tmp_path: Path) -> None:
    objects = render(*more)
    asked = network_of(options(arguments_of(objects, tmp_path)))
    rules = {each["metadata"]["name"]: each["spec"].get("egress") for each in of_kind(objects, "NetworkPolicy")}
    assert rules["mill-scoremill-pods"][1:] == network.worker_egress("x", asked)[1:]
    assert rules["mill-scoremill-drivers"] == network.driver_egress("x", asked)[2:]
