"""A column as model, plan and files agree on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """Name and type of one column; what a model wants, what a file holds, or what a method gives."""

    name: str
    dtype: str
    """A pandas dtype's name: `float64`, `int64`, `string`, `bool`, `category`, `datetime64[ns]`, …"""
    categories: tuple[str | int | float | bool, ...] | None = None
    """Of a `category` column: its categories, in their order."""
    ordered: bool = False
    """Of a `category` column: whether that order means something."""
