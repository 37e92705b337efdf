"""The page of promises names existing tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMISES = (ROOT / "docs/explanation/correctness.md").read_text().split("\n## ")[1:]
# Anything that starts like the name of a test, so that a misspelled name is found as a missing test.
NAMED = re.compile(r"`(tests/[^`]*)`")


def defined_in(file: str) -> set[str]:
    """Return the names of the tests that pytest collects from a file."""
    path = ROOT / file
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return {f"{file}::{node.name}" for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.partition("\n")[0])
def test_each_promise_names_existing_tests(promise):
    named = NAMED.findall(promise)
    assert named
    assert not [name for name in named if name not in defined_in(name.partition("::")[0])]


def test_page_has_six_promises():
    assert len(PROMISES) == 6
