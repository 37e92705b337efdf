"""One JSON document a command or report; its shape is in docs/reference/json.md."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

VERSION = 1
"""Of the shape of every document; keys are added within a version, never removed or changed."""


def as_document(**content: Any) -> str:
    """Return `content` as one line of JSON; fields of our own values are named in camel case, as in a job file."""
    return json.dumps({"version": VERSION, **_plain(content)}, default=str)


def plain(value: Any) -> dict[str, Any]:
    """The fields of a value of ours, as they stand in a document."""
    return {_camel(each.name): _plain(getattr(value, each.name)) for each in fields(value)}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return plain(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
