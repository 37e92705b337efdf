"""The command line in this process: a process of its own takes seconds."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout

from scoremill.cli.app import app, run
from scoremill.cli.flags.mentions import Mentions
from scoremill.cli.score import score_command


def here(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `scoremill ARGUMENTS`."""
    out, err = io.TextIOWrapper(io.BytesIO()), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(lambda: app.main(list(map(str, arguments)), standalone_mode=False))
        out.flush()
    return code, out.buffer.getvalue().decode(), err.getvalue()  # type: ignore[attr-defined]


def as_flags(text: str) -> str:
    """A message of the library as `scoremill score` prints it: with flags in place of fields."""
    return Mentions(score_command.params).as_flags(text)
