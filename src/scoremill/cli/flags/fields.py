"""`--set spec.path=value`: any field of a job, named and read as in a job file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem

from scoremill.errors import UsageError
from scoremill.naming import nearest
from scoremill.units import quoted

from .flag import Command
from .removed import REMOVED, removed_options


class SetOption(click.Option):
    """`--set` for the parts of a job that a command takes."""

    def __init__(self, *names: Any, parts: tuple[str, ...], **settings: Any) -> None:
        settings |= {"multiple": True, "metavar": "PATH=VALUE", "callback": self._check}
        super().__init__(*names, **settings)
        self.parts = parts

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the fields that can be set."""
        return [CompletionItem(f"{path}=") for path in paths() if path.startswith(incomplete) and self.takes(path)]

    def takes(self, path: str) -> bool:
        """Return whether the command takes the field."""
        return path.startswith(self.parts)

    def _check(self, context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
        for path in (setting.partition("=")[0] for setting in given):
            if not self.takes(path):
                parts = " and ".join(part.rstrip(".") for part in self.parts)
                raise UsageError(f"--set {path}: only fields of {parts} can be given here")
        return given


def set_option(parts: tuple[str, ...] = ("",)) -> Callable[[Command], Command]:
    """Return what adds `--set` for `parts` of a job, and what explains removed options, to a command."""

    def add(command: Command) -> Command:
        command = removed_options(parts)(command)
        return click.option("--set", "fields", cls=SetOption, parts=parts, help=_help(parts))(command)

    return add


def _help(parts: tuple[str, ...]) -> str:
    example = next(example for example in REMOVED.values() if example.startswith(parts))
    return f"Set any other field, as in a job file: --set {example}. Can be given several times."


@dataclass(frozen=True)
class Given:
    """A field that `--set` gives."""

    path: str
    steps: tuple[str, ...]
    """The path in the job file; keys of a mapping can contain dots."""
    value: Any


def given_fields(settings: Sequence[str]) -> list[Given]:
    """Return the fields in `PATH=VALUE`; a text is taken as it is, everything else is read as YAML.

    Raises UsageError for a path that the schema does not have, and for one that is given twice.
    """
    found: list[Given] = []
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {path} has no value", "Give it as --set PATH=VALUE.")
        refuse_twice(path, [other.path for other in found], "--set")
        steps, schema = _field(path)
        found.append(Given(path, steps, _value(path, text, schema)))
    return found


def refuse_twice(path: str, others: Iterable[str], option: str) -> None:
    """Raise UsageError if `path`, or a part of it or what it is part of, is one of `others`, which `option` gives."""
    for other in others:
        if f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}."):
            raise UsageError(f"--set {path} is given twice: {option} gives {other} too", "Give one of them.")


def _value(path: str, text: str, schema: Any) -> Any:
    import yaml

    from scoremill.spec import read_yaml

    # YAML would take `#` for a comment, `|` for a text to come, and a time for a date.
    if _is_text(schema) and text != "null" and not _is_quoted(text):
        return text
    hint = "Write a list as [a, b], and quote it for the shell."
    try:
        value = read_yaml(text)
    except yaml.YAMLError:
        # The value might be a secret.
        raise UsageError(f"--set {path}: the value is not YAML", hint) from None
    if value is None and text not in {"null", "~"}:
        raise UsageError(f"--set {path} has no value", "Write null for the default.")
    return value


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] and text[0] in "'\""


def _is_text(schema: Any) -> bool:
    return {choice["type"] for choice in _choices(schema) if "type" in choice} - {"null"} == {"string"}


def _field(path: str) -> tuple[tuple[str, ...], Any]:
    """Return the steps of a path and the schema of its value."""
    known = dict(_fields())
    if path in known:
        return tuple(path.split(".")), known[path]
    for mapping, schema in known.items():
        key, inner = path.removeprefix(f"{mapping}."), _inner(schema)
        if key not in {path, ""} and inner:
            # Values of any type can be mappings.
            keys = key.split(".") if inner is True else [key]
            return (*mapping.split("."), *keys), {} if inner is True else inner
    (near,) = nearest(path, known, likeness=0)
    raise UsageError(
        f"--set: a job has no field {quoted(path)}", f"The nearest is {near}; `scoremill schema` prints all of them."
    )


def paths() -> Iterator[str]:
    """Return the path of every field of a job, in the order of its file."""
    return (path for path, _ in _fields())


def _fields() -> Iterator[tuple[str, Any]]:
    from scoremill.spec import ScoringJob

    schema = ScoringJob.model_json_schema(by_alias=True)
    for part in ("metadata", "spec"):
        yield from _below(schema["properties"][part], part, schema["$defs"])


def _below(schema: Any, path: str, definitions: Any) -> Iterator[tuple[str, Any]]:
    for choice in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ())):
        named = definitions[choice["$ref"].rpartition("/")[2]] if "$ref" in choice else choice
        for name, field in named.get("properties", {}).items():
            yield f"{path}.{name}", field
            yield from _below(field, f"{path}.{name}", definitions)


def _inner(schema: Any) -> Any:
    """Return the schema of the values of a mapping whose keys are free: True if anything goes, None for other fields."""
    return next(
        (choice["additionalProperties"] for choice in _choices(schema) if "additionalProperties" in choice), None
    )


def _choices(schema: Any) -> tuple[Any, ...]:
    return (schema, *schema.get("anyOf", ()))
