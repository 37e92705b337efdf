"""Start a cluster with what the machine has, keep it while it works, and remove it completely."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cluster import daemon, dask, images, machine, network, nodes, remains, stores
from tests.cluster.places import CLUSTERS, KUBECONFIG, NAME, OWN, State, given_kubeconfig, read_state
from tests.cluster.steps import NoClusterError, alone, step


def up() -> State:
    """Return a cluster that is ready for tests; NoClusterError says why there is none."""
    with alone(CLUSTERS / "lock"):
        given = given_kubeconfig()
        state = _given(given) if given else _kind()
        state.write()
        return state


def down() -> None:
    """Remove all that `up` started: processes, mounts, links, control groups and packet filter rules. Caches stay.

    NoClusterError names what could not be taken away.
    """
    with alone(CLUSTERS / "lock"):
        state = read_state()
        stores.stop_all()
        if state and state.kind and state.docker_host != daemon.HOST:
            nodes.delete(dict(os.environ))
        daemon.stop()
        remains.remove(OWN)
        if left := remains.left(daemon.DAEMON):
            raise NoClusterError("\n  ".join(["could not be taken away:", *left]))


def _given(kubeconfig: Path) -> State:
    if problem := nodes.unready(kubeconfig):
        raise NoClusterError(f"the cluster of {kubeconfig} cannot be used: {problem}")
    dask.check(kubeconfig)
    s3, gcs = _stores(nodes.address_towards(kubeconfig))
    return State(NAME, str(kubeconfig), None, None, s3, gcs, None, images.RUNNER_IMAGE, images.OPERATOR_IMAGE)


def _kind() -> State:
    if _private():
        machine.prepare()
        daemon.start()
        environment, host, node, base = daemon.environment(), daemon.HOST, images.node(), images.base()
    else:
        environment, host, node, base = dict(os.environ), os.environ.get("DOCKER_HOST"), machine.PUBLISHED_NODE, None
    nodes.create(node, environment)
    s3, gcs = _stores(network.gateway(environment))
    runner, operator, dask_operator = images.project(base, environment)
    with step("give them to the nodes", "2 s where they have them, else 40 s"):
        nodes.load([runner, operator, dask_operator], environment)
    dask.install(KUBECONFIG, dask_operator)
    return State(NAME, str(KUBECONFIG), NAME, host, s3, gcs, base, runner, operator)


def _private() -> bool:
    """Return whether a separate Docker daemon is needed; if one runs already, this is not checked again."""
    return daemon.answers() or not machine.docker_that_pulls()


def _stores(host: str) -> tuple[str, str]:
    known = read_state()
    s3 = stores.running("s3", host, known.s3_endpoint if known else None)
    gcs = stores.running("gcs", host, known.gcs_endpoint if known else None)
    return s3.endpoint, gcs.endpoint
