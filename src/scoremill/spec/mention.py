"""How messages and hints name a field of a job, or an argument: the command line names its own flag in its place."""

from __future__ import annotations

import json
import re

_PLAIN = re.compile(r"[A-Za-z][\w.-]*([:/]+[\w.-]+)*")
"""Texts that YAML takes for texts without quotes."""
_OTHERS = {"true", "false", "null", "yes", "no", "on", "off"}


def mention(path: str, value: object = None) -> str:
    """Return the field as a job file has it, in backquotes: `spec.output.mode: Overwrite`, or `spec.output.mode`."""
    return f"`{path}`" if value is None else f"`{path}: {_written(value)}`"


def mention_argument(name: str, value: object) -> str:
    """Return the argument of a Python function, in backquotes: `cluster="trips"`."""
    return f"`{name}={_json(value)}`"


def _written(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _OTHERS:
        return value
    return _json(value)


def _json(value: object) -> str:
    """Return `value` as JSON, which is YAML too, without backquotes."""
    return json.dumps(value, ensure_ascii=False).replace("`", "\\u0060")
