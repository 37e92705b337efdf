"""f(plan, ledger, manifest) → a value, and that value as text or JSON. Never runs anything."""

from .build import Report, build_report
from .text import as_text

__all__ = ["Report", "as_text", "build_report"]
