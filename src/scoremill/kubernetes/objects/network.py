"""Render what pods can reach over the network, as egress rules of NetworkPolicies."""

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
"""Addresses of metadata services, where clouds give credentials to any process on a node or in its pods."""
_SYSTEM = "kube-system"


@dataclass(frozen=True)
class Network:
    """The administrator's settings for the network of jobs."""

    egress: tuple[Mapping[str, Any], ...] | None = None
    """Egress rules in addition to each other and DNS; None allows all but metadata services and the Kubernetes API."""
    metadata: bool = False
    """True if pods can reach metadata services, which some workload identities need."""
    api_server: tuple[str, ...] = ()
    """Addresses of the Kubernetes API as CIDRs, which workers and schedulers cannot reach."""
    api_ports: tuple[int, ...] = (443, 6443)
    """Ports of the Kubernetes API, which drivers can reach."""
    dask_namespace: str | None = None
    """Namespace of dask-kubernetes' operator; None for any."""


DEFAULT = Network()


def worker_egress(cluster: str, network: Network) -> list[Rule]:
    """Return the rules of workers and the scheduler: each other, DNS and buckets, but not the Kubernetes API."""
    return [*_always(cluster), *_elsewhere(network, network.api_server)]


def driver_egress(cluster: str, network: Network) -> list[Rule]:
    """Return the rules of a driver: those of workers, and the Kubernetes API, to which it reports progress."""
    api = {"ports": [{"protocol": "TCP", "port": port} for port in network.api_ports]}
    return [*_always(cluster), api, *_elsewhere(network, ())]


def _always(cluster: str) -> list[Rule]:
    dns = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    # Any address, because a node-local DNS cache can have a link-local one.
    return [{"to": [{"podSelector": {"matchLabels": {names.LABEL: cluster}}}]}, {"ports": dns}]


def _elsewhere(network: Network, closed: Iterable[str]) -> list[Rule]:
    if network.egress is not None:
        return [dict(rule) for rule in network.egress]
    refused = [*(() if network.metadata else METADATA), *closed]
    peers = [_block("0.0.0.0/0", [each for each in refused if ":" not in each])]
    peers.append(_block("::/0", [each for each in refused if ":" in each]))
    # Some network plugins match no pods by address. The API server can be a pod in kube-system.
    system = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [_SYSTEM]}
    return [{"to": [*peers, {"namespaceSelector": {"matchExpressions": [system]}}]}]


def _block(cidr: str, refused: list[str]) -> Rule:
    return {"ipBlock": {"cidr": cidr, **({"except": refused} if refused else {})}}
