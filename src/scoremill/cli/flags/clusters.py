"""Options of commands that work with clusters: which Kubernetes, which address, how many workers."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from scoremill.errors import ClusterError, UsageError
from scoremill.units import parse_seconds

from ..views.display import echo
from .flag import Pairs

if TYPE_CHECKING:
    from scoremill.spec import Workers

Command = TypeVar("Command", bound=Callable[..., Any])

_ENV = Pairs("--env", "NAME=VALUE", "first")


def seconds(text: str) -> float:
    """The seconds in `30m`."""
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def workers(text: str) -> Workers:
    """The bounds in `4` and in `0:20`."""
    from scoremill.spec import Workers

    try:
        return Workers.of(text)
    except UsageError as error:
        raise click.BadParameter(error.message) from None


def check_address(where: str) -> None:
    """Raise UsageError if the address of a cluster holds a user or a password; warn of one without encryption."""
    from scoremill.kubernetes.objects import names

    names.refuse_user(where)
    if "://" in where and not where.lower().startswith(("tls://", "wss://")) and not _is_loopback(where):
        echo(
            f"warning: the connection to {where} is not encrypted: anyone on the network can read and change tasks and "
            "results, and run code on the workers; use tls://, or a cluster of `scoremill cluster up`",
            err=True,
        )


def _is_loopback(address: str) -> bool:
    try:
        host = urlsplit(address).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def described(workers: Workers) -> str:
    """Bounds in words: `4 workers`, or `0 to 20 workers by load`."""
    if workers.min < workers.max:
        return f"{workers.min} to {workers.max} workers by load"
    return f"{workers.max} {'worker' if workers.max == 1 else 'workers'}"


def place_options(command: Command) -> Command:
    """Adds the flags that say which Kubernetes and which namespace."""
    for flags, metavar, text in (
        (("-n", "--namespace"), "NAME", "Kubernetes namespace. Defaults to that of the context."),
        (("--context",), "NAME", "Context of the kubeconfig. Defaults to the current context."),
        (("--kubeconfig",), "PATH", "Path of the kubeconfig. Defaults to $KUBECONFIG or ~/.kube/config."),
    ):
        command = click.option(*flags, metavar=metavar, help=text)(command)
    return command


def places_of(flags: dict[str, Any]) -> dict[str, Any]:
    """The values of `place_options`."""
    return {key: flags[key] for key in ("kubeconfig", "context", "namespace")}


def same_place(flags: dict[str, Any]) -> str:
    """What leads a further command to the place that `flags` name, such as ` --namespace science`; mostly nothing."""
    given = {flag: value for flag, value in places_of(flags).items() if value}
    return "".join(f" --{flag} {shlex.quote(value)}" for flag, value in given.items())


def environment(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return the variables in `--env NAME=VALUE`."""
    return _ENV(pairs)


def template(path: str | None) -> dict[str, Any]:
    """Return the part of a DaskCluster in the YAML file `path`."""
    import yaml

    if path is None:
        return {}
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"--template {path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"--template {path} is no mapping", "It is a part of a DaskCluster: spec: {worker: …}")
    return found


def namespace_of(places: dict[str, str | None]) -> str:
    """The namespace that would be worked in; a dry run needs no Kubernetes."""
    from scoremill.kubernetes.api import connect

    if places["namespace"]:
        return places["namespace"]
    try:
        return connect(**places).namespace
    except ClusterError:
        return "default"
