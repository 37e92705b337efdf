"""ScoringSchedules on Kubernetes, from Python: submit, list, suspend, resume, run and delete them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import yaml
from pydantic import ValidationError

from .errors import UsageError
from .events import Say, say_nothing
from .kubernetes.manifest import manifest, refuse_unreachable
from .kubernetes.objects.scheduled import problem_of
from .kubernetes.where import Where
from .spec import API_VERSION, ScoringJob, read_yaml
from .spec.resources.schedule import ScoringSchedule

if TYPE_CHECKING:
    from .kubernetes.jobs import Ours

Object = dict[str, Any]
_DELETE_SECONDS = 180.0


def submit(schedule: Object, **where: Unpack[Where]) -> bool:
    """Create a ScoringSchedule, and return whether it is new.

    Parameters
    ----------
    schedule : dict
        From `made_of`, or the content of its file.
    **where
        See `Where`.

    Raises
    ------
    UsageError
        If a field is wrong, or a different schedule has its name.
    ClusterError
        If Kubernetes cannot be reached, or scoremill's chart is not installed on it.

    """
    made = checked(schedule, "schedule")
    schedules = _schedules(where)
    made["metadata"] = {**made["metadata"], "namespace": schedules.kube.namespace}
    return schedules.submit(made, lambda there: asks_the_same(there, made))


def made_of(job: ScoringJob, schedule: str, **spec: Any) -> Object:
    """Return the ScoringSchedule that runs `job` at the times of `schedule`.

    Parameters
    ----------
    job : ScoringJob
        From `scoremill.job`; the schedule has its name.
    schedule : str
        Five fields of cron, or `@daily` and the like.
    **spec
        Other fields of the schedule, such as `timeZone="Europe/Vienna"`, `concurrencyPolicy` and `lookBackSeconds`.

    Raises
    ------
    UsageError
        If the job has no name, a field is wrong, or a path of the job is relative.

    Examples
    --------
    >>> import scoremill
    >>> job = scoremill.job(name="nightly", model="s3://m/tips", input="s3://b/*.csv", output="s3://b/scores")
    >>> scoremill.schedules.made_of(job, "0 3 * * *")["spec"]["schedule"]
    '0 3 * * *'

    """
    if "name" not in job.metadata.model_fields_set:
        raise UsageError(
            "missing `metadata.name`", "A schedule has a name, and its jobs begin with it.", code="MissingArgument"
        )
    return schedule_of(manifest(job), {"schedule": schedule, **spec})


def list(*, all_namespaces: bool = False, **where: Unpack[Where]) -> tuple[Object, ...]:  # noqa: A001 - the command's name
    """Return the ScoringSchedules as Kubernetes has them, by namespace and name.

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
    return tuple(_schedules(where).every(everywhere=all_namespaces))


def find(name: str, **where: Unpack[Where]) -> Object:
    """Return a ScoringSchedule with its status, as Kubernetes has it.

    Parameters
    ----------
    name : str
        Name of the schedule.
    **where
        See `Where`.

    Raises
    ------
    ClusterError
        If it does not exist, naming those that do.

    """
    return _schedules(where).find(name)


def suspend(name: str, **where: Unpack[Where]) -> None:
    """Start no further runs of a schedule; those that were started continue.

    Parameters
    ----------
    name : str
        Name of the schedule.
    **where
        See `Where`.

    Raises
    ------
    ClusterError
        If it does not exist.

    """
    _schedules(where).suspend(name, suspend=True)


def resume(name: str, **where: Unpack[Where]) -> None:
    """Start runs of a suspended schedule again.

    Parameters
    ----------
    name : str
        Name of the schedule.
    **where
        See `Where`.

    Raises
    ------
    ClusterError
        If it does not exist.

    """
    _schedules(where).suspend(name, suspend=False)


def run(name: str, since: datetime | None = None, **where: Unpack[Where]) -> str:
    """Create a job of a schedule now, and return its name; `scoremill.find_job` finds it.

    Parameters
    ----------
    name : str
        Name of the schedule.
    since : datetime, optional
        Takes objects modified from then on, if the schedule has `since: LastSuccess`.
    **where
        See `Where`.

    Raises
    ------
    ClusterError
        If the schedule does not exist, or a run is active and the schedule does not allow a second one.

    """
    from .kubernetes.schedules import run_now

    return run_now(_schedules(where), name, since)


def delete(name: str, timeout: float = _DELETE_SECONDS, say: Say | None = None, **where: Unpack[Where]) -> bool:
    """Delete a schedule and its jobs, and return whether it existed; the outputs stay.

    Parameters
    ----------
    name : str
        Name of the schedule.
    timeout : float
        Seconds to wait.
    say : callable, optional
        Called with each line of news, such as `print`.
    **where
        See `Where`.

    Raises
    ------
    ClusterError
        If it still exists after `timeout` seconds.

    """
    return _schedules(where).remove(name, timeout, say or say_nothing)


def _schedules(where: Where) -> Ours:
    from .kubernetes.api import connect
    from .kubernetes.jobs import Ours

    return Ours(connect(**where), "ScoringSchedule")


def is_schedule(path: str | None) -> bool:
    """Return whether the file at `path` holds a ScoringSchedule."""
    if path is None or not Path(path).is_file():
        return False
    try:
        found = read_yaml(Path(path).read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return False
    return isinstance(found, dict) and found.get("kind") == "ScoringSchedule"


def read_schedule(path: str) -> Object:
    """Return the ScoringSchedule in the file at `path`, ready to be created."""
    found: Object = read_yaml(Path(path).read_text(encoding="utf-8-sig"))
    return checked(found, path)


def schedule_of(job: Object, spec: Object) -> Object:
    """The ScoringSchedule that makes jobs as `job`, a ScoringJob, is, with its name and labels."""
    described = {key: job["metadata"][key] for key in ("labels", "annotations") if key in job["metadata"]}
    template = ({"metadata": described} if described else {}) | {"spec": job["spec"]}
    made = {"apiVersion": API_VERSION, "kind": "ScoringSchedule", "metadata": job["metadata"]}
    return checked({**made, "spec": {**spec, "jobTemplate": template}}, "flags")


def checked(made: Object, source: str) -> Object:
    """`made`, without a status; UsageError that lists what is wrong with it."""
    try:
        spec = ScoringSchedule.model_validate(made).spec
    except ValidationError as error:
        problems = [f"{source}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise UsageError("\n".join(problems), "docs/reference/job.md lists all fields.", code="InvalidJob") from None
    if problem := problem_of(spec):
        raise UsageError(f"{source}: {problem}", code="InvalidJob")
    refuse_unreachable(spec.job_template.spec)
    return {key: value for key, value in made.items() if key != "status"}


def asks_the_same(one: Object, other: Object) -> bool:
    """Return whether two ScoringSchedules are the same, apart from written defaults and `suspend`."""
    asked = [ScoringSchedule.model_validate(each).spec.model_copy(update={"suspend": False}) for each in (one, other)]
    return asked[0] == asked[1]
