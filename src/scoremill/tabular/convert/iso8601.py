"""ISO 8601 as warehouses export it, to points in time.

A date, then `T` or a blank and a time with 0 to 9 digits of a fraction, then `Z`, `UTC` or an offset. Each value is
read on its own: the rest of its batch changes nothing.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .instants import Integers, Ticks, ticks_at, ticks_of
from .numbers import Mask

_DATE = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?"
_NAIVE = rf"^{_DATE}(?:[T ]{_CLOCK})?$"
_IN_UTC = rf"^{_DATE}[T ]{_CLOCK}(?: UTC|Z)$"
_AT_OFFSET = rf"^{_DATE}[T ]{_CLOCK}[+-]\d{{2}}(?::?\d{{2}})?$"
"""Spellings that Arrow reads, found by patterns without groups: groups cost ten times as much."""

_FEW = 32
"""Values that are tried before all of them."""

_EXTENDED = (
    (r"^(\d{4})(\d{2})(\d{2})($|[T Z])", r"\1-\2-\3\4"),
    (r"^(\d{4})/(\d{1,2})/(\d{1,2})", r"\1-\2-\3"),
    (r"^(\d{4}-\d{2}-\d{2}[T ]\d{2})(\d{2})(\d{2})($|[ Z.+-])", r"\1:\2:\3\4"),
    (r"^(\d{4}-\d{2}-\d{2}[T ]\d{2})(\d{2})($|[ Z+-])", r"\1:\2\3"),
)
"""From the basic format (20090104T025200) and from slashes to the extended format."""
_ANY = (
    r"^(?P<year>\d{4})(?:-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2})"
    r"(?:[T ](?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{0,9})0*)?)?)?"
    r"(?: ?(?P<sign>[+-])(?P<hours>\d{2})(?::?(?P<minutes>\d{2}))?)?)?(?: ?(?:Z|UTC))?)?)?$"
)


def parse_iso(text: pa.Array, unit: str) -> Ticks:
    """Ticks of `unit`, in UTC; a value without an offset is taken to be in UTC."""
    whole = _by_arrow(text, None, unit)
    return whole if whole is not None else _by_spelling(text, unit)


def _by_arrow(text: pa.Array, zone: str | None, unit: str) -> Ticks | None:
    """All of `text` by Arrow's strict ISO 8601, 30 times as fast; None if one value is spelled in another way."""
    few = text.take(pa.array(np.linspace(0, len(text) - 1, min(len(text), _FEW)).astype(np.int64)))
    for read_as in ("us", "ns"):
        try:
            # A value that Arrow refuses costs as much as a hundred that it reads.
            pc.cast(few, pa.timestamp(read_as, zone))
            return ticks_of(pc.cast(text, pa.timestamp(read_as, zone)), unit)
        except pa.ArrowInvalid:
            continue
    return None


def _by_spelling(text: pa.Array, unit: str) -> Ticks:
    values, good = np.zeros(len(text), np.int64), np.zeros(len(text), np.bool_)
    rest = text.is_valid().to_numpy(zero_copy_only=False)
    for pattern, zone in ((_NAIVE, None), (_IN_UTC, None), (_AT_OFFSET, "UTC"), ("", None)):
        these = rest & _matches(text, pattern)
        rest = rest & ~these
        if these.any():
            some = text.filter(pa.array(these))
            some = pc.utf8_rtrim(some, " UTCZ") if pattern == _IN_UTC else some
            found = _by_arrow(some, zone, unit) if pattern else None
            values[these], good[these] = found if found is not None else _by_fields(some, unit)
    return values, good


def _matches(text: pa.Array, pattern: str) -> Mask:
    mask: Mask = pc.fill_null(pc.match_substring_regex(text, pattern), False).to_numpy(zero_copy_only=False)
    return mask


def _by_fields(text: pa.Array, unit: str) -> Ticks:
    """Any spelling, also of days that no calendar has."""
    text = pc.ascii_trim_whitespace(text)
    for pattern, replacement in _EXTENDED:
        text = pc.replace_substring_regex(text, pattern, replacement)
    fields = pc.extract_regex(text, _ANY)
    is_read = fields.is_valid().to_numpy(zero_copy_only=False)

    def number(name: str, default: int = 0) -> Integers:
        digits = pc.fill_null(pc.struct_field(fields, name), "")
        found: Integers = pc.cast(pc.if_else(pc.equal(digits, ""), str(default), digits), pa.int64()).to_numpy()
        return found

    days, is_day = _days(number("year", 1970), number("month", 1), number("day", 1))
    offset, is_offset = _seconds(number("hours"), number("minutes"), 0 * days)
    clock, is_clock = _seconds(number("hour"), number("minute"), number("second"))
    is_west = pc.fill_null(pc.equal(pc.struct_field(fields, "sign"), "-"), False).to_numpy(zero_copy_only=False)
    seconds = days * 86400 + clock - np.where(is_west, -offset, offset)
    ticks, fits = ticks_at(seconds, _nanos(fields), unit)
    return ticks, is_read & is_day & is_offset & is_clock & fits


def _days(year: Integers, month: Integers, day: Integers) -> Ticks:
    """Days since 1970, and which of them are in the calendar."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    first, following = ((months + more).astype("datetime64[D]").astype(np.int64) for more in (0, 1))
    return first + day - 1, (month > 0) & (month <= 12) & (day > 0) & (first + day <= following)


def _seconds(hour: Integers, minute: Integers, second: Integers) -> Ticks:
    """Seconds since midnight, and which of them are on the clock."""
    return hour * 3600 + minute * 60 + second, (hour < 24) & (minute < 60) & (second < 60)


def _nanos(fields: pa.Array) -> Integers:
    digits = pc.utf8_rpad(pc.fill_null(pc.struct_field(fields, "fraction"), ""), 9, "0")
    nanos: Integers = pc.cast(digits, pa.int64()).to_numpy()
    return nanos
