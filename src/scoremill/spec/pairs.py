r"""NAME=VALUE as flags take it: `\=` is an equals sign that does not separate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

At = Literal["first", "last", "only"]
"""Which equals sign separates."""

_SEPARATOR = re.compile(r"(?<!\\)=")


def split_pair(text: str, at: At) -> tuple[str, str]:
    """The two sides of `text`; ValueError saying why there are none.

    What follows the first equals sign is a value of any kind, taken as it is; else both sides are names.
    """
    places = [match.start() for match in _SEPARATOR.finditer(text)]
    if not places:
        raise ValueError("has no equals sign between a name and a value")
    if at == "only" and len(places) > 1:
        raise ValueError("has several equals signs")
    place = places[-1 if at == "last" else 0]
    left, right = text[:place].replace(r"\=", "="), text[place + 1 :]
    right = right if at == "first" else right.replace(r"\=", "=")
    if not left or (not right and at != "first"):
        raise ValueError("has nothing on one side of the equals sign")
    return left, right


def as_pairs(names: Mapping[str, str]) -> str:
    """Return `names` as one text, which `split_pair` reads."""
    return ",".join(_item(left, right) for left, right in names.items())


def _item(left: str, right: str) -> str:
    item = "=".join(name.replace("=", r"\=") for name in (left, right))
    is_plain = not re.search(r'^\s|[,"\r\n]', item)
    return item if is_plain else '"' + item.replace('"', '""') + '"'
