"""What differs between the settings of an output and those of a job, by the names of flags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scoremill.units import quoted

from .settings import Settings

_FLAGS = {
    "bundle": "--model",
    "raw": "--errors-raw",
    "hive": "--set spec.input.hive",
    "id_by": "--set spec.input.idBy",
    "csv.columns": "--names",
    "partFormat": "the format of parts",
    "csv.trueValues": "input.csv.trueValues",
    "csv.falseValues": "input.csv.falseValues",
}
"""Flags that are not called like their settings, and fields that have none."""
_MANY = 10
"""Members of a list that are shown."""
_DIGITS = 12
"""Digits of a digest that tell two bundles apart."""


def changes(earlier: Settings, now: Settings) -> list[str]:
    """Each setting that differs, as `--method: predict → predict_proba`."""
    before, after = _comparable(earlier), _comparable(now)
    return [
        text for name in before if before[name] != after[name] for text in _changed(name, before[name], after[name])
    ]


def _comparable(settings: Settings) -> dict[str, Any]:
    fields = settings.as_json()
    csv = fields.pop("csv")
    # Types of kept columns are fixed by the first plan: later files widen nothing.
    for name in ("keep", "where_columns"):
        fields[name] = [column["name"] for column in fields[name]]
    fields["columns"] = dict(fields["columns"])
    del fields["where_columns"]
    return {**fields, **{f"csv.{name}": value for name, value in csv.items()}}


def _changed(name: str, before: Any, after: Any) -> Iterator[str]:
    if not isinstance(before, dict) or not isinstance(after, dict):
        yield f"{flag(name)}: {_shown(before)} → {_shown(after)}"
        return
    for key in {**before, **after}:
        if before.get(key) != after.get(key):
            yield f"{flag(name)} {key}: {_shown(before.get(key))} → {_shown(after.get(key))}"


def flag(name: str) -> str:
    """The flag that gives the setting `name`."""
    words = re.sub("([A-Z])", r"-\1", name.removeprefix("csv.")).lower().replace("_", "-")
    return _FLAGS.get(name, f"--{words}")


def _shown(value: Any) -> str:
    if value is None or value in ([], (), {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f"{value[: len('sha256:') + _DIGITS]}…" if value.startswith("sha256:") else _word(value)
    if isinstance(value, list | tuple):
        return ",".join([*map(str, value[:_MANY]), *(["…"] if len(value) > _MANY else [])])
    return str(value)


def _word(text: str) -> str:
    return text if re.fullmatch(r"[\w.+-]+", text) else quoted(text)
