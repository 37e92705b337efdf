"""A profile of a model, as tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from scoremill.units import printable

from .display import echo

if TYPE_CHECKING:
    from scoremill.execute.profile import BatchProfile, ModelProfile


def show_profile(profile: ModelProfile) -> None:
    """Print the seconds of each step, and of the whole call for several numbers of rows."""
    largest = profile.batches[-1]
    echo(f"{profile.bundle.model_class}.{profile.method}, {largest.rows:,} rows, one thread, medians")
    echo(f"{'step':<50} {'original':>11} {'share':>6} {'accelerated':>12}")
    for name, original, accelerated in _lines(largest):
        share = f"{100 * original / largest.original.total:.0f} %"
        after = f"{1e3 * accelerated:.1f} ms" if accelerated else "not called"
        echo(printable(f"{name:<50} {1e3 * original:>8.1f} ms {share:>6} {after:>12}", ""))
    echo(f"\n{'rows in a call':<14} {'original':>16} {'accelerated':>16}")
    for batch in profile.batches:
        per_row = [f"{1e9 * each.total / batch.rows:,.0f} ns/row" for each in (batch.original, batch.accelerated)]
        echo(f"{batch.rows:<14,} {per_row[0]:>16} {per_row[1]:>16}")
    echo(f"\nfewest seconds per row: --set spec.model.batchRows={profile.best.rows}")


def _lines(batch: BatchProfile) -> list[tuple[str, float, float]]:
    """Return each step with its seconds, then what is left, and the whole."""
    original, accelerated = batch.original, batch.accelerated
    steps = [(name, original.steps[name], accelerated.steps[name]) for name in _outer_first(list(original.steps))]
    outer = [name for name in original.steps if not _is_inside(name, original.steps)]
    rest = [each.total - sum(each.steps[name] for name in outer) for each in (original, accelerated)]
    return [*steps, ("the rest", rest[0], rest[1]), ("all", original.total, accelerated.total)]


def _outer_first(names: list[str]) -> list[str]:
    """Return `names` in their order, but each step before the steps inside it."""
    found: list[str] = []
    for outer in (name for name in names if not _is_inside(name, names)):
        found += [outer, *_outer_first([name for name in names if _is_inside(name, [outer])])]
    return found


def _is_inside(name: str, others: Iterable[str]) -> bool:
    return any(name.startswith(f"{other}__") for other in others)
