"""Read the log of a job's driver, from its pod, or from the output after the pod is deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from scoremill.errors import ClusterError, ScoremillError, UsageError
from scoremill.naming import LOGS

from .api import Kube
from .job import Job
from .objects import Resource, age, child_of, names

if TYPE_CHECKING:
    from scoremill.storage.filesystem import Store

_POLL = 1.0


def folder(job: Resource) -> str:
    """Return the folder of a ScoringJob's logs in its output; each job on an output has its own."""
    return f"{LOGS}/{child_of(job)}"


def newest(output: Store, job: Resource, attempt: int | None) -> str | None:
    """Return the name of the attempt's last log, or of the last log of any attempt; None if there is none."""
    prefix = f"{folder(job)}/" + ("" if attempt is None else f"{attempt:05d}-")
    return max((info.name for info in output.list(prefix)), default=None)


def log(
    kube: Kube, job: Job, attempt: int | None, tail: int, say: Callable[[str], None], *, follows: bool
) -> Iterator[bytes]:
    """Yield the last lines of the log of the attempt's driver, or of the last one, in pieces.

    If the log is followed, yield new lines until the driver ends. `say` reports if the log is read from the output.
    Raises ClusterError if neither a pod nor the output has the log.
    """
    attempts = job.status.attempt or 0
    if attempt and attempt > attempts:
        hint = f"Choose an attempt from 1 to {attempts}." if attempts else "Wait until its first attempt has started."
        raise UsageError(f"job {job.name} has no attempt {attempt}", hint)
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
    """Return the name of the newest pod of that attempt's driver, or of the last driver."""
    driver = job.status.driver
    if attempt is None and driver and driver.pod and kube.find("Pod", driver.pod):
        return driver.pod
    name = names.driver_name(child_of(job.resource), attempt) if attempt else driver and driver.job
    pods = kube.each("Pod", f"{names.JOB_OF_POD}={name}") if name else ()
    newest = max(pods, key=lambda pod: (-age(pod, job.now), pod.name), default=None)
    return newest.name if newest else None


def _of(kube: Kube, pod: str, tail: int, *, waits: bool) -> str | None:
    """Return the pod's log; if `waits`, wait until there is any."""
    while (text := kube.log(pod, tail)) is None and waits and _can_have_log(kube.find("Pod", pod)):
        time.sleep(_POLL)
    return text


def _can_have_log(pod: Resource | None) -> bool:
    return pod is not None and pod.phase in {None, "Pending", "Running", "Unknown"}


def _kept(
    job: Job, attempt: int | None, tail: int, say: Callable[[str], None], missing: ClusterError
) -> Iterator[bytes]:
    """Yield the last lines of the log in the output; raise `missing` if there is none."""
    from scoremill.storage.filesystem import output_store

    if not job.status.attempt:
        raise missing
    spec = job.spec
    try:
        output = output_store(spec)
        name = newest(output, job.resource, attempt)
        data = output.read(name) if name else b""
    except ScoremillError as error:
        raise ClusterError(
            f"{missing.message}, and could not read its output: {error.message}", error.hint, code="LogNotFound"
        ) from None
    if name is None:
        raise missing
    say(f"note: {missing.message}; reading the log from {output.uri}/{name}")
    yield from data.splitlines(keepends=True)[-tail:]


def _missing(job: Job, attempt: int | None, pod: str | None) -> ClusterError:
    """Return why no pod has the log."""
    see = f"Find out why with `scoremill job why {job.name}`."
    if pod:
        return ClusterError(f"pod {pod} has no log", see, code="LogNotFound")
    if attempt:
        return ClusterError(f"attempt {attempt} of job {job.name} has no pod any more", see, code="LogNotFound")
    when = "any more" if job.status.attempt else "yet"
    return ClusterError(f"job {job.name} has no driver {when}: it is {job.phase}", see, code="LogNotFound")
