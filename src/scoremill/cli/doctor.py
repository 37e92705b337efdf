"""`scoremill doctor`."""

from __future__ import annotations

import click

from scoremill.environment import doctor

from .views.display import echo
from .views.document import print_document


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor_command(as_json: bool) -> int:
    """Check this environment and suggest fixes. Exits with 2 if something required is missing.

    \b
    Example:
      scoremill doctor
    """
    found = doctor()
    if as_json:
        print_document(findings=found)
    else:
        for finding in found:
            echo(f"{finding.state:<9}{finding.what:<14}{finding.detail}")
    return 2 if any(finding.state == "missing" for finding in found) else 0
