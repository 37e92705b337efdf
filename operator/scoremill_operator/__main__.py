"""Run the operator of ScoringJobs and ScoringSchedules until SIGTERM, or until it loses the leader election."""

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
from scoremill.kubernetes.objects import Network, names
from scoremill.naming import RUNNER

from .log import log_as_json, logger
from .reconcile.desired import check_template
from .reconcile.observed import Key, Object, OperatorSettings
from .reconcile.reconciler import Reconciler
from .run import probes
from .run.counted import connect_counted
from .run.handlers import Handlers
from .run.lease import LeaderLease
from .run.queue import Queue, Resync
from .run.watch import Watch

if TYPE_CHECKING:
    from scoremill.kubernetes.api import Kube

_STOP_SECONDS = 20.0
_KIND_SECONDS = 5.0


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m scoremill_operator", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--namespace", action="append", default=[], help="namespace to watch; can be repeated")
    where.add_argument("--all-namespaces", action="store_true", help="watch all namespaces")
    image = f"{RUNNER}:{scoremill.__version__}"
    parser.add_argument("--image", default=image, help="default image of driver, scheduler and workers")
    parser.add_argument(
        "--driver-resources",
        type=json.loads,
        default={},
        metavar="JSON",
        help="resources merged into the default ones of the driver's container",
    )
    parser.add_argument(
        "--template",
        type=template_of,
        default={},
        metavar="FILE",
        help="YAML file with a part of a DaskCluster, into which each job's template is merged",
    )
    parser.add_argument(
        "--reserved-account",
        action="append",
        default=[],
        metavar="NAMESPACE/NAME",
        help="service account that no job can run as; can be repeated",
    )
    parser.add_argument(
        "--templates",
        choices=["Restricted", "Any"],
        default="Restricted",
        help="whether jobs can set any field of their pods with spec.cluster.template, or only those that grant no rights",
    )
    parser.add_argument(
        "--service-account",
        action="append",
        default=[],
        metavar="NAMESPACE/NAME",
        help="service account that jobs can run as if templates are restricted; can be repeated",
    )
    _add_network(parser)
    parser.add_argument("--lease", default=names.OPERATOR, help="name of the Lease")
    parser.add_argument("--lease-namespace", help="namespace of the Lease; by default the pod's own")
    identity = f"{socket.gethostname()}-{secrets.token_hex(4)}"
    parser.add_argument("--identity", default=identity, help="identity of this process in the Lease")
    parser.add_argument("--workers", type=int, default=4, help="number of objects reconciled concurrently")
    parser.add_argument(
        "--resync", type=float, default=60.0, metavar="SECONDS", help="interval at which every object is reconciled"
    )
    parser.add_argument("--port", type=int, default=8080, help="port of /healthz, /readyz and /metrics")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser.parse_args(arguments)


def _add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--egress",
        type=json.loads,
        metavar="JSON",
        help="egress rules of NetworkPolicies for pods of jobs, in addition to each other and DNS; by default everything "
        "except metadata services and, for workers, the Kubernetes API",
    )
    parser.add_argument("--allow-metadata", action="store_true", help="allow pods of jobs to reach metadata services")
    parser.add_argument(
        "--api-server",
        action="append",
        default=[],
        metavar="CIDR",
        help="address of the Kubernetes API, which workers cannot reach; can be repeated",
    )
    parser.add_argument(
        "--api-server-port",
        action="append",
        default=[],
        type=int,
        metavar="PORT",
        help="port of the Kubernetes API, which drivers can reach; can be repeated; 443 and 6443 by default",
    )
    parser.add_argument("--dask-namespace", metavar="NAMESPACE", help="namespace of dask-kubernetes' operator")


def network_of(asked: argparse.Namespace) -> Network:
    """Return the network settings for pods of jobs."""
    return Network(
        egress=None if asked.egress is None else tuple(asked.egress),
        metadata=asked.allow_metadata,
        api_server=tuple(asked.api_server),
        api_ports=tuple(asked.api_server_port) or Network.api_ports,
        dask_namespace=asked.dask_namespace,
    )


def template_of(path: str) -> Object:
    """Return the template in a YAML file; raise ArgumentTypeError if it is not a part of a DaskCluster."""
    try:
        found: Object = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        check_template(found)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise argparse.ArgumentTypeError(f"could not read {path}: {error}") from None
    except UsageError:
        raise argparse.ArgumentTypeError(f"{path} is not a part of a DaskCluster, as in spec: {{worker: …}}") from None
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 after SIGTERM, 1 if the Lease was lost or a watch failed."""
    asked = options(arguments)
    log_as_json(asked.log_level)
    try:
        kube = connect_counted(asked.lease_namespace)
    except ScoremillError as error:
        logger.error("%s", error)
        return error.exit_code
    lease = LeaderLease(kube, asked.lease, asked.identity)
    # Threads that start before this would receive the signals and end the process.
    stopped = _stopped_by_signals(lease)
    settings = OperatorSettings(
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
    health.register_gauges()
    server = probes.serve(asked.port, health.trouble)
    try:
        logger.info("waiting for the Lease %s as %s", asked.lease, asked.identity)
        _lead(lease, kube, queue, [resync, *watches], stopped)
    except Exception:
        logger.exception("operator failed")
        return 1
    finally:
        server.shutdown()
    return 0


def _lead(
    lease: LeaderLease, kube: Kube, queue: Queue, sources: Sequence[Resync | Watch], stopped: threading.Event
) -> None:
    """Wait for the Lease, then reconcile until `stopped`; `sources` add keys to the queue."""
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


def _stopped_by_signals(lease: LeaderLease) -> threading.Event:
    """Return an Event that SIGTERM and SIGINT set; they also end the wait for the Lease.

    A thread waits for the signals, because a handler could interrupt the main thread while it holds the Event's lock.
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
    """End the process immediately, because another one might be reconciling already."""
    logger.error("lost the Lease")
    logging.shutdown()
    os._exit(1)


def _wait_for_kinds(kube: Kube, stopped: threading.Event) -> bool:
    """Return True once the custom resource definitions exist, or False if the process was stopped."""
    while not stopped.is_set():
        try:
            for kind in ("ScoringJob", "ScoringSchedule"):
                kube.require(kind)
            return True
        except ScoremillError as error:
            logger.warning("waiting for the custom resource definitions: %s", error)
        stopped.wait(_KIND_SECONDS)
    return False


if __name__ == "__main__":
    sys.exit(main())
