"""Decide if NetworkPolicies let one pod reach another or an address, by the rules of networking.k8s.io/v1.

It stands in for a network plugin. An address block also matches pods within it, as most plugins have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Policy = Mapping[str, Any]


@dataclass(frozen=True)
class Peer:
    """A pod, or an address outside of the cluster if it has no namespace."""

    address: str
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def reaches(policies: Iterable[Policy], source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
    """Return whether a connection is let out of `source` and into `target`."""
    every = list(policies)
    return _passes(every, "Egress", source, target, port, protocol) and _passes(
        every, "Ingress", target, source, port, protocol
    )


def _passes(policies: list[Policy], direction: str, pod: Peer, other: Peer, port: int, protocol: str) -> bool:
    """Return whether one of the policies for `pod` has a rule for the connection; True if there is no policy for it."""
    own = [each for each in policies if _selects(each, direction, pod)]
    rules = [rule for each in own for rule in each["spec"].get(direction.lower()) or ()]
    end = "to" if direction == "Egress" else "from"
    return not own or any(_matches(rule, end, pod, other, port, protocol) for rule in rules)


def _selects(policy: Policy, direction: str, pod: Peer) -> bool:
    spec = policy["spec"]
    return (
        direction in spec["policyTypes"]
        and pod.namespace == policy["metadata"]["namespace"]
        and _has(pod.labels, spec["podSelector"])
    )


def _matches(rule: Mapping[str, Any], end: str, pod: Peer, other: Peer, port: int, protocol: str) -> bool:
    peers, ports = rule.get(end), rule.get("ports")
    return (not peers or any(_is(other, peer, pod.namespace) for peer in peers)) and (
        not ports or any(each.get("protocol", "TCP") == protocol and each.get("port") in {None, port} for each in ports)
    )


def _is(other: Peer, peer: Mapping[str, Any], own: str | None) -> bool:
    if block := peer.get("ipBlock"):
        address = ip_address(other.address)
        return _within(address, block["cidr"]) and not any(_within(address, each) for each in block.get("except", ()))
    if other.namespace is None:
        return False
    # Without a selector of namespaces it is the policy's own.
    in_place = (
        _has({"kubernetes.io/metadata.name": other.namespace}, peer["namespaceSelector"])
        if "namespaceSelector" in peer
        else other.namespace == own
    )
    return in_place and _has(other.labels, peer.get("podSelector") or {})


def _within(address: Any, cidr: str) -> bool:
    network = ip_network(cidr)
    return address.version == network.version and address in network


def _has(labels: Mapping[str, str], selector: Mapping[str, Any]) -> bool:
    wanted = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(
        _meets(labels, each) for each in selector.get("matchExpressions") or ()
    )


def _meets(labels: Mapping[str, str], expression: Mapping[str, Any]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values", ())
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise ValueError(expression)
