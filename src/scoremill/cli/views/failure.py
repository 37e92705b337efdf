"""How the command line prints errors, its own and those of click, in one form."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import click

from scoremill.errors import ScoremillError, UsageError

from .display import echo
from .document import print_document

if TYPE_CHECKING:
    from ..flags.mentions import Mentions


def print_error(error: ScoremillError) -> None:
    """Print the error with its code and hint to stderr."""
    echo(f"error[{error.code}]: {error}", err=True)


def print_error_document(error: ScoremillError) -> None:
    """Print the error as the document of a command with `--json`."""
    print_document(
        error={"code": error.code, "message": error.message, "hint": error.hint, "exitCode": error.exit_code}
    )


def as_shown(error: ScoremillError | click.ClickException, mentions: Mentions) -> ScoremillError:
    """Return the error with the flags of the command in place of the fields and arguments that it mentions."""
    error = from_click(error) if isinstance(error, click.ClickException) else error
    shown = copy(error)
    shown.message, shown.hint = mentions.as_flags(error.message), error.hint and mentions.as_flags(error.hint)
    return shown


def from_click(error: click.ClickException) -> UsageError:
    """Return an error of click as one of scoremill's, with a hint."""
    text = error.message if isinstance(error, click.NoSuchOption) else error.format_message()
    code = "MissingArgument" if isinstance(error, click.MissingParameter) else None
    return UsageError(text[:1].lower() + text[1:].rstrip("."), _hint(error), code)


def _hint(error: click.ClickException) -> str | None:
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        return f"Did you mean {' or '.join(sorted(error.possibilities))}?"
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"See `{context.command_path} --help`." if context else None
