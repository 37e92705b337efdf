"""Find problems with an output before a worker starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from scoremill.bundle import open_bundle
from scoremill.discovery import Problem, discover
from scoremill.errors import ScoremillError
from scoremill.ledger import Ledger, refuse_held
from scoremill.planning import Plan
from scoremill.spec import JobSpec, ScoringJob
from scoremill.storage.filesystem import output_store

from .prepare import absolute_spec
from .resume import refuse_foreign_objects, refuse_other_plan


def output_problems(
    spec: JobSpec, plan: Plan | None, uid: str | None = None, *, waits: bool = False
) -> Iterator[Problem]:
    """Yield the problems with the output of a job: it cannot be written, holds something else, or is locked.

    If there is a `plan`, it must be able to continue the plan of an earlier run. Earlier attempts of the ScoringJob on
    Kubernetes with this `uid` are no problem, and neither is a lock for a run that `waits`.
    """
    uri, mode = spec.output.uri, spec.output.mode
    ledger = Ledger(output_store(spec))
    if (found := _found(uri, ledger.store.probe)) is not None:
        yield found
        return
    if (held := _found(uri, lambda: refuse_held(ledger.store))) is not None:
        # The other run changes the output during these checks; a run that waits repeats them when it has the lease.
        yield from [] if waits else [held]
        return
    checks: list[Callable[[], None]] = [lambda: refuse_foreign_objects(ledger, mode, uid)]
    if plan is not None:
        checks.append(lambda: refuse_other_plan(ledger, plan, spec, uid))
    yield from filter(None, (_found(uri, check) for check in checks))


def problems_without_plan(job: ScoringJob, error: ScoremillError, *, writes: bool) -> Iterator[Problem]:
    """Yield `error`, because of which `job` could not be planned, and problems with the other places that it names."""
    spec = absolute_spec(job.spec)
    yield Problem.of(error, "")
    bundle = _found(spec.model.uri, lambda: open_bundle(spec.model, spec.model_storage))
    source = _found(spec.input.uris[0], lambda: discover(spec.input, spec.input_storage))
    for problem in (bundle, source):
        if problem is not None and problem.message != error.message:
            yield problem
    if writes:
        yield from output_problems(spec, None)


def _found(where: str, check: Callable[[], object]) -> Problem | None:
    try:
        check()
    except ScoremillError as error:
        return Problem.of(error, where)
    return None
