"""Text of any dialect rewritten in the plain one, which Arrow parses: no comments, no escapes, no surplus fields.

If parity determines what each byte means, a block is edited in one step; a block of irregular quotes record by record.
"""

from __future__ import annotations

import numpy as np

from ..grammar import Grammar
from ..positions import as_array
from .blanks import drop_initial_blanks, holds_initial_blanks
from .comments import comment_lines, holds_comments
from .edits import Edits
from .escapes import drop_escapes, quote_fields
from .records import plain_records
from .surplus import drop_empty_surplus

_NEW_QUOTE = b'"'
"""The quotes of text that had none."""


def plain_text(text: bytes, grammar: Grammar, is_regular: bool, width: int) -> tuple[bytes, bytes]:
    """Return `text`, whole records, as plain CSV with as many records, and its quote character, if it has one.

    Records of more than `width` fields lose those behind them that are empty, if the dialect says so.
    """
    drops_surplus = grammar.dialect.surplus_fields == "DropEmpty"
    is_plain = not _holds_more(text, grammar)
    if not is_regular and (drops_surplus or not is_plain):
        return plain_records(text, grammar, width), grammar.quote
    quote = grammar.quote
    if not is_plain:
        text, quote = _edited(_without_comments(text, grammar), grammar)
    if drops_surplus:
        text = drop_empty_surplus(text, _plain_grammar(grammar, quote), width)
    return text, quote


def _holds_more(text: bytes, grammar: Grammar) -> bool:
    """Return whether `text` can contain what plain CSV does not have."""
    has_escapes = bool(grammar.escape) and grammar.escape in text
    return has_escapes or holds_comments(text, grammar) or holds_initial_blanks(text, grammar)


def _without_comments(text: bytes, grammar: Grammar) -> bytes:
    begins, ends = comment_lines(text, grammar.quotes(text), len(text), grammar)
    if not len(begins):
        return text
    edits = Edits(text)
    edits.drop_stretches(begins, ends)
    return edits.text()


def _edited(text: bytes, grammar: Grammar) -> tuple[bytes, bytes]:
    edits, quotes = Edits(text, grammar.quote or _NEW_QUOTE), grammar.quotes(text)
    blanks, alone = drop_initial_blanks(edits, text, quotes, grammar)
    unquoted = drop_escapes(edits, text, quotes, blanks, grammar)
    if not len(unquoted) and not len(alone):
        return edits.text(), grammar.quote
    edits.insert(alone, alone)
    if not grammar.quote:
        # Now that there are quotes, those that were ordinary characters are doubled.
        ordinary = np.flatnonzero(as_array(text) == _NEW_QUOTE[0])
        edits.insert(ordinary)
        unquoted = np.append(unquoted, ordinary)
    quote_fields(edits, text, quotes, unquoted, grammar)
    return edits.text(), grammar.quote or _NEW_QUOTE


def _plain_grammar(grammar: Grammar, quote: bytes) -> Grammar:
    plain = {"quote": quote.decode(), "escape": None, "escape_unquoted": False, "comment": None}
    return Grammar(grammar.dialect.model_copy(update={**plain, "skip_initial_space": False}))
