from __future__ import annotations

import pytest

from scoremill.storage.find import glob_pattern


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
