"""A template laid over an object, nearly as `kubectl patch` would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEYS = {"volumeMounts": "mountPath"}
"""What tells the items of a list apart; `name` in all others."""


def merge(base: Any, over: Any, field: str = "", *, keeps_null: bool = False) -> Any:
    """`base` with `over` laid over it; neither is changed.

    Mappings are merged by key, and null removes one. Lists whose items have a name (containers, env, volumes …) are
    merged by it; other lists and all scalars are replaced. With `keeps_null` the result is a template again: its
    nulls remove once it is laid over something.
    """
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        merged = {key: merge(base.get(key), value, key, keeps_null=keeps_null) for key, value in over.items()}
        return {key: value for key, value in {**base, **merged}.items() if keeps_null or value is not None}
    key = _KEYS.get(field, "name")
    if _keyed(base, key) and _keyed(over, key):
        items = {item[key]: item for item in base}
        for item in over:
            items[item[key]] = merge(items.get(item[key]), item, keeps_null=keeps_null)
        return list(items.values())
    return over


def _keyed(value: Any, key: str) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) and key in item for item in value)
