"""Resolve `--cluster`: this process, local processes, a scheduler address, or a cluster on Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from scoremill.errors import ClusterError, ScoremillError, UsageError
from scoremill.kubernetes.clusters import Named, certificates_of, named
from scoremill.kubernetes.objects import names
from scoremill.naming import nearest
from scoremill.spec import ScoringJob, Workers
from scoremill.spec.mention import mention_argument


@dataclass(frozen=True)
class SchedulerConnection:
    """Address and certificates for a Dask client."""

    address: str
    security: Any
    workers: Workers


@contextmanager
def connected(at: Named) -> Iterator[SchedulerConnection]:
    """Connect to the scheduler of a cluster through a forwarded port while the context is open."""
    from scoremill.engines.dask.security import security_from

    at.exists()
    certificates = certificates_of(at)
    workers = at.workers()
    if workers is None:
        raise ClusterError(
            f"cluster {at.name} has no workers",
            f"Add workers with `scoremill cluster scale {at.name} 4`.",
            code="NoWorkers",
        )
    with at.forward(names.COMM_PORT) as forward:
        if at.scheduler_pod() is None:
            raise ClusterError(
                f"the scheduler of {at.name} is not ready",
                f"Run `scoremill cluster status {at.name}` to see why.",
                code="ClusterNotReady",
            )
        security = security_from(certificates.ca, certificates.certificate, certificates.key)
        yield SchedulerConnection(f"tls://127.0.0.1:{forward.port}", security, workers)


@dataclass(frozen=True)
class EnginePlace:
    """The arguments of `engine_for`."""

    job: ScoringJob
    address: str
    security: Any = None


@contextmanager
def engine_at(where: str | Named, job: ScoringJob, places: dict[str, str | None]) -> Iterator[EnginePlace]:
    """Resolve `--cluster WHERE` for `job`, and keep the connection while the context is open.

    A name means a cluster on the Kubernetes in `places`, and the job then has the workers of that cluster.
    """
    if isinstance(where, Named):
        with connected(where) as found:
            yield _there(job, found)
        return
    names.refuse_user(where)
    if not names.is_name(where):
        yield EnginePlace(job, where)
        return
    with ExitStack() as stack:
        try:
            found = stack.enter_context(connected(named(where, places)))
        except (ClusterError, UsageError) as error:
            raise _meant(where, error) from None
        yield _there(job, found)


def _there(job: ScoringJob, found: SchedulerConnection) -> EnginePlace:
    spec = job.spec.model_copy(update={"cluster": job.spec.cluster.within(found.workers)})
    return EnginePlace(job.model_copy(update={"spec": spec}), found.address, found.security)


def _meant(where: str, error: ScoremillError) -> ScoremillError:
    """Return `error` with a hint that first suggests an address, or a word that needs no Kubernetes, if one is similar."""
    close = [f"tls://{where}"] if ":" in where else nearest(where, names.RESERVED)
    if not close:
        return error
    hint = " ".join(filter(None, [f"Did you mean {mention_argument('cluster', close[0])}?", error.hint]))
    return type(error)(error.message, hint, error.code)
