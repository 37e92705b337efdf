"""Points in time as whole ticks of a unit since 1970 in UTC: exact, and none if the unit cannot hold them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .numbers import Mask, Parsed

Integers = np.ndarray[tuple[int], np.dtype[np.int64]]
Ticks = tuple[Integers, Mask]
"""Ticks, and which of them are points in time."""

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_LARGEST = 2**63 - 1


def ticks_of(stamps: pa.Array, unit: str) -> Ticks:
    """Timestamps in UTC as ticks of `unit`; what is finer is cut off towards the past, as pandas does."""
    ticks = pc.fill_null(stamps.cast(pa.int64()), 0).to_numpy()
    good = stamps.is_valid().to_numpy(zero_copy_only=False)
    have, want = PER_SECOND[stamps.type.unit], PER_SECOND[unit]
    if want <= have:
        # The least int64 is how pandas spells a missing time.
        return (ticks // (have // want) if want < have else ticks), good & (ticks != -_LARGEST - 1)
    factor = want // have
    fits = good & (ticks <= _LARGEST // factor) & (ticks >= -(_LARGEST // factor))
    return np.where(fits, ticks, 0) * factor, fits


def ticks_at(seconds: Integers, nanos: Integers, unit: str) -> Ticks:
    """Seconds since 1970 and nanoseconds after them (0 to 999,999,999) as ticks of `unit`."""
    per = PER_SECOND[unit]
    parts = nanos // (10**9 // per)
    (low, low_parts), (high, high_parts) = divmod(-_LARGEST, per), divmod(_LARGEST, per)
    late = (seconds > low) | ((seconds == low) & (parts >= low_parts))
    early = (seconds < high) | ((seconds == high) & (parts <= high_parts))
    # Near the bounds the product overflows and the sum brings it back.
    return seconds * per + parts, late & early


def as_timestamps(ticks: Ticks, is_given: pa.Array, kind: pa.DataType) -> Parsed:
    """Ticks of the unit of `kind` as such an array; in the mask those that are given and are no points in time."""
    values, good = ticks
    array = pa.array(values, mask=~good).cast(kind)
    bad = is_given.to_numpy(zero_copy_only=False) & ~good
    return array, bad if bad.any() else None
