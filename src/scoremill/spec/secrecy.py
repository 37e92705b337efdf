"""Which names are those of secrets: a job never holds one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SECRET = re.compile(
    r"secret|token|passw|passphrase|pwd|credential|private|bearer|jwt|cookie|signature(?!.?version)|connection.?string|conn.?str|"
    r"auth(?!or)|authori[sz]ation|(access|account|api|customer|signing|encryption).?key|"
    r"(^|[^a-z])(pass|sas|sig|pin|otp|dsn|headers?)([^a-z]|$)|key$",
    re.IGNORECASE,
)
_PLACES = re.compile(r"_(FILE|PATH|URI|URL|NAME)$|^GOOGLE_APPLICATION_CREDENTIALS$")
"""Names of environment variables that say where a secret is."""


_FIELDS = {"storage", "credentials", "env", "template", "options"}
"""Fields of a job whose invalid values are not shown."""


def is_shown(place: Sequence[str], value: object) -> bool:
    """Return whether a message can show the invalid value of the field at `place`."""
    text = str(value)
    return not _FIELDS.intersection(place) and not ("://" in text and re.search("[@?]", text))


def is_secret(name: str) -> bool:
    """Return whether the value of an option or variable is a secret, judging by its name."""
    return _SECRET.search(_WORDS.sub("_", name)) is not None and not _PLACES.search(name)


def secrets_in(template: Any) -> Iterator[str]:
    """Yield the names of environment variables in a manifest that are given secrets as plain values."""
    if isinstance(template, dict):
        name = template.get("name")
        if isinstance(name, str) and "value" in template and is_secret(name):
            yield name
        for value in template.values():
            yield from secrets_in(value)
    elif isinstance(template, list):
        for value in template:
            yield from secrets_in(value)


def is_deeper(template: Any, levels: int) -> bool:
    """Return whether mappings and lists are nested more than `levels` deep."""
    level = [template]
    for _ in range(levels + 1):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True
