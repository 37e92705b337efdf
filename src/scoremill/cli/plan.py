"""`scoremill plan`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from scoremill.units import format_bytes, format_seconds

from .options import job_from, job_options


@click.command("plan")
@job_options
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan_command(job: str | None, as_json: bool, **flags: Any) -> None:
    """Show partitions, bytes, estimates and every problem, before any worker starts.

    \b
    Example:
      scoremill plan --model bundle/ --input 's3://b/2009/*.csv' --output s3://b/scores/
    """
    from scoremill.execute.estimate import estimate
    from scoremill.execute.prepare import prepare, refuse_problems

    parsed = job_from(job, flags, writes=False)
    prepared = prepare(parsed)
    plan = prepared.plan
    expected = None if plan.errors else estimate(prepared)
    if as_json:
        click.echo(json.dumps({
            "version": 1, "partitions": len(plan), "objects": len(plan.sources), "bytes": plan.bytes,
            "estimatedRows": plan.estimated_rows, "estimate": asdict(expected) if expected else None,
            "method": plan.settings.method, "bundle": plan.settings.bundle,
            "keep": [asdict(column) for column in plan.settings.keep],
            "problems": [asdict(problem) for problem in plan.problems],
        }))  # fmt: skip
    else:
        lines = [
            f"model       {prepared.bundle.model_class}.{plan.settings.method}, {prepared.bundle.digest[:19]}…",
            f"input       {len(plan.sources):,} objects, {format_bytes(plan.bytes)}, about {plan.estimated_rows:,} rows",
            f"partitions  {len(plan):,}",
            f"columns     {', '.join(column.name for column in prepared.bundle.columns)}",
            *(
                [f"keep        {', '.join(f'{c.name} ({c.dtype})' for c in plan.settings.keep)}"]
                * bool(plan.settings.keep)
            ),
        ]
        if expected:
            lines += [
                f"time        about {format_seconds(expected.seconds)} with {expected.workers} workers, measured on "
                f"{expected.sampled_rows:,} rows",
                f"memory      about {format_bytes(expected.worker_bytes)} a worker",
            ]
        click.echo("\n".join(lines))
        for problem in plan.problems:
            if problem.severity == "warning":
                click.echo(str(problem), err=True)
    refuse_problems(plan)
