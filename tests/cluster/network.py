"""The nodes' network: a bridge and three separate packet filter rules, so that no other daemon's rules change.

Docker keeps its rules in chains that all daemons of a machine share, and a daemon that starts empties them.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

from tests.cluster.places import CLUSTERS, MARK
from tests.cluster.steps import NoClusterError, run, succeeds

NAME = "kind"
BRIDGE = f"mill{MARK}"
_TABLES = ("filter", "nat")
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_BEFORE = CLUSTERS / "ip_forward"


def establish(env: dict[str, str]) -> None:
    """Let containers on the network reach each other, this machine, and what it reaches."""
    if not succeeds("docker", "network", "inspect", NAME, env=env):
        run("docker", "network", "create", "--opt", f"com.docker.network.bridge.name={BRIDGE}", NAME, env=env)
    if len(_rules()) < 3:
        _remove_rules()
        subnet = _ipv4(env)["Subnet"]
        _iptables("filter", "-I", "FORWARD", "-i", BRIDGE, "-j", "ACCEPT")
        _iptables("filter", "-I", "FORWARD", "-o", BRIDGE, "-j", "ACCEPT")
        _iptables("nat", "-A", "POSTROUTING", "-s", subnet, "!", "-o", BRIDGE, "-j", "MASQUERADE")
    if not _BEFORE.exists():
        _BEFORE.write_text(_FORWARDING.read_text())
    _FORWARDING.write_text("1")


def gateway(env: dict[str, str]) -> str:
    """Return this machine's address on the nodes' network, which pods and the machine itself can reach."""
    return _ipv4(env)["Gateway"]


def remove() -> None:
    """Delete the link and the rules, and forward packets only if the machine did so before."""
    _remove_rules()
    subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True, check=False)
    if _BEFORE.exists():
        _FORWARDING.write_text(_BEFORE.read_text())
        _BEFORE.unlink()


def left() -> list[str]:
    """Return what `remove` could not delete."""
    link = [f"link {BRIDGE}"] if Path("/sys/class/net", BRIDGE).exists() else []
    return [*link, *(f"{table} {rule}" for table, rule in _rules())]


def _ipv4(env: dict[str, str]) -> dict[str, str]:
    [network] = json.loads(run("docker", "network", "inspect", NAME, env=env))
    for config in network["IPAM"]["Config"]:
        if ":" not in config["Subnet"] and "Gateway" in config:
            return dict(config)
    raise NoClusterError(f"Docker's network {NAME} has no IPv4 gateway: docker network rm {NAME}")


def _rules() -> list[tuple[str, str]]:
    return [(table, rule) for table in _TABLES for rule in _iptables(table, "-S") if BRIDGE in rule]


def _remove_rules() -> None:
    for table, rule in _rules():
        _iptables(table, "-D", *shlex.split(rule)[1:])


def _iptables(table: str, *arguments: str) -> list[str]:
    command = ["iptables", "--wait", "--table", table, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
