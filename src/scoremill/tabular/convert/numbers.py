"""Text to numbers and truth values, as pandas.read_csv(float_precision="round_trip") reads them.

Each function gives the values, null where they do not convert, and a mask of those that do not (None: all do).
Arrow's own cast is tried first; what it refuses, or takes though pandas would not, goes the longer way.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoremill.spec import Csv

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
Parsed = tuple[pa.Array, Mask | None]

_INFINITY = r"^[+-]?(?i:inf|infinity)$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_EXACT = 15
"""Digits that surely fit an int64, and a float64 exactly."""


def parse_float(text: pa.Array, dialect: Csv, kind: pa.DataType) -> Parsed:
    """Floating-point numbers; surrounding ASCII blanks are let pass, hexadecimal and `nan` are not."""
    values = _cast(text, pa.float64()) if dialect.decimal == "." else None
    # Arrow takes spellings such as NAN(1), which are none of the dialect's nulls.
    if values is not None and not pc.any(pc.is_nan(values)).as_py():
        return _narrow_float(values, kind), None
    easy = _marks(text) <= 1 if dialect.decimal == "." else np.zeros(len(text), np.bool_)
    values, bad = _by_parts(text, easy, pa.float64(), lambda hard: _parse_hard_float(hard, dialect))
    return _narrow_float(values, kind), bad


def _parse_hard_float(text: pa.Array, dialect: Csv) -> Parsed:
    plain = _plain(text, dialect)
    is_infinite = _matches(text, _INFINITY)
    is_number = pc.or_(_matches(plain, _NUMBER), is_infinite)
    spelled = pc.if_else(is_infinite, text, plain)
    values = pc.cast(pc.if_else(is_number, spelled, pa.scalar(None, pa.string())), pa.float64())
    return values, _refused(text, is_number)


def parse_int(text: pa.Array, dialect: Csv, kind: pa.DataType) -> Parsed:
    """Integers; `1.0` and `1e3` are ones, `0x1` is not, and what overflows is not."""
    values = _cast(text, kind)
    if values is not None and not _has_hex(text):
        return values, None
    easy = (_marks(text) == 0) & (pc.fill_null(pc.binary_length(text), 0).to_numpy() <= _EXACT) & (kind == pa.int64())
    return _by_parts(text, easy, kind, lambda hard: _parse_hard_int(hard, dialect, kind))


def _parse_hard_int(text: pa.Array, dialect: Csv, kind: pa.DataType) -> Parsed:
    plain = _plain(text, dialect)
    # Up to 15 digits an integer is the same by way of a float64, which reads exponents too.
    is_digits = _matches(plain, r"^[+-]?\d+$")
    is_long = pc.and_(is_digits, pc.greater(pc.utf8_length(plain), _EXACT))
    is_float = pc.and_(_matches(plain, _NUMBER), pc.invert(is_long))
    floats = _numbers(pc.cast(pc.if_else(is_float, plain, pa.scalar(None, pa.string())), pa.float64()))
    low, high = _bounds(kind)
    fits = (floats == np.floor(floats)) & (floats >= low) & (floats < float(high) + 1)
    numbers = np.where(fits, floats, 0).astype(kind.to_pandas_dtype())
    for i in np.flatnonzero(is_long.to_numpy(zero_copy_only=False)):
        whole = int(plain[i].as_py())
        if low <= whole <= high:
            numbers[i], fits[i] = whole, True
    return pa.array(numbers, kind, mask=~fits), _refused(text, pa.array(fits))


def parse_bool(text: pa.Array, dialect: Csv) -> Parsed:
    """Truth values, by the dialect's spellings; the numbers 1 and 0 too, as pandas takes a column of those."""
    is_true = pc.is_in(text, pa.array(dialect.true_values, pa.string()))
    is_known = pc.or_(is_true, pc.is_in(text, pa.array(dialect.false_values, pa.string())))
    known = is_known.to_numpy(zero_copy_only=False) | ~_valid(text)
    if not known.all():
        floats = _numbers(parse_float(text, dialect, pa.float64())[0])
        is_true = pc.or_(is_true, pa.array(~known & (floats == 1)))
        is_known = pa.array(known | (floats == 1) | (floats == 0))
    values = pc.if_else(pc.and_(is_known, pc.is_valid(text)), is_true, pa.scalar(None, pa.bool_()))
    return values, _refused(text, is_known)


