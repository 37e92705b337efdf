"""Comment lines, whose quotes mean nothing.

A comment line with an even number of quotes leaves parity as it is; one with an odd number is irregular, and so is one
that ends with an escape character.
"""

from __future__ import annotations

import numpy as np

from ...rows import Positions
from ..grammar import Grammar
from ..positions import CR, LF, NONE, as_array, newline_ends


def holds_comments(text: bytes, grammar: Grammar) -> bool:
    """Return whether a line of `text`, which begins with one, begins as comments do."""
    mark = grammar.comment
    if not mark or mark not in text:
        return False
    return text.startswith(mark) or b"\n" + mark in text or b"\r" + mark in text


def comment_lines(text: bytes, quotes: Positions, stop: int, grammar: Grammar) -> tuple[Positions, Positions]:
    """Where the comments that begin before `stop` begin, and end behind their newlines, by the parity of `quotes`."""
    if not holds_comments(text, grammar):
        return NONE, NONE
    begins = grammar.line_starts(text, quotes)
    begins = begins[(begins < stop) & (as_array(text)[begins] == grammar.comment[0])]
    ends = np.append(newline_ends(text, final=True), len(text))
    return begins, ends[np.searchsorted(ends, begins, side="right")]


def quotes_outside_comments(text: bytes, quotes: Positions, stop: int, grammar: Grammar) -> Positions | None:
    """Those of `quotes` that are not in comments; None if a comment before `stop` is irregular."""
    begins, ends = comment_lines(text, quotes, stop, grammar)
    if not len(begins):
        return quotes
    is_odd = (np.searchsorted(quotes, ends) - np.searchsorted(quotes, begins)) & 1 == 1
    is_ended = np.isin(as_array(text)[ends - 1], (LF, CR))
    if (is_odd & is_ended).any() or grammar.are_escaped(text, ends - 1).any():
        return None
    comment = np.searchsorted(begins, quotes, side="right") - 1
    return quotes[(comment < 0) | (quotes >= ends[comment])]
