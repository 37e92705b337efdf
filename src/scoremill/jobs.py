"""ScoringJobs on Kubernetes, from Python: submit, find, wait for and cancel them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .events import Event, Watcher, say_nothing
from .kubernetes.job import Job, refuse_failed
from .kubernetes.jobs import Ours, follow, seen
from .kubernetes.manifest import asks_the_same, manifest
from .notebook import html_table
from .spec import ScoringJob, Workers, parse_job

if TYPE_CHECKING:
    import pandas as pd

    from .kubernetes.diagnosis import Cause
    from .report import Report
    from .spec.resources.status import JobStatus

_REMOVE_SECONDS = 180.0


@dataclass(frozen=True)
class JobHandle:
    """A ScoringJob on Kubernetes; get one from `submit` or `find_job`.

    Attributes
    ----------
    name, namespace : str
        Name and namespace of the ScoringJob.

    """

    name: str
    namespace: str
    _jobs: Ours = field(repr=False, compare=False)

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
        return self._seen().status

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
        """Return the last lines of the log of an attempt's driver; of the last attempt if none is given.

        The log comes from the pod, or from the job's output if the pod is gone. Raises ClusterError if neither has it.
        """
        from .kubernetes.logs import log

        pieces = log(self._jobs.kube, self._seen(), attempt, tail, say_nothing, follows=False)
        return b"".join(pieces).decode(errors="replace")

    def report(self) -> Report:
        """Return the report of the job's output, as `scoremill report` shows it.

        The output is read from this machine, with its credentials.
        """
        from .report import build_report
        from .storage.filesystem import Store

        job = self._parsed()
        return build_report(Store(job.spec.output.uri, job.spec.output_storage))

    def rejected(self) -> pd.DataFrame:
        """Return the rejected rows of the job's output, as `scoremill.rejected` does.

        The output is read from this machine, with its credentials.
        """
        from .outputs.rejected import rejected

        job = self._parsed()
        return rejected(job.spec.output.uri, job.spec.output_storage)

    def why(self) -> Cause | None:
        """Return the most probable cause of a job that waits or has failed; None if nothing is wrong."""
        from .kubernetes.explain import cause_of

        return cause_of(self._jobs.kube, self._seen())

    def suspend(self) -> None:
        """Stop the job so that it holds no resources; completed partitions are kept."""
        self._jobs.suspend(self.name, suspend=True)

    def resume(self) -> None:
        """Continue the job after `suspend`."""
        self._jobs.suspend(self.name, suspend=False)

    def scale(self, workers: int | str | Workers) -> None:
        """Change the number of workers (`8`), or the range that follows the load (`"0:20"`), also while the job runs."""
        self._jobs.scale(self.name, Workers.of(workers))

    def cancel(self, timeout: float = _REMOVE_SECONDS) -> bool:
        """Delete the job and its objects on Kubernetes, and return whether it existed.

        The output stays; read it with `scoremill.rejected` and `scoremill.verify`, since this handle can no longer find
        it. Raises ClusterError if the objects still exist after `timeout` seconds.
        """
        return self._jobs.remove(self.name, timeout, say_nothing)

    def _seen(self) -> Job:
        return seen(self._jobs.find(self.name))

    def _parsed(self) -> ScoringJob:
        return parse_job(self._jobs.find(self.name), f"ScoringJob {self.name}")


def submit(
    job: ScoringJob, *, namespace: str | None = None, context: str | None = None, kubeconfig: str | None = None
) -> JobHandle:
    """Create `job` on Kubernetes, where scoremill's operator runs it.

    Submitting the same job under the same name again returns the handle of the existing job. A job without a name is
    created again each time.

    Parameters
    ----------
    job : ScoringJob
        From `scoremill.job` or `scoremill.load_job`. If it has no name, one is generated.
    namespace : str, optional
        By default, the namespace in the job's metadata, else that of the context.
    context, kubeconfig : str, optional
        By default, the current context of `KUBECONFIG` or `~/.kube/config`.

    Returns
    -------
    JobHandle

    Raises
    ------
    UsageError
        If a path of the job is relative, so that pods cannot have it, or a different job has its name.
    ClusterError
        If Kubernetes cannot be reached, or scoremill's chart is not installed on it.

    """
    made = manifest(job)
    jobs = _jobs(namespace or job.metadata.namespace, context, kubeconfig)
    made["metadata"]["namespace"] = jobs.kube.namespace
    jobs.submit(made, lambda there: asks_the_same(there, made))
    return JobHandle(made["metadata"]["name"], jobs.kube.namespace, jobs)


def find_job(
    name: str, *, namespace: str | None = None, context: str | None = None, kubeconfig: str | None = None
) -> JobHandle:
    """Return the handle of an existing ScoringJob.

    Parameters
    ----------
    name : str
        Name of the ScoringJob.
    namespace, context, kubeconfig : str, optional
        Where to look for it; by default, the current context and its namespace.

    Raises
    ------
    ClusterError
        If it does not exist, naming those that do, or if Kubernetes cannot be reached.

    """
    jobs = _jobs(namespace, context, kubeconfig)
    jobs.find(name)
    return JobHandle(name, jobs.kube.namespace, jobs)


def list(  # noqa: A001 - the name of the command
    *,
    all_namespaces: bool = False,
    namespace: str | None = None,
    context: str | None = None,
    kubeconfig: str | None = None,
) -> tuple[Job, ...]:
    """Return the ScoringJobs as they are now, by namespace and name; each has `name`, `phase`, `age` and `status`.

    Parameters
    ----------
    all_namespaces : bool
        Whether to list those of every namespace.
    namespace, context, kubeconfig : str, optional
        Where to look; by default, the current context and its namespace.

    Raises
    ------
    ClusterError
        If Kubernetes cannot be reached, or scoremill's chart is not installed on it.

    """
    return tuple(map(seen, _jobs(namespace, context, kubeconfig).every(everywhere=all_namespaces)))


def _jobs(namespace: str | None, context: str | None, kubeconfig: str | None) -> Ours:
    from .kubernetes.client import connect

    return Ours(connect(kubeconfig, context, namespace), "ScoringJob")
