"""Sizes, durations and values as text, and names of objects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoremill.naming import digest, is_kubernetes_name, part_name
from scoremill.units import format_bytes, format_seconds, parse_bytes, quoted


@pytest.mark.parametrize(
    ("text", "count"),
    [("64MiB", 64 * 2**20), ("4Gi", 4 * 2**30), ("500MB", 500_000_000), ("1.5 GiB", 3 * 2**29), ("1024", 1024), (7, 7)],
)
def test_sizes_with_units_are_parsed(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "MiB", "1 XB", "-1", "1e3", True])
def test_invalid_size_is_refused(text):
    with pytest.raises(ValueError, match="is not a size"):
        parse_bytes(text)


@pytest.mark.parametrize("unit", [2**10, 2**20, 2**30, 2**40])
@given(count=st.integers(1, 1023))
def test_whole_numbers_of_a_binary_unit_survive_formatting_and_parsing(unit, count):
    assert parse_bytes(format_bytes(count * unit)) == count * unit


@given(st.integers(0, 2**50))
def test_formatted_size_has_the_precision_of_one_decimal(count):
    # 1.0 can be any number from 0.95 to 1.05.
    assert parse_bytes(format_bytes(count)) == pytest.approx(count, rel=0.051)


def test_durations_are_formatted_with_units():
    assert [format_seconds(s) for s in (0.42, 42, 200, 7500)] == ["0.4 s", "42 s", "3 min 20 s", "2 h 5 min"]


@given(st.lists(st.integers(0, 10**8), min_size=2, max_size=20, unique=True))
def test_part_names_of_any_numbers_sort_by_number(numbers):
    names = [part_name(number, "0123456789abcdef", "parquet") for number in sorted(numbers)]
    assert names == sorted(names)


def test_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a", True),
        ("a-1.b", True),
        ("A", False),
        ("a_b", False),
        ("-a", False),
        ("a.", False),
        ("", False),
        ("a" * 253, True),
        ("a" * 254, False),
    ],
)
def test_kubernetes_names_are_recognized(name, good):
    assert is_kubernetes_name(name) is good


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("fare", '"fare"'),
        ("", '""'),
        ('a "b"', r'"a \"b\""'),
        (r"\N", r'"\\N"'),
        ("a\tb\n\x1b[1m\u202e", r'"a\tb\n\x1b[1m\u202e"'),
        ("größe", '"größe"'),
        (b"PK\x03", r'"PK\x03"'),
        (1.5, "1.5"),
        (True, "true"),
        (None, "null"),
        (["a", None, 1], '["a", null, 1]'),
    ],
)
def test_quoted_values_are_unambiguous_and_printable(value, shown):
    assert quoted(value) == shown


def test_quoted_values_that_are_too_long_end_in_an_ellipsis_after_the_quotes():
    assert quoted("abcdef", 3) == '"abc"…'
    assert quoted("abc", 3) == '"abc"'
    assert quoted(["a", "b"], 3) == '["a…'
