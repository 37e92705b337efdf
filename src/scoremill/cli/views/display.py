"""What people read: tables, objects of Kubernetes as YAML or JSON, and what is said on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from scoremill.units import printable


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print `text`, escaped for a terminal."""
    click.echo(printable(in_flags(str(text))), err=err, nl=nl)


def in_flags(text: str) -> str:
    """Return `text` with flags of the running command in place of the fields and arguments that it mentions."""
    from ..flags.mentions import mentions_of

    context = click.get_current_context(silent=True)
    return mentions_of(context.command, context).as_flags(text) if context else text


def table(titles: list[str], rows: Sequence[Sequence[str]]) -> None:
    """Print `rows` below `titles`, or nothing if there are no rows."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in [titles, *rows] if rows else []:
        echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_objects(objects: list[Any], format: str) -> None:
    """Prints objects of Kubernetes as `kubectl apply` takes them, in `yaml` or `json`."""
    import yaml

    if format == "json":
        click.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2))
    else:
        # Through JSON, so that equal parts are written out instead of referred to.
        click.echo(yaml.safe_dump_all(json.loads(json.dumps(objects)), sort_keys=False, width=120), nl=False)


def say(text: str) -> None:
    """Print a message to stderr."""
    echo(text, err=True)
