"""A flag, the field of a job that it gives, and how its value is read."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from scoremill.errors import UsageError
from scoremill.spec.pairs import At, split_pair
from scoremill.units import quoted

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Flag:
    """One flag, and the field of the job that it gives."""

    name: str
    path: str
    help: str
    read: Callable[[Any], Any] = lambda value: value
    settings: dict[str, Any] | None = None
    several: tuple[str, ...] = ()
    """The fields of the mapping at `path` that it gives, if it gives more than the one at `path`."""
    metavar: str | None = None
    """What its value is, as help shows it; None for switches and choices."""

    @property
    def parameter(self) -> str:
        return self.name.removeprefix("--").split("/")[0].replace("-", "_")

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it gives."""
        return tuple(f"{self.path}.{name}" for name in self.several) or (self.path,)

    def add_to(self, command: Command) -> Command:
        """Add the option to a command."""
        shape: dict[str, Any] = {"cls": FieldOption, "flag": self, **(self.settings or {})}
        return click.option(self.name, help=self.help, metavar=self.metavar, **shape)(command)


class FieldOption(click.Option):
    """The option of a command for a `Flag`."""

    def __init__(self, *names: Any, flag: Flag, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.flag = flag


def names(values: Iterable[str]) -> list[str]:
    """`a,b` given once or several times as one list; quotes hold commas."""
    return [name for row in csv.reader(values, skipinitialspace=True) for name in row if name]


@dataclass(frozen=True)
class Pairs:
    """Reads `a=b,c=d`, given once or several times, as a mapping."""

    flag: str
    form: str
    """What the sides are, such as `COLUMN=TYPE`."""
    at: At = "last"

    def __call__(self, values: Iterable[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for item in names(values):
            try:
                left, right = split_pair(item, self.at)
            except ValueError as error:
                raise UsageError(f"{self.flag}: {quoted(item)} {error}", self._hint()) from None
            if found.setdefault(left, right) != right:
                raise UsageError(
                    f"{self.flag} gives {quoted(left)} twice: {quoted(found[left])} and {quoted(right)}",
                    "Give one of them.",
                )
        return found

    def _hint(self) -> str:
        escaped = "" if self.at == "first" else r"; an equals sign inside a name is written \="
        return f"Give {self.flag} {self.form}{escaped}."


def bounds(text: str) -> tuple[int, int]:
    """The fewest and the most in `4` and in `0:20`; ValueError where they are no numbers."""
    least, colon, most = text.partition(":")
    return int(least), int(most if colon else least)


def workers(text: str) -> dict[str, int | None]:
    """The number in `4`, or the bounds in `1:20`, as fields of `spec.cluster`."""
    try:
        least, most = bounds(text)
    except ValueError:
        raise UsageError(f"--workers: {quoted(text)} is neither a number such as 4 nor a range such as 1:20") from None
    return {"workers": least, "maxWorkers": most if ":" in text else None}


MANY = {"multiple": True}
SWITCH = {"is_flag": True, "default": None}


def choice(*values: str) -> dict[str, Any]:
    return {"type": click.Choice(values)}
