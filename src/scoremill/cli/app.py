"""`scoremill`: the commands, imported when they are called, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import click

from scoremill.errors import INTERRUPTED, ScoremillError, UsageError
from scoremill.naming import nearest
from scoremill.units import quoted
from scoremill.version import __version__

from . import interrupts
from .views.display import echo
from .views.document import is_printed
from .views.failure import as_shown, from_click, print_error, print_error_document

STARTED = time.monotonic()
"""When this process started, as far as it can tell."""
COMMANDS = {
    "init": ("scoremill.cli.init", "init_command", "Write a commented job file for a model and its input."),
    "plan": ("scoremill.cli.plan", "plan_command", "Show the plan of a job without starting a worker."),
    "score": ("scoremill.cli.score", "score_command", "Score CSV or Parquet files with a packed model."),
    "verify": ("scoremill.cli.verify", "verify_command", "Verify an output against its manifest."),
    "report": ("scoremill.cli.report", "report_command", "Show rows, timings, and memory of a run."),
    "retry-rejected": ("scoremill.cli.outputs", "retry_command", "Re-score rejected rows with a fixed model."),
    "compact": ("scoremill.cli.outputs", "compact_command", "Rewrite an output with files of another size."),
    "clean": ("scoremill.cli.outputs", "clean_command", "List and remove leftovers of earlier runs."),
    "model": ("scoremill.cli.model", "model_group", "Pack, inspect, and verify model bundles."),
    "cluster": ("scoremill.cli.cluster", "cluster_group", "Create, inspect, and delete Dask clusters on Kubernetes."),
    "job": ("scoremill.cli.job", "job_group", "Submit and follow jobs that the operator runs on Kubernetes."),
    "schedule": ("scoremill.cli.schedule", "schedule_group", "Run scoring jobs on a cron schedule."),
    "dataset": ("scoremill.cli.dataset", "dataset_group", "Load inputs into the memory of a cluster."),
    "schema": ("scoremill.cli.schema", "schema_command", "Print the JSON schema of job files."),
    "demo": ("scoremill.cli.demo", "demo_command", "Train, pack, score, and verify in a folder of its own."),
    "explain": ("scoremill.cli.explain", "explain_command", "Explain an error code."),
    "doctor": ("scoremill.cli.doctor", "doctor_command", "Check this environment and suggest fixes."),
}
"""Name, module and help line of each command; `scoremill --help` imports none of them."""
HIDDEN = {"driver": ("scoremill.cli.driver", "driver_command")}
"""Those that programs call."""


_WORDS = "scoremill.words"
"""Key of a context's `meta`: what the command line says."""


class EnoughRead(Exception):
    """The reader of stdout closed it (`| head`)."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are looked up."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS and cmd_name not in HIDDEN:
            return None
        module, attribute = HIDDEN.get(cmd_name) or COMMANDS[cmd_name][:2]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            close = nearest(args[0], COMMANDS)
            if not close:
                raise
            raise UsageError(f"no such command {quoted(args[0])}", f"Did you mean `scoremill {close[0]}`?") from None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ScoremillError, click.UsageError) as error:
            from .flags.mentions import mentions_of

            shown = as_shown(error, mentions_of(self._command(ctx), ctx))
            if "--json" in ctx.meta[_WORDS] and not is_printed(ctx):
                print_error_document(shown)
            raise shown from error
        except BrokenPipeError as error:
            # click turns it into an exit like any other.
            raise EnoughRead from error

    def _command(self, ctx: click.Context) -> click.Command:
        """Return the command that the command line names."""
        command: click.Command = self
        for word in ctx.meta[_WORDS]:
            if not isinstance(command, click.Group):
                break
            command = command.get_command(ctx, word) or command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="scoremill")
def app() -> None:
    """Score data too large for one machine, with models that were trained in RAM.

    \b
    Pack a fitted scikit-learn pipeline, preview predictions, score, and verify the output:
      scoremill model pack model.joblib --output bundle/ --sample sample.csv
      scoremill score --model bundle/ --input 's3://b/2009/*.csv' --output s3://b/scores/ --limit 10
      scoremill score --model bundle/ --input 's3://b/2009/*.csv' --output s3://b/scores/
      scoremill verify s3://b/scores/

    Exit codes: 0 ok, 1 internal, 2 usage, 3 the model or the input does not fit, 4 too many rejected rows,
    5 storage or credentials, 6 cluster or lease, 7 verification failed, 130 interrupted.
    """


def main() -> None:
    """Runs the command line and exits with one of the documented codes."""
    if "_SCOREMILL_COMPLETE" in os.environ:
        # A shell asks for completions; click answers and exits.
        app.main(prog_name="scoremill")
    interrupts.install()
    code = run(lambda: app.main(standalone_mode=False))
    sys.stdout.flush()
    sys.exit(code)


def run(command: Callable[[], Any]) -> int:
    """Run `command`; print errors to stderr, with a traceback only for internal errors; return the exit code."""
    try:
        result = command()
    except (click.exceptions.Abort, KeyboardInterrupt) as error:
        if isinstance(error.__cause__, EOFError):
            # click takes the end of any file for a user's Ctrl-D.
            traceback.print_exception(error.__cause__)
            return _say("internal error: please report this with the lines above", 1)
        return _say("Interrupted. Completed partitions are saved; run the same command again to resume.", INTERRUPTED)
    except click.ClickException as error:
        print_error(from_click(error))
        return UsageError.exit_code
    except ScoremillError as error:
        print_error(error)
        return error.exit_code
    except SystemExit as error:
        # Code of the model's, or of a library, that ends the process.
        return error.code if isinstance(error.code, int) and error.code else _say(f"exit: {error.code}", 1)
    except EnoughRead:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:
        traceback.print_exc()
        return _say("internal error: please report this with the lines above", 1)
    return result if isinstance(result, int) else 0


def _say(text: str, code: int) -> int:
    echo(text, err=True)
    return code
