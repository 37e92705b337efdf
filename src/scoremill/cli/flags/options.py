"""Options of commands that take a job, or a part of one. Flags and file give the same object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from scoremill.errors import UsageError
from scoremill.spec import Csv, ScoringJob, Storage, load_job, merge, parse_job
from scoremill.units import quoted

from .fields import given_fields, refuse_twice, set_option
from .flag import Command, Flag
from .job_file import job_file
from .table import FLAGS

CSV, STORAGE = "spec.input.csv.", "spec.storage."
_UNWRITTEN = {"spec": {"output": {"uri": "memory://unwritten"}}}
_ANY_JOB: dict[str, Any] = {"spec": {"model": {"uri": "-"}, "input": {"uris": ["-"]}, "output": {"uri": "-"}}}


def job_options(command: Command, more: tuple[Flag, ...] = ()) -> Command:
    """Adds the job file and all flags, and `more` of them, to a command; `job_from` reads them back."""
    command = _add((*FLAGS, *more), set_option()(command))
    return click.argument("job", nargs=-1, metavar="[JOB]", type=click.Path(dir_okay=False), callback=job_file)(command)


def part_options(
    *parts: str, but: Sequence[str] = (), fields: tuple[str, ...] | None = None
) -> Callable[[Command], Command]:
    """Return what adds to a command the flags of some parts of a job, except `but`, and `--set` for these parts.

    `fields` are the parts that `--set` takes, if others than these.
    """
    flags = [flag for flag in FLAGS if flag.path.startswith(parts) and flag.name not in but]
    return lambda command: _add(flags, set_option(fields or parts)(command))


def _add(flags: Sequence[Flag], command: Command) -> Command:
    for flag in reversed(flags):
        command = flag.add_to(command)
    return command


def is_written(job: ScoringJob) -> bool:
    """Return whether the job names an output."""
    return job.spec.output.uri != _UNWRITTEN["spec"]["output"]["uri"]


def job_from(
    job: str | None,
    flags: dict[str, Any],
    *,
    writes: bool = True,
    under: dict[str, Any] | None = None,
    more: tuple[Flag, ...] = (),
) -> ScoringJob:
    """Return the job given by a file, by flags, or by a file updated by flags, with `under` as defaults.

    A job that does not write needs no output.
    """
    under = merge(under or {}, {} if writes else _UNWRITTEN)
    given, names = _fields((*FLAGS, *more), flags)
    if job is not None:
        if not Path(job).is_file():
            raise UsageError(
                f"there is no job file {quoted(job)}",
                "Give a YAML or JSON file, or use flags; see --help.",
                code="JobFileNotFound",
            )
        return load_job(job, given, under, names)
    given = merge(under, given)
    _refuse_missing(given)
    return parse_job(given, flags=names)


def csv_from(flags: dict[str, Any]) -> Csv:
    """How CSV is read according to `flags`."""
    return _part(flags, CSV).spec.input.csv


def storage_from(flags: dict[str, Any]) -> Storage:
    """The storage settings among `flags`."""
    return _part(flags, STORAGE).spec.storage


def _part(flags: dict[str, Any], part: str) -> ScoringJob:
    given, names = part_from(flags, part)
    return parse_job(merge(_ANY_JOB, given), flags=names)


def part_from(flags: dict[str, Any], part: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields of one part of a job that `flags` give, and what gave each."""
    here = {**flags, "fields": [each for each in flags["fields"] if each.startswith(part)]}
    return _fields([flag for flag in FLAGS if flag.path.startswith(part)], here)


def _fields(table: Sequence[Flag], flags: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields that `flags` give, nested as in a job file, and the flag that gave each path."""
    given: dict[str, Any] = {}
    names: dict[str, str] = {}
    for flag in table:
        value = flags.get(flag.parameter)
        if value is not None and value != ():
            read = flag.read(value)
            _put(given, flag.path.split("."), read)
            names |= dict.fromkeys(flag.fields, flag.name.split("/")[0])
    for field in given_fields(flags.get("fields", ())):
        for other, name in names.items():
            if not name.startswith("--set"):
                refuse_twice(field.path, [other], name)
        _put(given, field.steps, field.value)
        names[field.path] = f"--set {field.path}"
    return given, names


def _refuse_missing(given: dict[str, Any]) -> None:
    wanted = {"--model": "model", "--input": "input", "--output": "output"}
    missing = [flag for flag, part in wanted.items() if part not in given.get("spec", {})]
    if missing:
        way_out = "`scoremill score --limit 10` prints rows without one" if missing == ["--output"] else "see --help"
        raise UsageError(
            f"missing {', '.join(missing)}",
            f"Give {'it' if len(missing) == 1 else 'them'}, or a job file; {way_out}.",
            code="MissingArgument",
        )


def _put(fields: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set the field at `path` of nested mappings."""
    for step in path[:-1]:
        fields = fields.setdefault(step, {})
    # Several flags can give fields of the same mapping.
    there = fields.get(path[-1])
    fields[path[-1]] = merge(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
