"""`scoremill explain`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from .views.display import echo, table
from .views.document import print_document

if TYPE_CHECKING:
    from scoremill.errors.registry import ErrorCode


@click.command("explain")
@click.argument("code", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def explain_command(code: str | None, as_json: bool) -> None:
    """Explain an error code, or list all error codes.

    \b
    Example:
      scoremill explain OutputExists
    """
    from scoremill.errors.registry import error_codes, explain

    entries = [explain(code)] if code else list(error_codes().values())
    if as_json:
        print_document(codes=entries)
    elif code:
        echo("\n".join(_lines(entries[0])))
    else:
        table(
            ["CODE", "EXIT", "CAUSE"],
            [[entry.code, str(entry.exit_code), entry.cause.partition(". ")[0].rstrip(".")] for entry in entries],
        )


def _lines(entry: ErrorCode) -> Iterator[str]:
    from .flags.mentions import Mentions
    from .score import score_command

    mentions = Mentions(score_command.params)
    yield f"{entry.code} (exit code {entry.exit_code})"
    yield ""
    yield mentions.as_flags(entry.cause)
    yield ""
    yield f"  error[{entry.code}]: {entry.example}"
    yield ""
    yield f"What to do: {mentions.as_flags(entry.fix)}"
