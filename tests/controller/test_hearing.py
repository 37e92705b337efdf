"""A watch that has gone deaf is found out by what listings show."""

from __future__ import annotations

import pytest

from scoremill_operator.hearing import Hearing


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
        hearing.listed(each, hearing.told())
    assert hearing.is_deaf is is_deaf


def test_what_changes_while_a_long_listing_goes_on_is_no_deafness() -> None:
    hearing = Hearing()
    hearing.heard("a", "1")
    hearing.listed({"a": "1"}, hearing.told())
    before = hearing.told()
    hearing.heard("a", "2")
    hearing.listed({"a": "1"}, before)
    assert not hearing.is_deaf
