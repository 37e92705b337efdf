"""From the names of a file to those of the model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoremill.errors import InputError
from scoremill.tabular.rename import Renaming, relaxed, renamed

WANTED = ["mean radius", "zone"]


def test_columns_are_renamed_together():
    swapped = Renaming((("a", "b"), ("b", "a"), ("c", "d"), ("x", "y")))
    assert swapped.changes(["a", "b", "c", "e"], WANTED) == {"a": "b", "b": "a", "c": "d"}
    assert renamed(["a", "b", "e"], {"a": "b", "b": "a"}) == ("b", "a", "e")


def test_two_names_for_one_column_serve_files_of_two_generations():
    renaming = Renaming((("Trip_Pickup", "pickup"), ("tpep_pickup", "pickup")))
    assert renaming.changes(["Trip_Pickup", "zone"], WANTED) == {"Trip_Pickup": "pickup"}
    assert renaming.changes(["tpep_pickup", "zone"], WANTED) == {"tpep_pickup": "pickup"}
    assert renaming.changes(["pickup", "zone"], WANTED) == {}


@pytest.mark.parametrize("names", [["a", "b"], ["a", "c"], ["b", "a"]])
def test_two_columns_of_one_name_are_refused(names):
    renaming = Renaming((("a", "b"), ("c", "b")))
    with pytest.raises(
        InputError, match=r'`spec.input.rename` gives column "[ac]" the name "b", which column "[abc]" has too'
    ):
        renaming.changes(names, WANTED)


@pytest.mark.parametrize(
    "name", ["Mean_Radius", "mean_radius", "MEAN RADIUS", "meanradius", " mean  radius ", "Mean\tRadius_"]
)
def test_names_match_without_case_blanks_and_underscores_if_asked(name):
    assert Renaming(is_relaxed=True).changes([name, "zone"], WANTED) == {name: "mean radius"}
    assert Renaming().changes([name, "zone"], WANTED) == {}


def test_an_exact_name_is_never_replaced_by_one_that_is_alike():
    assert Renaming(is_relaxed=True).changes(["Zone", "zone", "mean radius"], WANTED) == {}
    assert Renaming((("z", "zone"),), is_relaxed=True).changes(["z", "ZONE", "mean radius"], WANTED) == {"z": "zone"}


def test_a_column_that_is_wanted_under_its_own_name_is_not_taken_for_another():
    assert Renaming(is_relaxed=True).changes(["Zone"], ["Zone", "zone"]) == {}


@pytest.mark.parametrize(("names", "wanted"), [(["Zone", "ZONE"], ["zone"]), (["ZONE"], ["zone", "Zone"])])
def test_names_that_match_in_several_ways_are_refused_with_the_flags_that_say_which(names, wanted):
    with pytest.raises(InputError, match="without case, blanks and underscores") as caught:
        Renaming(is_relaxed=True).changes(names, wanted)
    assert str(caught.value.hint).count("`spec.input.rename: ") == 2
    (old, new) = names[0], wanted[0]
    assert f'`spec.input.rename: {{"{old}": "{new}"}}`' in str(caught.value.hint)
    assert Renaming(((old, new),), is_relaxed=True).changes(names, [new]) == {old: new}


NAMES = st.lists(st.text("aA_ bB", min_size=1, max_size=4), unique=True, max_size=6)


@given(
    NAMES, NAMES, st.dictionaries(st.text("aA_ b", max_size=3), st.text("aA_ b", max_size=3), max_size=3), st.booleans()
)
def test_renamed_columns_have_different_names_and_only_wanted_ones_are_matched(names, wanted, pairs, is_relaxed):
    try:
        changes = Renaming(tuple(pairs.items()), is_relaxed).changes(names, wanted)
    except InputError:
        return
    assert len(set(renamed(names, changes))) == len(names)
    for old, new in changes.items():
        assert pairs.get(old) == new or (
            new in wanted and new not in set(names) - set(pairs) and relaxed(old) == relaxed(new)
        )
