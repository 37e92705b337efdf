"""f(plan, ledger, manifest) → a value, and that value as text or JSON. Never runs anything."""

from .build import Report, build_report
from .read import read_report
from .text import as_text
from .warnings import warnings_of

__all__ = ["Report", "as_text", "build_report", "read_report", "warnings_of"]
