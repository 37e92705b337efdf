"""Fields and arguments that messages mention, as the flags of the command that prints the message."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from scoremill.spec.pairs import as_pairs

from .fields import SetOption
from .flag import FieldOption, Flag
from .table import FLAGS

_FIELD = re.compile(r"`((?:spec|metadata)(?:\.[A-Za-z]\w*)+)(?:: ([^`]+))?`")
_JOB_FILE = "scoremill.job-file"
"""Key of a context's `meta`: whether the job of the command is a file."""
_ARGUMENT = re.compile(r"`([a-z][a-z_]*)=([^`]*)`")


@dataclass(frozen=True)
class Mentions:
    """What a command with these parameters takes."""

    parameters: Sequence[click.Parameter]
    has_file: bool = False
    """True if its job is a file, so that fields remain fields."""

    def as_flags(self, text: str) -> str:
        """Return `text` with flags in place of fields, and options in place of arguments that the command takes.

        A command that takes no part of a job by flags, such as `scoremill job status`, leaves fields as they are.
        """
        if any(isinstance(each, SetOption) for each in self.parameters) and not self.has_file:
            text = _FIELD.sub(lambda found: self._field(found[1], _value(found[2])), text)
        return _ARGUMENT.sub(lambda found: self._argument(found[1], _value(found[2])) or found[0], text)

    def _field(self, path: str, value: Any) -> str:
        flag = next((flag for flag in self._flags() if path in flag.fields), None)
        if flag is not None:
            return _written(flag, value)
        if _is_nested(value):
            return " ".join(self._field(f"{path}.{key}", below) for key, below in value.items())
        return f"--set {path if value is None else shlex.quote(f'{path}={_text(value)}')}"

    def _flags(self) -> Iterator[Flag]:
        """Yield the flags of the command, and those of `scoremill score` whose names mean nothing else here."""
        yield from (each.flag for each in self.parameters if isinstance(each, FieldOption))
        taken = {name for each in self.parameters for name in each.opts}
        yield from (flag for flag in FLAGS if flag.name not in taken)

    def _argument(self, name: str, value: Any) -> str | None:
        option = next((each for each in self.parameters if isinstance(each, click.Option) and each.name == name), None)
        if option is None:
            return None
        if value is None or value is True:
            return option.opts[-1]
        return f"{option.opts[-1]} {shlex.quote(as_pairs(value) if isinstance(value, dict) else _text(value))}"


def mentions_of(command: click.Command | None, context: click.Context) -> Mentions:
    """Return what `command` takes, which runs in `context` or below it; its hints can be for the run that `plan` plans."""
    parameters = list(command.params if command else ())
    if command is not None and command.name == "plan":
        from ..score import score_command

        parameters += score_command.params
    return Mentions(parameters, context.meta.get(_JOB_FILE, False))


def has_job_file(context: click.Context) -> None:
    """Note that the job of the command is a file."""
    context.meta[_JOB_FILE] = True


def _value(text: str | None) -> Any:
    """Return a value as a message has it: JSON, or a text without quotes."""
    if not text:
        return None
    try:
        return True if text == "True" else json.loads(text)
    except ValueError:
        return text


def _is_nested(value: Any) -> bool:
    """Return whether `value` has fields, or keys that can follow a path."""
    return isinstance(value, dict) and all(re.fullmatch(r"[\w ]+", key) for key in value)


def _written(flag: Flag, value: Any) -> str:
    name, _, negative = flag.name.partition("/")
    if value is None or value is True:
        return name
    if value is False:
        return negative or f"--set {flag.path}=false"
    if flag.read is list:
        return " ".join(f"{name} {shlex.quote(each)}" for each in value)
    if isinstance(value, dict):
        return f"{name} {shlex.quote(as_pairs(value))}"
    text = _row(value) if isinstance(value, list) else _text(value).replace("\t", r"\t")
    return f"{name} {shlex.quote(text)}"


def _row(values: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(values)
    return out.getvalue()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
