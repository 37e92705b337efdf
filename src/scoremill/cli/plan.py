"""`scoremill plan`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from scoremill.document import plain
from scoremill.errors import ScoremillError
from scoremill.units import counted, format_bytes, format_seconds, quoted

from .app import STARTED
from .flags.options import is_written, job_from, job_options
from .flags.sections import Sectioned
from .views.display import echo, in_flags
from .views.document import print_document

if TYPE_CHECKING:
    from scoremill.discovery import Problem
    from scoremill.execute.coordinator.estimate import Estimate
    from scoremill.execute.coordinator.prepare import Prepared
    from scoremill.planning import Match
    from scoremill.spec import ScoringJob


@click.command("plan", cls=Sectioned)
@job_options
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan_command(job: str | None, as_json: bool, **flags: Any) -> None:
    """Show the partitions, sizes, estimates, and problems of a job without starting a worker.

    \b
    Example:
      scoremill plan --model bundle/ --input 's3://b/2009/*.csv' --output s3://b/scores/
    """
    from scoremill.execute.coordinator.output_checks import output_problems
    from scoremill.execute.coordinator.prepare import refuse

    parsed = job_from(job, flags, writes=False)
    prepared = _prepared(parsed)
    from scoremill.execute.coordinator.estimate import estimate, memory_problem

    plan = prepared.plan
    errors = [*plan.errors, *(output_problems(prepared.job, plan) if is_written(parsed) else ())]
    expected = None if plan.errors else estimate(prepared, time.monotonic() - STARTED)
    warnings = [problem for problem in plan.problems if problem.severity == "warning"]
    if expected and (memory := memory_problem(prepared, expected.row_bytes)):
        warnings.append(memory)
    if as_json:
        _print_document(prepared, expected, [*errors, *warnings])
    else:
        echo("\n".join(_lines(prepared, expected)))
        for warning in warnings:
            echo(str(warning), err=True)
    refuse(errors)


def _prepared(job: ScoringJob) -> Prepared:
    """The job with its plan; if it cannot be planned, the error names what else is wrong with it too."""
    from scoremill.execute.coordinator.output_checks import problems_without_plan
    from scoremill.execute.coordinator.prepare import prepare, refuse

    try:
        return prepare(job)
    except ScoremillError as error:
        found = list(problems_without_plan(job, error, writes=is_written(job)))
        if len(found) == 1:
            raise
        refuse(found)
        raise


def _print_document(prepared: Prepared, expected: Estimate | None, problems: list[Problem]) -> None:
    plan = prepared.plan
    print_document(
        partitions=len(plan),
        objects=len(plan.sources),
        bytes=plan.bytes,
        estimatedRows=plan.estimated_rows,
        estimate=expected,
        method=plan.settings.method,
        bundle=plan.settings.bundle,
        keep=plan.settings.keep,
        match=_match(prepared),
        excluded=plan.excluded,
        problems=[_fields(problem) for problem in problems],
    )


def _fields(problem: Problem) -> dict[str, Any]:
    """A problem as JSON has it."""
    texts = {name: in_flags(text) for name, text in plain(problem).items() if name != "error"}
    return {**texts, "exitCode": problem.error.exit_code}


def _match(prepared: Prepared) -> Match:
    from scoremill.planning import match_columns

    return match_columns(prepared.plan, [column.name for column in prepared.bundle.columns])


def _lines(prepared: Prepared, expected: Estimate | None) -> Iterator[str]:
    plan, match = prepared.plan, _match(prepared)
    yield f"model       {prepared.bundle.model_class}.{plan.settings.method}, {prepared.bundle.digest[:19]}…"
    yield (
        f"input       {counted(len(plan.sources), 'object')}, {format_bytes(plan.bytes)}, about {plan.estimated_rows:,} rows"
    )
    for text in plan.excluded.described():
        yield f"excluded    {text}"
    yield f"partitions  {len(plan):,}"
    yield f"columns     {', '.join(column.name for column in prepared.bundle.columns)}"
    if plan.settings.keep:
        yield f"keep        {', '.join(f'{column.name} ({column.type})' for column in plan.settings.keep)}"
    if match.renamed:
        renamed = [f"{quoted(old)} is {quoted(new)}" for old, new in match.renamed.items()]
        yield f"renamed     {', '.join(renamed[:_MANY])}{', …' * (len(renamed) > _MANY)}"
    if match.surplus:
        yield f"not read    {', '.join(match.surplus[:_MANY])}{', …' * (len(match.surplus) > _MANY)}"
    if match.reordered:
        yield (
            f"by name     in {len(match.reordered):,} of {len(plan.headers):,} sampled objects the columns stand in "
            "another order than in training"
        )
    if expected:
        yield (
            f"time        about {_about(expected.seconds)} with {counted(expected.workers, 'process', 'processes')}, of which "
            f"{_about(expected.startup_seconds)} start-up; measured on {expected.sampled_rows:,} rows"
        )
        yield f"memory      about {format_bytes(expected.worker_bytes)} a worker"


def _about(seconds: float) -> str:
    """A duration without digits that nobody can know."""
    return f"{seconds:.0f} s" if 1 <= seconds < 60 else format_seconds(seconds)


_MANY = 20
"""Columns named in a line."""
