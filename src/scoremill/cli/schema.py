"""`scoremill schema`."""

from __future__ import annotations

import json

import click

from .views.display import echo


@click.command("schema")
def schema_command() -> None:
    """Print the JSON schema of job files.

    \b
    Example:
      scoremill schema > job.schema.json
    """
    from scoremill.spec import ScoringJob

    echo(json.dumps(ScoringJob.model_json_schema(by_alias=True), indent=2))
