"""What a job's driver has logged: from its pod, or from the output where that is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from scoremill.errors import ClusterError, ScoremillError, UsageError
from scoremill.naming import LOGS

from .client import Kube, Object
from .job import Job
from .objects import Resource, age, child_of, names

if TYPE_CHECKING:
    from scoremill.storage.filesystem import Store

_POLL = 1.0


def folder(job: Resource) -> str:
    """Where, in its output, the logs of a ScoringJob lie: two jobs on one output have a folder each."""
    return f"{LOGS}/{child_of(job)}"


def newest(output: Store, job: Resource, attempt: int | None) -> str | None:
    """The name of the last log of that attempt, or of the last one that left any; None where none is there."""
    prefix = f"{folder(job)}/" + ("" if attempt is None else f"{attempt:05d}-")
    return max((info.name for info in output.list(prefix)), default=None)


def log(
    kube: Kube, job: Job, attempt: int | None, tail: int, say: Callable[[str], None], *, follows: bool
) -> Iterator[bytes]:
    """The last lines of the log of that attempt's driver, or the last one's, in pieces; says where they are from.

    Where it is followed, also what comes until the driver ends. ClusterError where neither a pod nor the output has it.
    """
    if attempt and attempt > (job.status.attempt or 0):
        raise UsageError(f"job {job.name} has had no attempt {attempt}: {job.phase}, attempt {job.status.attempt or 0}")
    try:
        pod = _pod(kube, job, attempt)
        text = _of(kube, pod, tail, waits=follows) if pod else None
        missing = _missing(job, attempt, pod)
    except ClusterError as error:
        pod, text, missing = None, None, error
    if text is not None and pod and follows:
        yield from kube.follow_log(pod, tail)
    elif text is not None:
        yield text.encode()
    else:
        yield from _kept(job, attempt, tail, say, missing)


def _pod(kube: Kube, job: Job, attempt: int | None) -> str | None:
    """The newest pod of that attempt's driver, or of the last one."""
    driver = job.status.driver
    if attempt is None and driver and driver.pod and kube.get("Pod", driver.pod) is not None:
        return driver.pod
    name = names.driver_name(child_of(job.resource), attempt) if attempt else driver and driver.job
    pods = kube.select("Pod", f"{names.JOB_OF_POD}={name}") if name else []
    newest = max(map(Resource.of, pods), key=lambda pod: (-age(pod, job.now), pod.name), default=None)
    return newest.name if newest else None


def _of(kube: Kube, pod: str, tail: int, *, waits: bool) -> str | None:
    """The pod's log, once it has any if that is waited for."""
    while (text := kube.log(pod, tail)) is None and waits and _may_log(kube.get("Pod", pod)):
        time.sleep(_POLL)
    return text


def _may_log(pod: Object | None) -> bool:
    return pod is not None and Resource.of(pod).phase in {None, "Pending", "Running", "Unknown"}


def _kept(
    job: Job, attempt: int | None, tail: int, say: Callable[[str], None], missing: ClusterError
) -> Iterator[bytes]:
    """The same from the output; the error `missing` where it has none."""
    from scoremill.storage.filesystem import Store

    if not job.status.attempt:
        raise missing
    spec = job.spec
    try:
        output = Store(spec.output.uri, spec.output_storage)
        name = newest(output, job.resource, attempt)
        data = output.read(name) if name else b""
    except ScoremillError as error:
        raise ClusterError(f"{missing.message}; nor can its output be read here: {error.message}", error.hint) from None
    if name is None:
        raise missing
    say(f"note: {missing.message}; this is from {output.uri}/{name}")
    yield from data.splitlines(keepends=True)[-tail:]


def _missing(job: Job, attempt: int | None, pod: str | None) -> ClusterError:
    """Why there is nothing to be had from a pod."""
    see = f"See scoremill job why {job.name}"
    if pod:
        return ClusterError(f"pod {pod} has no log", see)
    if attempt:
        return ClusterError(f"attempt {attempt} of job {job.name} has no pod any more", see)
    when = "any more" if job.status.attempt else "yet"
    return ClusterError(f"job {job.name} has no driver {when}: it is {job.phase}", see)
