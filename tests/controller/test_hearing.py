"""A watch that has gone deaf is found out by what listings show."""

from __future__ import annotations

import pytest

from scoremill_operator.run.hearing import Hearing


@pytest.mark.parametrize(
    ("heard", "listings", "is_deaf"),
    [
        pytest.param({"a": "1"}, [{"a": "1"}, {"a": "1"}], False, id="all is heard"),
        pytest.param({}, [{"a": "1"}], False, id="an event may be late"),
        pytest.param({}, [{"a": "1"}, {"a": "1"}], True, id="a new object that no event told of"),
        pytest.param({"a": "1"}, [{"a": "2"}, {"a": "2"}], True, id="a change that no event told of"),
        pytest.param({"a": "1"}, [{"a": "2"}, {"a": "3"}], False, id="what changes all the time proves nothing"),
        pytest.param({"a": "1"}, [{"a": "1"}, {}], False, id="what is gone"),
        pytest.param({}, [{"a": "1"}, {"a": "1"}, {}], False, id="what was not heard, and is gone"),
    ],
)
def test_deafness(heard: dict[str, str], listings: list[dict[str, str]], is_deaf: bool) -> None:
    hearing = Hearing()
    for uid, version in heard.items():
        hearing.heard(uid, version)
    for each in listings:
        hearing.listed(each, hearing.so_far())
    assert hearing.is_deaf is is_deaf


def test_what_changes_while_a_listing_goes_on_was_not_missed() -> None:
    hearing = Hearing()
    hearing.heard("a", "1")
    hearing.listed({"a": "1"}, hearing.so_far())
    before = hearing.so_far()
    hearing.heard("a", "2")
    hearing.heard("b", "3")
    hearing.listed({"a": "1"}, before)
    assert not hearing.is_deaf
    for _ in range(2):
        hearing.listed({"a": "2", "b": "3"}, hearing.so_far())
    assert not hearing.is_deaf
