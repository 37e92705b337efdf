"""Makes it happen: the task, the engines that run it, and the driver that accounts for every row."""

from .api import build_plan, engine_for, preview, score, table_of, verify
from .driver import execute
from .prepare import Prepared, prepare

__all__ = [
    "Prepared",
    "build_plan",
    "engine_for",
    "execute",
    "prepare",
    "preview",
    "score",
    "table_of",
    "verify",
]
