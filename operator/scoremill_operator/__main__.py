"""`python -m scoremill_operator`: probes, then the Lease, then the watches, until SIGTERM or the loss of the Lease."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

import scoremill
from scoremill.errors import ScoremillError, UsageError
from scoremill.kubernetes.objects import Network
from scoremill.naming import RUNNER

from .log import log_as_json, logger
from .reconcile.desired import check_template
from .reconcile.observed import Key, Object, Settings
from .reconcile.reconciler import Reconciler
from .run import probes
from .run.counted import connect_counted
from .run.handlers import Handlers
from .run.lease import Lease
from .run.queue import Queue, Resync
from .run.watch import Watch

if TYPE_CHECKING:
    from scoremill.kubernetes.client import Kube

_STOP_SECONDS = 20.0
_KIND_SECONDS = 5.0


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m scoremill_operator", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--namespace", action="append", default=[], help="a namespace to look after; may be repeated")
    where.add_argument("--all-namespaces", action="store_true", help="look after all namespaces")
    image = f"{RUNNER}:{scoremill.__version__}"
    parser.add_argument("--image", default=image, help="of driver, scheduler and workers where a job names none")
    parser.add_argument(
        "--driver-resources", type=json.loads, default={}, metavar="JSON", help="laid over those of the driver"
    )
    parser.add_argument(
        "--template",
        type=template_of,
        default={},
        metavar="FILE",
        help="YAML file laid under what each job says of its DaskCluster",
    )
    parser.add_argument(
        "--reserved-account",
        action="append",
        default=[],
        metavar="NAMESPACE/NAME",
        help="a service account that no job may run as; may be repeated",
    )
    parser.add_argument(
        "--templates",
        choices=["Restricted", "Any"],
        default="Restricted",
        help="whether jobs may set any field of the pods by spec.cluster.template, or only those that give no rights",
    )
    parser.add_argument(
        "--service-account",
        action="append",
        default=[],
        metavar="NAMESPACE/NAME",
        help="a service account that jobs may run as if templates are restricted; may be repeated",
    )
    _add_network(parser)
    parser.add_argument("--lease", default="scoremill-operator", help="name of the Lease")
    parser.add_argument("--lease-namespace", help="its namespace; the pod's own where it is not given")
    parser.add_argument("--identity", default=f"{socket.gethostname()}-{secrets.token_hex(4)}", help="who holds it")
    parser.add_argument("--workers", type=int, default=4, help="objects that are looked at at once")
    parser.add_argument("--resync", type=float, default=60.0, metavar="SECONDS", help="between two looks at each")
    parser.add_argument("--port", type=int, default=8080, help="of /healthz, /readyz and /metrics")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser.parse_args(arguments)


def _add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--egress",
        type=json.loads,
        metavar="JSON",
        help="rules of a NetworkPolicy's egress: what pods of jobs reach besides each other and DNS; by default "
        "everything but metadata services, and the Kubernetes API from workers",
    )
    parser.add_argument("--allow-metadata", action="store_true", help="let pods of jobs reach metadata services")
    parser.add_argument(
        "--api-server",
        action="append",
        default=[],
        metavar="CIDR",
        help="address of the Kubernetes API, which workers do not reach; may be repeated",
    )
    parser.add_argument(
        "--api-server-port",
        action="append",
        default=[],
        type=int,
        metavar="PORT",
        help="port of the Kubernetes API, which drivers reach; may be repeated; 443 and 6443 by default",
    )
    parser.add_argument("--dask-namespace", metavar="NAMESPACE", help="namespace of dask-kubernetes' operator")


def network_of(asked: argparse.Namespace) -> Network:
    """Return what the command line says about the network of jobs."""
    return Network(
        egress=None if asked.egress is None else tuple(asked.egress),
        metadata=asked.allow_metadata,
        api_server=tuple(asked.api_server),
        api_ports=tuple(asked.api_server_port) or Network.api_ports,
        dask_namespace=asked.dask_namespace,
    )


def template_of(path: str) -> Object:
    """The template in a YAML file; ArgumentTypeError where it is none, so that no job is blamed for it."""
    try:
        found: Object = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        check_template(found)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be read: {error}") from None
    except UsageError:
        raise argparse.ArgumentTypeError(f"{path} is no part of a DaskCluster: spec: {{worker: …}}") from None
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 after SIGTERM, 1 where the Lease was lost or a watch failed."""
    asked = options(arguments)
    log_as_json(asked.log_level)
    try:
        kube = connect_counted(asked.lease_namespace)
    except ScoremillError as error:
        logger.error("%s", error)
        return error.exit_code
    lease = Lease(kube, asked.lease, asked.identity)
    # Threads that are started before this would take the signals, and end the process.
    stopped = _stopped_by_signals(lease)
    settings = Settings(
        image=asked.image,
        driver_resources=asked.driver_resources,
        template=asked.template,
        reserved=frozenset(asked.reserved_account),
        templates=asked.templates,
        accounts=frozenset(asked.service_account),
        network=network_of(asked),
    )
    reconciler = Reconciler(kube, settings)
    queue = Queue(reconciler, workers=asked.workers)

    def known() -> list[Key]:
        until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=asked.resync)
        return [key for key, _, is_due in reconciler.known(asked.namespace, until) if is_due]

    resync = Resync(queue, known, asked.resync)
    watches = Handlers(queue.add, reconciler).watches(kube, asked.namespace)
    health = probes.Health(lease, queue, resync, watches)
    health.tell()
    server = probes.serve(asked.port, health.trouble)
    try:
        logger.info("waits for the Lease %s as %s", asked.lease, asked.identity)
        _lead(lease, kube, queue, [resync, *watches], stopped)
    except Exception:
        logger.exception("ends")
        return 1
    finally:
        server.shutdown()
    return 0


def _lead(lease: Lease, kube: Kube, queue: Queue, sources: Sequence[Resync | Watch], stopped: threading.Event) -> None:
    """Waits for the Lease, then works until `stopped`; `sources` add keys to the queue."""
    if not lease.acquire():
        return
    lease.keep(_end)
    try:
        if _wait_for_kinds(kube, stopped):
            queue.start()
            for each in sources:
                each.start()
            stopped.wait()
    finally:
        for each in sources:
            each.stop()
        if queue.stop(_STOP_SECONDS):
            lease.release()


def _stopped_by_signals(lease: Lease) -> threading.Event:
    """An Event that SIGTERM and SIGINT set; they end the wait for the Lease too.

    A thread waits for them: a handler would run in the main thread, and could find it inside the very lock of the Event.
    """
    stopped, signals = threading.Event(), {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def wait() -> None:
        signal.sigwait(signals)
        stopped.set()
        lease.stop()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    return stopped


def _end() -> None:
    """Ends the process at once: another may act now, and what goes on here must not."""
    logger.error("the Lease is lost")
    logging.shutdown()
    os._exit(1)


def _wait_for_kinds(kube: Kube, stopped: threading.Event) -> bool:
    """Whether our kinds are there now; False if the process is to end."""
    while not stopped.is_set():
        try:
            for kind in ("ScoringJob", "ScoringSchedule"):
                kube.require(kind)
            return True
        except ScoremillError as error:
            logger.warning("waits: %s", error)
        stopped.wait(_KIND_SECONDS)
    return False


if __name__ == "__main__":
    sys.exit(main())
