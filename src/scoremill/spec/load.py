"""From YAML, JSON or flags to a job, with errors that name file, line, field and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from scoremill.errors import UsageError
from scoremill.units import quoted

from .job import ScoringJob
from .secrecy import is_shown

Fields = dict[str, Any]

_NO_JOB = "If it is data, name it with `input=`, and quote patterns, so that the shell does not expand them."


class Loader(yaml.SafeLoader):
    """Reads YAML as kubectl does: `1:20` is a text. YAML 1.1 has it as a number to the base of 60, 80."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """Return the tag of a node."""
        tag = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        is_sexagesimal = tag in {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"} and ":" in value
        return self.DEFAULT_SCALAR_TAG if is_sexagesimal else tag


_LONGEST = 200
"""Characters of a value in a message."""


def read_yaml(text: str) -> Any:
    """Return the one document in `text`; yaml.YAMLError if it is none."""
    return yaml.load(text, Loader=Loader)  # noqa: S506 a SafeLoader


def load_job(
    path: str | Path,
    overrides: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    flags: Mapping[str, str] | None = None,
) -> ScoringJob:
    """Return the job in a YAML or JSON file.

    Parameters
    ----------
    path : str or path
        The job file.
    overrides, defaults : mapping, optional
        Fields that win over those of the file, and that it wins over; nested as in the file.
    flags : mapping, optional
        Names of the command-line flags that gave `overrides`, by the paths of their fields, for messages.

    Returns
    -------
    ScoringJob

    Raises
    ------
    UsageError
        If the file cannot be read or a field is wrong; names file, line and field, or the flag, of each.

    """
    text = _read(Path(path))
    try:
        node = yaml.compose(text, Loader=Loader)
        document = read_yaml(text)
    except RecursionError:
        raise UsageError(f"{path}: nested too deep", _NO_JOB, code="InvalidJob") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not YAML or JSON: {error}", _NO_JOB, code="InvalidJob") from None
    if not isinstance(document, dict):
        raise UsageError(
            f"{path}: expected a mapping with apiVersion, kind, metadata and spec", _NO_JOB, code="InvalidJob"
        )
    if _is_several(text):
        raise UsageError(f"{path}: holds several documents", "Give one job a file.", code="InvalidJob")
    return parse_job(merge(merge(defaults or {}, document), overrides or {}), source=str(path), node=node, flags=flags)


def parse_job(
    fields: Mapping[str, Any],
    source: str = "flags",
    node: yaml.Node | None = None,
    flags: Mapping[str, str] | None = None,
) -> ScoringJob:
    """The job that `fields` describe; UsageError listing every wrong field, with its line or flag."""
    try:
        return ScoringJob.model_validate(fields)
    except RecursionError:
        raise UsageError(
            f"{source}: nested too deep", "`scoremill schema` prints all fields.", code="InvalidJob"
        ) from None
    except ValidationError as error:
        found = [_describe(source, node, flags or {}, problem) for problem in error.errors(include_url=False)]
        are_flags = all(text.startswith("--") for text in found)
        hint = "`--help` explains the flags." if are_flags else "`scoremill schema` prints all fields."
        raise UsageError("\n".join(dict.fromkeys(found)), hint, code="InvalidJob") from None


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Fields:
    """Return `base` updated with the values of `over`, recursively."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the job file {path}: {error}", code="JobFileNotFound") from None


def _is_several(text: str) -> bool:
    return sum(1 for node in yaml.compose_all(text, Loader=Loader) if node is not None) > 1


def _describe(source: str, node: yaml.Node | None, flags: Mapping[str, str], problem: Any) -> str:
    place = [str(step) for step in problem["loc"]]
    flag = next((name for path, name in flags.items() if _is_below(place, path)), None)
    line = _line(node, place) if node is not None else None
    where = flag or f"{f'{source}:{line}' if line else source}: {'.'.join(place) or 'job'}"
    given = (
        # The value of a field that does not exist might be a secret.
        ""
        if problem["type"] in {"missing", "extra_forbidden"}
        or isinstance(problem["input"], dict | None)
        or not is_shown(place, problem["input"])
        else f" (given: {quoted(problem['input'], _LONGEST)})"
    )
    return f"{where}: {_expected(problem)}{given}"


def _is_below(place: list[str], path: str) -> bool:
    steps = path.split(".")
    return place[: len(steps)] == steps


def _expected(problem: Any) -> str:
    match problem["type"]:
        case "missing":
            return "this field is required"
        case "extra_forbidden":
            return "there is no such field"
        case "string_pattern_mismatch" if "sha256" in problem["ctx"]["pattern"]:
            return "expected sha256: and 64 hexadecimal digits, as `scoremill model inspect` prints them"
        case "value_error":
            return str(problem["ctx"]["error"])
        case _:
            # Pydantic puts the allowed texts into single quotes.
            message: str = problem["msg"].replace("'", '"')
            return message[0].lower() + message[1:]


def _line(node: yaml.Node, place: list[str]) -> int:
    """The line of the deepest part of `place` that the file holds."""
    line = node.start_mark.line
    for step in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == step), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
            node = node.value[int(step)]
            line = node.start_mark.line
        else:
            break
    return line + 1
