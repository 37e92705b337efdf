"""What people read: tables, objects of Kubernetes as YAML or JSON, and what is said on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click


def table(titles: list[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints `rows` below `titles`; nothing where there are none."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in [titles, *rows] if rows else []:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_objects(objects: list[Any], format: str) -> None:
    """Prints objects of Kubernetes as `kubectl apply` takes them, in `yaml` or `json`."""
    import yaml

    if format == "json":
        click.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2))
    else:
        # Through JSON, so that equal parts are written out instead of referred to.
        click.echo(yaml.safe_dump_all(json.loads(json.dumps(objects)), sort_keys=False, width=120), nl=False)


def say(text: str) -> None:
    """Tells something on stderr."""
    click.echo(text, err=True)
