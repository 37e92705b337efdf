"""A template is merged into an object without changing either."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from scoremill.kubernetes.objects.template import strategic_merge

CASES: list[tuple[Any, Any, Any]] = [
    ({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}}, {"a": 1, "b": {"c": 2, "d": 3}}),
    ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
    ({}, {"a": {"b": None, "c": 1}}, {"a": {"b": None, "c": 1}}),
    ({"args": ["x", "y"]}, {"args": ["z"]}, {"args": ["z"]}),
    (
        {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        {"env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]},
        {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}]},
    ),
    (
        {"volumeMounts": [{"name": "v", "mountPath": "/a"}]},
        {"volumeMounts": [{"name": "v", "mountPath": "/b"}]},
        {"volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]},
    ),
    ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}, {"tolerations": [{"key": "b"}]}),
    ({"env": [{"name": "A"}]}, {"env": []}, {"env": []}),
    ({"a": {"b": 1}}, {"a": "text"}, {"a": "text"}),
]


@pytest.mark.parametrize(("base", "over", "expected"), CASES)
def test_template_is_merged(base: Any, over: Any, expected: Any) -> None:
    before = copy.deepcopy((base, over))
    assert strategic_merge(base, over) == expected
    assert (base, over) == before


def test_empty_template_changes_nothing() -> None:
    assert strategic_merge(CASES[4][0], {}) == CASES[4][0]
