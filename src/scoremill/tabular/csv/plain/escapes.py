"""Escape characters in text whose quotes are regular, and the text without them."""

from __future__ import annotations

import numpy as np

from ...rows import Positions
from ..grammar import Grammar
from ..pattern import escaped_nulls
from ..positions import CR, LF, NONE, Flags, as_array, escaping
from .edits import Edits


def drop_escapes(edits: Edits, text: bytes, quotes: Positions, blanks: Positions, grammar: Grammar) -> Positions:
    """Drop escape characters; return the positions of those whose fields have to be quoted now.

    `blanks` are where runs of dropped blanks end.
    """
    if not grammar.escape or grammar.escape not in text:
        return NONE
    at = escaping(text, grammar.escape)
    is_inside = (np.searchsorted(quotes, at) & 1) == 1
    following = np.pad(as_array(text), (0, 1))[at + 1]
    before_quote = following == grammar.quote[0] if grammar.quote else np.zeros(len(at), np.bool_)
    if not grammar.dialect.escape_unquoted:
        edits.put(at[is_inside & before_quote], grammar.quote)
        edits.drop(at[is_inside & (following == grammar.escape[0])])
        ordinary: Positions = at[~is_inside & before_quote]
        edits.insert(ordinary + 1)
        return ordinary
    at_end = at + 1 == len(text)
    edits.put(at[at_end], b"\n")
    edits.put(at[before_quote], grammar.quote or b'"')
    edits.drop(at[~before_quote & ~at_end & ~_begin_nulls(text, at, quotes, blanks, grammar)])
    special: Positions = at[~is_inside & (before_quote | at_end | np.isin(following, (grammar.delimiter[0], LF, CR)))]
    return special


def quote_fields(edits: Edits, text: bytes, quotes: Positions, positions: Positions, grammar: Grammar) -> None:
    """Insert quotes around the unquoted fields that hold `positions`."""
    array = as_array(text)
    separators = np.flatnonzero((array == grammar.delimiter[0]) | (array == LF) | (array == CR))
    outside = (np.searchsorted(quotes, separators) & 1) == 0
    separators = separators[outside & ~grammar.are_escaped(text, separators)]
    after = np.unique(np.searchsorted(separators, positions))
    fenced = np.concatenate([[-1], separators, [len(text)]])
    edits.insert(fenced[after] + 1, fenced[after + 1])


def _begin_nulls(text: bytes, at: Positions, quotes: Positions, blanks: Positions, grammar: Grammar) -> Flags:
    """Return for each of `at` whether it begins a field that is the spelling of a missing value, such as `\\N`."""
    begins = np.zeros(len(at), np.bool_)
    nulls = escaped_nulls(grammar.dialect)
    if not nulls:
        return begins
    field = grammar.begin_fields(text, at, quotes) | np.isin(at, blanks)
    fenced = np.pad(as_array(text), (0, max(map(len, nulls)) + 1), constant_values=LF)
    for null in nulls:
        is_null = field & np.isin(fenced[at + len(null)], (grammar.delimiter[0], LF, CR))
        for offset, byte in enumerate(null):
            is_null &= fenced[at + offset] == byte
        begins |= is_null
    return begins
