"""The dialect in which a CSV can probably be read: changes that its beginning suggests, each tried on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from scoremill.spec import NULL_VALUES, Csv
from scoremill.tabular.csv import first_record
from scoremill.tabular.rows import BytesSource

from ..missing import is_number
from ..sample import Sample
from .preamble import Change, IsHeader, header_changes, with_changes

Read = Callable[[Csv], Sample]
"""Reads the beginning of a file in a dialect."""

_STEPS = 6
"""Changes that are combined."""
_FEW = 0.05
"""Fraction of sampled rows that can still be rejected if a change makes a file readable at all."""
_TOKENS = 3
"""Spellings of a missing value that are suggested together."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A dialect, and what it makes of the beginning of a file."""

    csv: Csv
    sample: Sample

    @property
    def errors(self) -> int:
        return sum(problem.severity == "error" for problem in self.sample.problems)

    @property
    def badness(self) -> tuple[bool, int, int, int]:
        """Return how bad the sample is: whether columns are missing, then the numbers of errors, of rows that are not scored, and of rejected rows."""
        has_no_rows = self.errors > 0 and self.sample.rows is None
        return has_no_rows, self.errors, -self.sample.accepted, self.sample.rejected


def likely_dialect(csv: Csv, data: bytes, names: Sequence[str], is_header: IsHeader, read: Read) -> Trial | None:
    """Return the dialect in which a file that begins with `data` can be read; None if none is better than `csv`.

    `names` are the possible names, in order, of the columns of a file without a header.
    """
    given = best = Trial(csv, read(csv))
    for _ in range(_STEPS):
        if not best.errors and not best.sample.rejected:
            break
        changes = [*header_changes(best.csv, data, is_header), *_changes(best, data, names)]
        trials = [Trial(changed, read(changed)) for change in changes if (changed := _changed(best.csv, change))]
        better = min(trials, key=lambda trial: trial.badness, default=best)
        if better.badness >= best.badness:
            break
        best = better
    return best if _is_good(given, best) else None


def _is_good(given: Trial, found: Trial) -> bool:
    if found.errors or found.badness >= given.badness:
        return False
    if found.sample.rejected == 0:
        return True
    # Read without its header, a file has one bad row: the header.
    rows = found.sample.accepted + found.sample.rejected
    was_unreadable = given.errors > 0 and found.csv.header == given.csv.header
    return was_unreadable and found.sample.rejected <= _FEW * rows


def _changed(csv: Csv, change: Change) -> Csv | None:
    changed = with_changes(csv, change)
    return None if changed == csv else changed


def _changes(trial: Trial, data: bytes, names: Sequence[str]) -> Iterator[Change]:
    """Yield the changes for which there is a sign in the bytes, simple ones first."""
    csv = trial.csv
    yield from _encodings(csv, data)
    yield from ({"delimiter": mark} for mark in ",;\t|" if not csv.header and mark.encode() in data)
    yield from _headerless(csv, data, names)
    if csv.delimiter.encode() + b" " in data:
        yield {"skip_initial_space": True}
    yield {"surplus_fields": "DropEmpty"}
    yield from ({"comment": mark} for mark in "#%!" if b"\n" + mark.encode() in data)
    yield from _quotes(csv, data)
    yield from _numbers(trial)
    yield from _nulls(trial)


def _encodings(csv: Csv, data: bytes) -> Iterator[Change]:
    if not data.isascii():
        yield from ({"encoding": encoding} for encoding in ("utf-8", "cp1252", "latin-1") if encoding != csv.encoding)


def _headerless(csv: Csv, data: bytes, names: Sequence[str]) -> Iterator[Change]:
    """Yield `names` for a first row that has as many fields, one of them a number."""
    for mark in dict.fromkeys((csv.delimiter, *",;\t|")):
        changed = _changed(csv, {"header": False, "columns": tuple(names), "delimiter": mark}) if csv.header else None
        first = first_record(BytesSource(data), changed) if changed else []
        if len(first) == len(names) and any(map(is_number, first)):
            yield {"header": False, "columns": tuple(names), "delimiter": mark}


def _quotes(csv: Csv, data: bytes) -> Iterator[Change]:
    has_escapes = b"\\" in data
    for quote in dict.fromkeys((csv.quote, '"', "'", "")):
        if quote.encode() in data and quote != csv.quote:
            yield {"quote": quote}
        if has_escapes and quote:
            yield {"quote": quote, "escape": "\\"}
        if has_escapes:
            yield {"quote": quote, "escape": "\\", "escape_unquoted": True}


def _numbers(trial: Trial) -> Iterator[Change]:
    """Yield decimal and thousands marks that are unambiguous: `1,234` alone can be either."""
    texts = trial.sample.unconverted
    if trial.csv.decimal == "." and any(_DECIMAL_COMMA.fullmatch(text) for text in texts):
        yield {"decimal": ","}
        yield {"decimal": ",", "thousands": "."}
    if trial.csv.decimal == "," and trial.csv.thousands is None:
        yield {"thousands": "."}
    if trial.csv.decimal == "." and any(_THOUSANDS_COMMA.fullmatch(text) for text in texts):
        yield {"thousands": ","}


_DECIMAL_COMMA = re.compile(r"\s*[+-]?(?:[\d.]*,(?!\d{3}\s*$)\d*|0,\d+)(?:[eE][+-]?\d+)?\s*")
_THOUSANDS_COMMA = re.compile(r"\s*[+-]?\d{1,3}(?:(?:,\d{3})+\.\d*|(?:,\d{3}){2,})\s*")


_NULL = re.compile(
    r"\s*(?:\W+|\\N|n\.?/?a\.?n?\.?|#?n/a|\(?null\)?|none|nil|missing|unknown|#div/0!|#value!)\s*", re.IGNORECASE
)
"""What is written for a missing value, and is no value of its own."""


def _nulls(trial: Trial) -> Iterator[Change]:
    """Yield spellings of a missing value: a few texts that are no words where values of another type are."""
    texts = trial.sample.unconverted
    if not 0 < len(texts) <= _TOKENS or not all(map(_NULL.fullmatch, texts)) or trial.sample.beginning is None:
        return
    usual = usual_nulls(trial.sample.beginning.data, trial.csv)
    stripped = dict.fromkeys(text.lstrip(" ") for text in texts)
    if list(stripped) != list(texts):
        yield {"skip_initial_space": True, "null_values": (*stripped, *usual)}
    yield {"null_values": (*texts, *usual)}


def usual_nulls(data: bytes, csv: Csv) -> list[str]:
    """Return those of the usual spellings of a missing value that a text uses: others that are given replace them."""
    return [null for null in csv.null_values if null in NULL_VALUES and can_be_field(null, data, csv)]


def can_be_field(text: str, data: bytes, csv: Csv) -> bool:
    """Return whether a field of `data` can be this text; always true for empty text."""
    mark = b"[" + re.escape(csv.delimiter.encode()) + rb"\r\n" + re.escape(csv.quote.encode()) + b"]"
    return not text or bool(re.search(mark + re.escape(text.encode()) + mark, data))
