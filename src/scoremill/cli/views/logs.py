"""Logs of libraries: Dask's own lines mean little to people who score rows, and are shown if they are asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def verbose_option(command: Command) -> Command:
    """Add `--verbose` to a command; without it no library logs anything while the command runs."""
    return click.option("--verbose", is_flag=True, expose_value=False, callback=_choose, help="Show Dask's own log.")(
        command
    )


def _choose(ctx: click.Context, param: click.Parameter, is_verbose: bool) -> None:
    before = logging.root.manager.disable
    ctx.call_on_close(lambda: logging.disable(before))
    if not is_verbose:
        logging.disable(logging.CRITICAL)
