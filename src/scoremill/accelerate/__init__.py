"""Run the steps of a fitted pipeline once for each distinct value of a batch, with the same results in every bit.

Usable without the rest of scoremill: it needs NumPy, pandas and scikit-learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pipeline import accelerate, accelerated, examine

__all__ = ["accelerate", "accelerated", "examine"]


def __getattr__(name: str) -> Any:
    # Only those who load a model pay for scikit-learn.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import pipeline

    return getattr(pipeline, name)
