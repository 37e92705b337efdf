"""What differs between the settings of an output and those of a job, by the names of fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scoremill.spec.mention import mention
from scoremill.units import quoted

from .settings import Settings

_FIELDS = {
    "bundle": "spec.model.uri",
    "method": "spec.model.method",
    "batch_rows": "spec.model.batchRows",
    "partition_bytes": "spec.input.partitionBytes",
    "hive": "spec.input.hive",
    "id_by": "spec.input.idBy",
    "where": "spec.input.where",
    "rename": "spec.input.rename",
    "match_columns": "spec.input.matchColumns",
    "raw": "spec.errors.raw",
}
"""Fields that are not those of the output with the name of their setting, nor fields of the CSV dialect."""
_NO_FIELD = {"partFormat": "the format of parts"}
_MANY = 10
"""Members of a list that are shown."""
_DIGITS = 12
"""Digits of a digest that tell two bundles apart."""


def changes(earlier: Settings, now: Settings) -> list[str]:
    """Each setting that differs, such as "`spec.model.method`: predict → predict_proba"."""
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
        yield f"{_named(name)}: {_shown(before)} → {_shown(after)}"
        return
    for key in {**before, **after}:
        if before.get(key) != after.get(key):
            yield f"{_named(name)} {key}: {_shown(before.get(key))} → {_shown(after.get(key))}"


def field(name: str) -> str:
    """Return the field that gives the setting `name`."""
    camel = re.sub("_([a-z])", lambda found: found[1].upper(), name)
    return _FIELDS.get(name) or (f"spec.input.{camel}" if name.startswith("csv.") else f"spec.output.{camel}")


def _named(name: str) -> str:
    return _NO_FIELD.get(name) or mention(field(name))


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
