"""List and sample the input: the only I/O before the first worker starts."""

from .discover import Excluded, discover
from .earlier import Earlier
from .problem import Problem
from .source import Source

__all__ = ["Earlier", "Excluded", "Problem", "Source", "discover"]
