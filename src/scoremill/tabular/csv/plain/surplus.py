"""Empty fields at the end of records that have more fields than their file has columns."""

from __future__ import annotations

import numpy as np

from ...rows import Positions
from ..grammar import Grammar
from ..positions import CR, LF, Flags, Text, as_array
from .edits import Edits


def drop_empty_surplus(text: bytes, grammar: Grammar, width: int) -> bytes:
    """Return plain text of regular quotes without the empty fields at the end of records wider than `width`."""
    if not _can_end_empty(text, grammar):
        return text
    quotes = grammar.quotes(text)
    begins = grammar.line_starts(text, quotes)
    ends = _ends(text, begins)
    delimiters = np.flatnonzero(as_array(text) == grammar.delimiter[0])
    if len(quotes):
        delimiters = delimiters[(np.searchsorted(quotes, delimiters) & 1) == 0]
    firsts, stops = np.searchsorted(delimiters, begins) + width - 1, np.searchsorted(delimiters, ends)
    wide = firsts < stops
    begins, ends, firsts, stops = begins[wide], ends[wide], firsts[wide], stops[wide]
    cuts = delimiters[firsts]
    empty = _all_empty(as_array(text), delimiters, firsts, stops, ends, grammar)
    edits = Edits(text, grammar.quote)
    edits.drop_stretches(cuts[empty], ends[empty])
    if grammar.quote:
        # A record of one empty field would become a blank line.
        blank = begins[empty & (cuts == begins)]
        edits.insert(blank, blank)
    return edits.text()


def _can_end_empty(text: bytes, grammar: Grammar) -> bool:
    tails = (grammar.delimiter, grammar.quote * 2) if grammar.quote else (grammar.delimiter,)
    is_open = bool(grammar.quote) and text.endswith(grammar.delimiter + grammar.quote)
    return (
        is_open or any(tail + newline in text for tail in tails for newline in (b"\n", b"\r")) or text.endswith(tails)
    )


def _ends(text: bytes, begins: Positions) -> Positions:
    """Where the lines at `begins` end, before their newlines."""
    array = as_array(text)
    ends = np.append(begins[1:], len(text))
    last = array[ends - 1]
    is_pair = (last == LF) & (ends - begins > 1) & (array[ends - 2] == CR)
    stops: Positions = ends - np.isin(last, (LF, CR)) - is_pair
    return stops


def _all_empty(
    array: Text,
    delimiters: Positions,
    firsts: Positions,
    stops: Positions,
    ends: Positions,
    grammar: Grammar,
) -> Flags:
    """Return for each record, which ends at `ends`, whether it has only empty fields after its delimiters `firsts` to `stops`."""
    counts = stops - firsts
    records = np.repeat(np.arange(len(counts)), counts)
    at = np.arange(len(records)) - np.repeat(np.cumsum(counts) - counts, counts) + firsts[records]
    begins = delimiters[at] + 1
    lasts = at + 1 == stops[records]
    lengths = np.where(lasts, ends[records], delimiters[np.minimum(at + 1, len(delimiters) - 1)]) - begins
    filled = lengths > 0
    if grammar.quote:
        quote = grammar.quote[0]
        padded = np.pad(array, (0, 2))
        is_pair = (lengths == 2) & (padded[begins + 1] == quote)
        # The quote that the end of the file leaves open.
        is_open = begins + 1 == len(array)
        filled &= ~((is_pair | is_open) & (padded[begins] == quote))
    empty: Flags = np.bincount(records[filled], minlength=len(counts)) == 0
    return empty
