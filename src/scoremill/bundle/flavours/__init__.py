"""How an estimator becomes one file and is read again: one module a flavour, more by entry points."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, cast

from scoremill.errors import UsageError
from scoremill.extras import require
from scoremill.units import quoted

GROUP = "scoremill.flavours"
"""Entry points of third parties' flavours: a name and a module or object such as Flavour."""
_OURS = ("joblib", "skops")
_EXTRAS = {"skops"}
"""Those that are extras of scoremill."""


class Flavour(Protocol):
    """What a flavour is; a module with these three names will do.

    One that checks types has a function `check(path, trusted_types)` too, which is called before a bundle's code is imported.
    """

    ARTIFACT: str
    """Name of the file."""

    def dump(self, estimator: Any, path: Path) -> dict[str, Any]:
        """Write `estimator` to `path`, the same bytes for the same model; what `load` needs to know, as JSON."""

    def load(self, path: Path, facts: dict[str, Any], trusted_types: Sequence[str]) -> Any:
        """Return the estimator in `path`, in memory shared between processes if the format can.

        A format that checks types trusts its own list and `trusted_types`, which come from the user; `facts` come from
        the bundle.
        """


def flavour(name: str) -> Flavour:
    """Return the flavour called `name`. Raise UsageError if there is none."""
    if name in _EXTRAS:
        require(name, f"the bundle format {name}")
    if name in _OURS:
        return cast(Flavour, importlib.import_module(f"{__name__}.{name}"))
    for entry in entry_points(group=GROUP, name=name):
        return cast(Flavour, entry.load())
    others = ", ".join(sorted({*_OURS, *entry_points(group=GROUP).names}))
    raise UsageError(
        f"there is no bundle format {quoted(name)} here",
        f"Known are {others}; install the package that brings it.",
        code="PackageMissing",
    )
