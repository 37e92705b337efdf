"""ScoringJobs on Kubernetes, from Python: submit, find, wait for and cancel them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Unpack

from .events import Event, Say, Watcher, say_nothing
from .kubernetes.job import Job, refuse_failed
from .kubernetes.jobs import Ours, follow, seen
from .kubernetes.manifest import asks_the_same, manifest
from .kubernetes.where import Where
from .notebook import html_table
from .spec import ScoringJob, Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from .kubernetes.diagnosis import Cause
    from .report import Report
    from .spec.resources.status import JobStatus

_DELETE_SECONDS = 180.0


@dataclass(frozen=True)
class JobHandle:
    """A ScoringJob on Kubernetes; get one from `submit` or `find_job`.

    Attributes
    ----------
    name, namespace : str
        Name and namespace of the ScoringJob.
    is_new : bool
        Whether `submit` created the job; False if the same job existed already.

    """

    name: str
    namespace: str
    _jobs: Ours = field(repr=False, compare=False)
    is_new: bool = field(default=False, compare=False)

    def _repr_html_(self) -> str:
        return html_table("ScoringJob", {"name": self.name, "namespace": self.namespace})

    def status(self) -> JobStatus:
        """Return the status as it is now.

        Returns
        -------
        JobStatus
            `phase`, `rows`, `progress`, `failure` and more; see docs/reference/status.md. What the operator has not
            written yet is None, `phase` too.

        Raises
        ------
        ClusterError
            If the job was deleted or Kubernetes cannot be reached.

        """
        return self.read().status

    def read(self) -> Job:
        """Return the job as it is now: `phase`, `age` and `output` in addition to the `status`.

        Raises
        ------
        ClusterError
            If the job was deleted or Kubernetes cannot be reached.

        """
        return seen(self._jobs.find(self.name))

    def wait(self, timeout: float | None = None, watchers: Iterable[Watcher] = ()) -> JobStatus:
        """Return the status once the job is complete.

        Parameters
        ----------
        timeout : float, optional
            Seconds; no limit if not given.
        watchers : iterable of callable
            Each is called with every event, such as `scoremill.events.Progress`.

        Returns
        -------
        JobStatus
            `rows` has the rows scored and rejected.

        Raises
        ------
        ScoremillError
            If the job failed: the error that `scoremill.score` would have raised. ClusterError if the job is suspended,
            is deleted, or does not finish within `timeout`; it continues then.

        """
        every = tuple(watchers)

        def watch(event: Event) -> None:
            for watcher in every:
                watcher(event)

        job = follow(self._jobs, self.name, watch, timeout)
        refuse_failed(job)
        return job.status

    def logs(self, *, attempt: int | None = None, tail: int = 1000) -> str:
        """Return the last lines of the log of an attempt's driver.

        Parameters
        ----------
        attempt : int, optional
            Number of the attempt, from 1; by default, the last.
        tail : int
            Number of lines.

        Returns
        -------
        str
            From the pod, or from the job's output if the pod was deleted.

        Raises
        ------
        ClusterError
            If neither has the log.

        """
        pieces = self.stream_logs(attempt=attempt, tail=tail, follow=False)
        return b"".join(pieces).decode(errors="replace")

    def stream_logs(
        self, *, attempt: int | None = None, tail: int = 1000, follow: bool = True, say: Say | None = None
    ) -> Iterator[bytes]:
        """Return the log of an attempt's driver piece by piece, until the driver ends.

        Parameters
        ----------
        attempt, tail : int, optional
            As for `logs`.
        follow : bool
            Whether to wait for what the driver logs from now on.
        say : callable, optional
            Called with each line of news about the log, such as `print`.

        Raises
        ------
        ClusterError
            If neither the pod nor the output has the log.

        """
        from .kubernetes.logs import log

        return iter(log(self._jobs.kube, self.read(), attempt, tail, say or say_nothing, follows=follow))

    def report(self) -> Report:
        """Return the report of the job's output, as `scoremill report` shows it.

        The output is read from this machine, with its credentials.

        Raises
        ------
        UsageError, StorageError
            If there is no output yet, or it cannot be read from this machine.

        """
        from .report import read_report

        spec = self.read().spec
        return read_report(spec.output.uri, spec.output_storage)

    def rejected(self) -> pd.DataFrame:
        """Return the rejected rows of the job's output, as `scoremill.rejected` does.

        The output is read from this machine, with its credentials.
        """
        from .outputs.rejected import rejected

        spec = self.read().spec
        return rejected(spec.output.uri, spec.output_storage)

    def why(self) -> Cause | None:
        """Return the most probable cause of a job that waits or has failed; None if nothing is wrong.

        Returns
        -------
        Cause or None
            `reason`, `evidence` and `hint`.

        """
        from .kubernetes.explain import cause_of

        return cause_of(self._jobs.kube, self.read())

    def suspend(self) -> None:
        """Stop the job so that it holds no resources; completed partitions are kept."""
        self._jobs.suspend(self.name, suspend=True)

    def resume(self) -> None:
        """Continue the job after `suspend`."""
        self._jobs.suspend(self.name, suspend=False)

    def scale(self, workers: int | str | Workers) -> None:
        """Change the number of workers (`8`), or the range that follows the load (`"0:20"`), also while the job runs."""
        self._jobs.scale(self.name, Workers.of(workers))

    def cancel(self, timeout: float = _DELETE_SECONDS, say: Say | None = None) -> bool:
        """Delete the job and its objects on Kubernetes, and return whether it existed.

        The output stays; read it with `scoremill.rejected` and `scoremill.verify`, since this handle can no longer find
        it.

        Parameters
        ----------
        timeout : float
            Seconds to wait.
        say : callable, optional
            Called with each line of news, such as `print`.

        Raises
        ------
        ClusterError
            If the objects still exist after `timeout` seconds.

        """
        return self._jobs.remove(self.name, timeout, say or say_nothing)


def submit(job: ScoringJob, **where: Unpack[Where]) -> JobHandle:
    """Create `job` on Kubernetes, where scoremill's operator runs it.

    Submitting the same job under the same name again returns the handle of the existing job. A job without a name is
    created again each time.

    Parameters
    ----------
    job : ScoringJob
        From `scoremill.job` or `scoremill.load_job`. If it has no name, one is generated.
    **where
        See `Where`; the namespace in the job's metadata comes before that of the context.

    Returns
    -------
    JobHandle
        `is_new` is False if the same job existed already.

    Raises
    ------
    UsageError
        If a path of the job is relative, so that pods cannot have it, or a different job has its name.
    ClusterError
        If Kubernetes cannot be reached, or scoremill's chart is not installed on it.

    Examples
    --------
    >>> handle = scoremill.submit(job, namespace="science")  # doctest: +SKIP
    >>> handle.wait(timeout=3600).rows.scored  # doctest: +SKIP
    200000

    """
    made = manifest_of(job, **where)
    jobs = _jobs({**where, "namespace": made["metadata"].get("namespace")})
    made["metadata"]["namespace"] = jobs.kube.namespace
    is_new = jobs.submit(made, lambda there: asks_the_same(there, made))
    return JobHandle(made["metadata"]["name"], jobs.kube.namespace, jobs, is_new)


def manifest_of(job: ScoringJob, **where: Unpack[Where]) -> dict[str, Any]:
    """Return the ScoringJob that `submit` would create, as a Kubernetes object; nothing is sent.

    Parameters
    ----------
    job : ScoringJob
        From `scoremill.job` or `scoremill.load_job`. If it has no name, one is generated.
    **where
        See `Where`.

    Raises
    ------
    UsageError
        If a path of the job is relative, so that pods cannot have it.

    Examples
    --------
    >>> import scoremill
    >>> job = scoremill.job(name="tips", model="s3://m/tips", input="s3://b/*.csv", output="s3://b/scores")
    >>> scoremill.jobs.manifest_of(job, namespace="science")["metadata"]
    {'name': 'tips', 'namespace': 'science'}

    """
    made = manifest(job)
    if namespace := where.get("namespace") or job.metadata.namespace:
        made["metadata"]["namespace"] = namespace
    return made


def find_job(name: str, **where: Unpack[Where]) -> JobHandle:
    """Return the handle of an existing ScoringJob.

    Parameters
    ----------
    name : str
        Name of the ScoringJob.
    **where
        See `Where`.

    Raises
    ------
    ClusterError
        If it does not exist, naming those that do, or if Kubernetes cannot be reached.

    """
    jobs = _jobs(where)
    jobs.find(name)
    return JobHandle(name, jobs.kube.namespace, jobs)


def cancel(name: str, timeout: float = _DELETE_SECONDS, say: Say | None = None, **where: Unpack[Where]) -> bool:
    """Delete a ScoringJob and its objects, and return whether it existed; its output stays.

    Parameters
    ----------
    name : str
        Name of the ScoringJob.
    timeout : float
        Seconds to wait.
    say : callable, optional
        Called with each line of news, such as `print`.
    **where
        See `Where`.

    Raises
    ------
    ClusterError
        If the objects still exist after `timeout` seconds.

    """
    return _jobs(where).remove(name, timeout, say or say_nothing)


def list(*, all_namespaces: bool = False, **where: Unpack[Where]) -> tuple[Job, ...]:  # noqa: A001 - the command's name
    """Return the ScoringJobs as they are now, by namespace and name; each has `name`, `phase`, `age` and `status`.

    Parameters
    ----------
    all_namespaces : bool
        Whether to list those of every namespace.
    **where
        See `Where`.

    Raises
    ------
    ClusterError
        If Kubernetes cannot be reached, or scoremill's chart is not installed on it.

    """
    return tuple(map(seen, _jobs(where).every(everywhere=all_namespaces)))


def _jobs(where: Where) -> Ours:
    from .kubernetes.api import connect

    return Ours(connect(**where), "ScoringJob")
