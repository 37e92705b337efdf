"""Options of earlier versions: each fails, and names the field that `--set` gives."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import click

from scoremill.errors import UsageError

from .flag import Command

REMOVED = {
    "--hive": "spec.input.hive=true",
    "--id-by": "spec.input.idBy=content",
    "--input-storage": "spec.input.storage.anonymous=true",
    "--model-storage": "spec.model.storage.anonymous=true",
    "--output-storage": "spec.output.storage.anonymous=true",
}
"""What `--set` takes for each, by an example."""
SWITCHES = {"--hive"}
"""Those without a value."""


def removed_options(parts: tuple[str, ...]) -> Callable[[Command], Command]:
    """Return what explains to a command the removed options of `parts` of a job."""

    def add(command: Command) -> Command:
        for name, example in REMOVED.items():
            if example.startswith(parts):
                command = _removed(name, example)(command)
        return command

    return add


def _removed(name: str, example: str) -> Callable[[Command], Command]:
    def refuse(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            raise UsageError(f"{name} was removed", f"Use --set, such as --set {shlex.quote(example)}.")

    shape: dict[str, Any] = {"is_flag": True} if name in SWITCHES else {"multiple": True}
    text = f"Removed; use --set {example}."
    return click.option(name, hidden=True, expose_value=False, callback=refuse, help=text, **shape)
