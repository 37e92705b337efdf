"""The page of promises names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_test_that_holds_a_promise_is_there():
    text = (ROOT / "docs/explanation/correctness.md").read_text()
    named = NAMED.findall(text)
    assert len(named) > 25
    missing = [f"{file}::{test}" for file, test in named if f"def {test}(" not in (ROOT / file).read_text()]
    assert not missing


def test_every_promise_has_a_test():
    text = (ROOT / "docs/explanation/correctness.md").read_text()
    assert all(NAMED.search(promise) for promise in text.split("\n## ")[1:])
