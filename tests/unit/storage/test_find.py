from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoremill.storage.listing.find import glob_pattern


@pytest.mark.parametrize(
    ("glob", "matches", "misses"),
    [
        ("*.csv", ["a.csv", "a b+c.csv", "x\ny.csv"], ["a/b.csv", "_a.csv", ".a.csv", "a.csv.gz"]),
        ("_*", ["_a"], ["a", ".a", "_a/b"]),
        (".*", [".a"], ["a", "_a"]),
        ("a?c", ["abc"], ["ac", "a/c", "abbc"]),
        ("[abc]/x", ["a/x", "c/x"], ["d/x", "ab/x", "[abc]/x"]),
        ("[!a-c]", ["d"], ["a", "/", "_", ""]),
        ("[]x]", ["]", "x"], ["[", "a"]),
        ("a[", ["a["], ["a"]),
        ("a(b).c+d$", ["a(b).c+d$"], ["ab.cd"]),
        ("in/**/x", ["in/x", "in/a/x", "in/a/b/x"], ["x", "in/_a/x", "in/a/.b/x", "inn/x"]),
        ("in/**", ["in/x", "in/a/b"], ["in", "in/_a/x", "in/a/_x"]),
        ("**/*.csv", ["a.csv", "a/b.csv"], ["a.txt", "_a/b.csv"]),
        ("in/_x/*", ["in/_x/a"], ["in/_x/_a", "in/x/a"]),
        ("a**b", ["ab", "axb"], ["a/b"]),
    ],
)
def test_globs_match_folder_by_folder(glob: str, matches: list[str], misses: list[str]) -> None:
    pattern = glob_pattern(glob)
    assert [name for name in matches if not pattern.fullmatch(name)] == []
    assert [name for name in misses if pattern.fullmatch(name)] == []


def plain_pattern(glob: str) -> re.Pattern[str]:
    """The same rules for `*` and `**` alone, as a pattern that tries every place."""
    *folders, last = glob.split("/")
    parts = [r"(?:(?![_.])[^/]+/)*" if one == "**" else f"{plain_segment(one)}/" for one in folders]
    parts.append(r"(?:(?![_.])[^/]+/)*(?![_.])[^/]+" if last == "**" else plain_segment(last))
    return re.compile("".join(parts), re.DOTALL)


def plain_segment(glob: str) -> str:
    guard = "" if glob[0] in "_." or "*" not in glob else r"(?![_.])"
    return guard + "".join("[^/]*" if one == "*" else re.escape(one) for one in glob)


PIECES = st.one_of(st.just("**"), st.text("ab_*", min_size=1, max_size=4).filter(lambda text: "**" not in text))


@given(
    glob=st.lists(PIECES, min_size=1, max_size=6).map("/".join),
    name=st.lists(st.text("ab_", min_size=1, max_size=4), min_size=1, max_size=7).map("/".join),
)
def test_a_glob_matches_what_it_matches_if_every_place_is_tried(glob: str, name: str) -> None:
    assert bool(glob_pattern(glob).fullmatch(name)) == bool(plain_pattern(glob).fullmatch(name))


@pytest.mark.parametrize(
    ("glob", "name"),
    [("**/" * 200 + "b", "a/" * 500), ("**/a/" * 100 + "b", "a/" * 500), ("*a" * 100 + "b", "a" * 1000)],
)
def test_no_glob_takes_long(glob: str, name: str) -> None:
    assert not glob_pattern(glob).fullmatch(name)
