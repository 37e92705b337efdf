"""What pods can reach over the network, as rules of NetworkPolicies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import names

Rule = dict[str, Any]

METADATA = (
    "169.254.0.0/16",  # link-local: AWS, Azure, GCP, OpenStack, Oracle
    "168.63.129.16/32",  # Azure's host
    "100.100.100.200/32",  # Alibaba
    "fe80::/10",
    "fd00:ec2::/32",  # AWS
    "fd20:ce::254/128",  # GCP
)
"""Where clouds give credentials to whoever asks from a node or one of its pods."""
_SYSTEM = "kube-system"


@dataclass(frozen=True)
class Network:
    """What whoever runs the operator has said about the network of jobs."""

    egress: tuple[Mapping[str, Any], ...] | None = None
    """Rules for what pods reach besides each other and DNS; None for everything but metadata services and the API."""
    metadata: bool = False
    """Whether pods reach the metadata services of clouds, for workload identity that takes them."""
    api_server: tuple[str, ...] = ()
    """Addresses of the Kubernetes API as CIDRs, which workers and schedulers do not reach."""
    api_ports: tuple[int, ...] = (443, 6443)
    """Ports of the Kubernetes API, which drivers reach."""
    dask_namespace: str | None = None
    """Namespace of dask-kubernetes' operator; None for any."""


DEFAULT = Network()


def worker_egress(cluster: str, network: Network) -> list[Rule]:
    """What workers and the scheduler reach: each other, DNS and buckets, but not the Kubernetes API."""
    return [*_always(cluster), *_elsewhere(network, network.api_server)]


def driver_egress(cluster: str, network: Network) -> list[Rule]:
    """What a driver reaches: the same, and the Kubernetes API, to which it reports."""
    api = {"ports": [{"protocol": "TCP", "port": port} for port in network.api_ports]}
    return [*_always(cluster), api, *_elsewhere(network, ())]


def _always(cluster: str) -> list[Rule]:
    dns = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    # To any address: the DNS of a node may have a link-local one.
    return [{"to": [{"podSelector": {"matchLabels": {names.LABEL: cluster}}}]}, {"ports": dns}]


def _elsewhere(network: Network, closed: Iterable[str]) -> list[Rule]:
    if network.egress is not None:
        return [dict(rule) for rule in network.egress]
    refused = [*(() if network.metadata else METADATA), *closed]
    peers = [_block("0.0.0.0/0", [each for each in refused if ":" not in each])]
    peers.append(_block("::/0", [each for each in refused if ":" in each]))
    # Some plugins do not take pods for a part of any block of addresses. The API server may be a pod of kube-system.
    system = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [_SYSTEM]}
    return [{"to": [*peers, {"namespaceSelector": {"matchExpressions": [system]}}]}]


def _block(cidr: str, refused: list[str]) -> Rule:
    return {"ipBlock": {"cidr": cidr, **({"except": refused} if refused else {})}}
