"""JSON documents, one per command or report; docs/reference/json.md describes them."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

VERSION = 1
"""Version of the format of all documents; within a version, keys can be added but not removed or changed."""


def as_document(**content: Any) -> str:
    """Return `content` as one line of JSON; fields of dataclasses have camel-case names, as in a job file."""
    return json.dumps({"version": VERSION, **_plain(content)}, default=str)


def plain(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass, as they appear in a document."""
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
