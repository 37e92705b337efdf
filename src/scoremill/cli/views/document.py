"""What programs read: one JSON document a command."""

from __future__ import annotations

from typing import Any

import click

from scoremill.document import as_document

_PRINTED = "scoremill.document"
"""Key of a context's `meta` once a document was printed."""


def print_document(**content: Any) -> None:
    """Print `content` as one line of JSON; fields of our own values are named in camel case, as in a job file."""
    context = click.get_current_context(silent=True)
    if context:
        context.meta[_PRINTED] = True
    click.echo(as_document(**content))


def is_printed(context: click.Context) -> bool:
    """Return whether the command has printed its document."""
    return _PRINTED in context.meta
