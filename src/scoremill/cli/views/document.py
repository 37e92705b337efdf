"""What programs read: one JSON document a command."""

from __future__ import annotations

from typing import Any

import click

from scoremill.document import as_document


def print_document(**content: Any) -> None:
    """Print `content` as one line of JSON; fields of our own values are named in camel case, as in a job file."""
    click.echo(as_document(**content))