def _by_parts(text: pa.Array, easy: Mask, kind: pa.DataType, parse_hard: Callable[[pa.Array], Parsed]) -> Parsed:
    """The easy values by Arrow's cast, the others by `parse_hard`: patterns cost ten times as much."""
    hard = pa.array(~easy)
    values, bad = parse_hard(text.filter(hard))
    values = pc.replace_with_mask(pc.cast(pc.if_else(hard, pa.scalar(None, pa.string()), text), kind), hard, values)
    if bad is None:
        return values, None
    mask = np.zeros(len(text), np.bool_)
    mask[np.flatnonzero(~easy)[bad]] = True
    return values, mask


_MANY = 1000
_WEIGHTS = np.full(256, _MANY, np.int64)
_WEIGHTS[ord("0") : ord("9") + 1] = 0
_WEIGHTS[ord(".")] = 1


def _marks(text: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Points in each value of digits and points with a minus at most in front; a large number for any other."""
    _, offsets, data = text.buffers()
    if data is None or not len(text):
        return np.full(len(text), _MANY)
    bounds = np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1].astype(np.int64)
    letters = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]
    bounds -= bounds[0]
    sums = np.concatenate([[0], np.cumsum(_WEIGHTS[letters])])
    weights: np.ndarray[tuple[int], np.dtype[np.int64]] = sums[bounds[1:]] - sums[bounds[:-1]]
    lengths = np.diff(bounds)
    has_minus = np.zeros(len(text), np.bool_)
    has_minus[lengths > 0] = letters[bounds[:-1][lengths > 0]] == ord("-")
    weights[has_minus] -= _MANY
    return np.where(lengths - has_minus > weights, weights, _MANY)


def _plain(text: pa.Array, dialect: Csv) -> pa.Array:
    """`text` without surrounding blanks, in digits, point and exponent; what is no number stays none."""
    text = pc.ascii_trim_whitespace(text)
    if dialect.decimal == "." and not dialect.thousands:
        return text
    point, group = re.escape(dialect.decimal), re.escape(dialect.thousands or "")
    whole = rf"\d[\d{group}]*" if group else r"\d+"
    is_local = _matches(text, rf"^[+-]?({whole}({point}\d*)?|{point}\d+)([eE][+-]?\d+)?$")
    plain = pc.replace_substring(text, dialect.thousands, "") if dialect.thousands else text
    plain = pc.replace_substring(plain, dialect.decimal, ".")
    return pc.if_else(is_local, plain, "")


def _cast(text: pa.Array, kind: pa.DataType) -> pa.Array | None:
    try:
        return pc.cast(text, kind)
    except pa.ArrowInvalid:
        return None


def _narrow_float(values: pa.Array, kind: pa.DataType) -> pa.Array:
    return values if values.type == kind else pc.cast(values, kind, safe=False)


def _numbers(values: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """float64 with NaN for nulls."""
    numbers: np.ndarray[tuple[int], np.dtype[np.float64]] = values.to_numpy(zero_copy_only=False)
    return numbers


def _matches(text: pa.Array, pattern: str) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(text, pattern), False)


def _valid(values: pa.Array) -> Mask:
    mask: Mask = values.is_valid().to_numpy(zero_copy_only=False)
    return mask


def _refused(text: pa.Array, is_good: pa.Array) -> Mask | None:
    bad = _valid(text) & ~is_good.to_numpy(zero_copy_only=False)
    return bad if bad.any() else None


def _bounds(kind: pa.DataType) -> tuple[int, int]:
    info = np.iinfo(kind.to_pandas_dtype())
    return int(info.min), int(info.max)


def _has_hex(text: pa.Array) -> bool:
    """Return whether `text` can contain an x: Arrow reads 0x1F as 31."""
    data = text.buffers()[2]
    return data is not None and bool((np.frombuffer(data, np.uint8) | 0x20 == ord("x")).any())
