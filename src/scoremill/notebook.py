"""How values look in a notebook: small HTML tables."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


def html_table(title: str, fields: Mapping[str, object]) -> str:
    """Return `fields` as an HTML table of two columns; numbers have separators, and what is None is left out."""
    rows = (
        f"<tr><th>{escape(name)}</th><td>{escape(_shown(value))}</td></tr>"
        for name, value in fields.items()
        if value is not None
    )
    return f"<table><caption>{escape(title)}</caption>{''.join(rows)}</table>"


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
