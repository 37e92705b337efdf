"""The flags of `scoremill cluster`: which Kubernetes, and what is asked for, as the objects to make."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from scoremill.errors import ClusterError, UsageError
from scoremill.units import MIB, format_bytes, parse_seconds
from scoremill.version import __version__

from ..views.display import echo
from .options import Pairs, bounds

if TYPE_CHECKING:
    from scoremill.kubernetes.objects import Certificates
    from scoremill.spec import Cluster, Credentials, Workers

Command = TypeVar("Command", bound=Callable[..., Any])

_ENV = Pairs("--env", "NAME=VALUE", "first")
_UNTOLD = "<made when the cluster is>"


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
        least, most = bounds(text)
        return Workers(min=least, max=most)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is neither a number of workers such as 4 nor a range such as 0:20"
        ) from None


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
    for flags, text in (
        (("-n", "--namespace"), "Namespace to work in; the context's by default."),
        (("--context",), "Context of the kubeconfig; its current one by default."),
        (("--kubeconfig",), "Kubeconfig file; KUBECONFIG or ~/.kube/config by default."),
    ):
        command = click.option(*flags, help=text)(command)
    return command


def places_of(flags: dict[str, Any]) -> dict[str, str | None]:
    """The values of `place_options`."""
    return {key: flags[key] for key in ("kubeconfig", "context", "namespace")}


def same_place(flags: dict[str, Any]) -> str:
    """What leads a further command to the place that `flags` name, such as ` --namespace science`; mostly nothing."""
    given = {flag: value for flag, value in places_of(flags).items() if value}
    return "".join(f" --{flag} {shlex.quote(value)}" for flag, value in given.items())


LEAST_MEMORY = 512 * MIB
"""Of a worker: Python, pandas, pyarrow and scikit-learn take 300 MiB, the nanny beside it 90."""


def objects(name: str, namespace: str, flags: dict[str, Any], certificates: Certificates) -> list[Any]:
    """The DaskCluster of the flags, and what stands beside it."""
    from scoremill.kubernetes.objects import cluster_objects, dask_cluster, names
    from scoremill.naming import RUNNER

    names.refuse_name(name)
    cluster, credentials = _asked(flags)
    made = dask_cluster(name, namespace, f"{RUNNER}:{__version__}", cluster, credentials)
    return [made, *cluster_objects(name, namespace, flags["workers"], certificates)]


def _asked(flags: dict[str, Any]) -> tuple[Cluster, Credentials]:
    """The spec's cluster and credentials, from flags."""
    from pydantic import ValidationError

    from scoremill.kubernetes.objects import refuse_secrets
    from scoremill.spec import Cluster, Credentials

    env = _ENV(flags["env"])
    refuse_secrets(env)
    fields = {key: flags[key] for key in ("memory", "cpu", "image", "service_account")}
    given = {key: value for key, value in fields.items() if value is not None}
    try:
        cluster = Cluster(**given, env=env, idle_timeout_seconds=int(flags["idle_timeout"]),
                          template=_template(flags["template"])).within(flags["workers"])  # fmt: skip
        credentials = Credentials.model_validate(
            {"secretRef": {"name": flags["secret"]}} if flags["secret"] else {})  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}") from None
    if cluster.memory is not None and cluster.memory < LEAST_MEMORY:
        raise UsageError(f"--memory: a worker needs {format_bytes(LEAST_MEMORY)} before it has read a row")
    return cluster, credentials


def _template(path: str | None) -> dict[str, Any]:
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


def unissued() -> Certificates:
    """Certificates that tell nothing, for a dry run."""
    from scoremill.kubernetes.objects import Certificates

    return Certificates(_UNTOLD, _UNTOLD, _UNTOLD)


def namespace_of(places: dict[str, str | None]) -> str:
    """The namespace that would be worked in; a dry run needs no Kubernetes."""
    from scoremill.kubernetes.client import connect

    if places["namespace"]:
        return places["namespace"]
    try:
        return connect(**places).namespace
    except ClusterError:
        return "default"
