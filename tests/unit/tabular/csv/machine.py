"""CSV whose escape character counts only inside quotes, before a quote or itself, read character by character.

Spark, PostgreSQL and DuckDB read it so; Python's csv module cannot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from scoremill.spec import Csv


def rows(text: str, dialect: Csv) -> Iterator[list[str]]:
    """The rows of `text`, without blank lines and comments."""
    while text:
        if dialect.comment and text[0] == dialect.comment:
            text = text[len(re.match(r"[^\r\n]*(\r\n?|\n)?", text)[0]) :]  # type: ignore[index]
            continue
        row, text = _row(text, dialect)
        if row:
            yield row


def _row(text: str, dialect: Csv) -> tuple[list[str], str]:
    """The first row, empty if it is a blank line, and the text behind its newline."""
    fields: list[str] = []
    if text[0] in "\r\n":
        return [], text[2 if text.startswith("\r\n") else 1 :]
    at = 0
    while True:
        value, at = _field(text, at, dialect)
        fields.append(value)
        if at == len(text) or text[at] != dialect.delimiter:
            newline = 2 if text.startswith("\r\n", at) else 1
            return fields, text[at + newline :]
        at += 1


def _field(text: str, at: int, dialect: Csv) -> tuple[str, int]:
    value, state = "", "start"
    while at < len(text):
        char = text[at]
        if state == "quoted":
            if char == dialect.escape and text[at + 1 : at + 2] in {dialect.quote, dialect.escape}:
                value, at = value + text[at + 1], at + 1
            elif char == dialect.quote and text[at + 1 : at + 2] == dialect.quote:
                value, at = value + char, at + 1
            elif char == dialect.quote:
                state = "text"
            else:
                value += char
        elif char == dialect.delimiter or char in "\r\n":
            break
        elif state == "start" and char == " " and dialect.skip_initial_space:
            pass
        elif state == "start" and char == dialect.quote:
            state = "quoted"
        else:
            value, state = value + char, "text"
        at += 1
    return value, at
