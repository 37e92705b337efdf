"""Blanks behind delimiters, which a dialect can drop."""

from __future__ import annotations

import numpy as np

from ...rows import Positions
from ..grammar import Grammar
from ..positions import CR, LF, NONE, SPACE, as_array
from .edits import Edits


def holds_initial_blanks(text: bytes, grammar: Grammar) -> bool:
    """Return whether a blank can begin a field of `text`."""
    if not grammar.dialect.skip_initial_space:
        return False
    return text.startswith(b" ") or any(mark + b" " in text for mark in (grammar.delimiter, b"\n", b"\r"))


def drop_initial_blanks(edits: Edits, text: bytes, quotes: Positions, grammar: Grammar) -> tuple[Positions, Positions]:
    """Drop the blanks that begin fields; return where their runs ended, and where lines hold nothing but blanks.

    Such a line is a record of one empty field, but would become a blank line.
    """
    if not holds_initial_blanks(text, grammar):
        return NONE, NONE
    array = as_array(text)
    blank = array == SPACE
    begins = np.flatnonzero(blank & ~np.append(False, blank[:-1]))
    begins = begins[grammar.begin_fields(text, begins, quotes)]
    ends = np.flatnonzero(np.append(blank[:-1] & ~blank[1:], blank[-1])) + 1
    ends = ends[np.searchsorted(ends, begins, side="right")]
    edits.drop_stretches(begins, ends)
    fenced = np.pad(array, 1, constant_values=LF)
    alone = np.isin(fenced[begins], (LF, CR)) & np.isin(fenced[ends + 1], (LF, CR))
    return ends, begins[alone]
