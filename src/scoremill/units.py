"""Numbers, sizes, durations and quoted values as people write them."""

from __future__ import annotations

import json
import re

_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}
_DECIMAL = {f"{prefix}{unit}": 1000**power for prefix, power in _POWERS.items() for unit in ("", "B")}
_BINARY = {f"{prefix}{unit}": 1024**power for prefix, power in _POWERS.items() for unit in ("I", "IB")}
_BYTES = {"": 1, "B": 1, **_DECIMAL, **_BINARY}

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

KIB, MIB, GIB = 2**10, 2**20, 2**30


def printable(text: str, kept: str = "\n\t") -> str:
    """Return `text` with every character but `kept` escaped that a terminal would not show, or would obey.

    Names, values and reasons come from files: a column or a bundle could otherwise move the cursor or hide a line.
    """
    return "".join(one if one.isprintable() or one in kept else one.encode("unicode_escape").decode() for one in text)


def quoted(value: object, longest: int | None = None) -> str:
    r"""Return a value as messages show it: text in double quotes, with `\"` for a quote and `\\` for a backslash in it.

    Bytes are text. Lists, mappings, true, false and null look as in JSON; other values are not quoted. Of more than
    `longest` characters the others are `…`.
    """
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    is_json = value is None or isinstance(value, bool | list | tuple | dict)
    text = json.dumps(value, ensure_ascii=False, default=str) if is_json else str(value)
    shown = text[:longest]
    if isinstance(value, str):
        shown = '"{}"'.format(shown.replace("\\", r"\\").replace('"', r"\""))
    return printable(shown, kept="") + ("…" if longest is not None and len(text) > longest else "")


def parse_bytes(text: str | int) -> int:
    """The number of bytes in `64MiB`, `1.5Gi`, `500MB` or `1024`; ValueError otherwise."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([A-Za-z]*)\s*", str(text))
    if match is None or match[2].upper() not in _BYTES:
        raise ValueError(f"{quoted(text)} is not a size such as 64MiB, 1.5Gi or 1024")
    return int(float(match[1]) * _BYTES[match[2].upper()])


def format_bytes(count: float) -> str:
    """`count` bytes for people, with binary units: `64 MiB`, `1.5 GiB`."""
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    while abs(count) >= 1024 and len(units) > 1:
        count /= 1024
        units.pop(0)
    return f"{count:.0f} {units[0]}" if count == int(count) else f"{count:.1f} {units[0]}"


def exact_size(count: int) -> str | int:
    """Return `count` bytes as a job file has them, such as `64MiB`; the number itself if that would not be exact."""
    text = format_bytes(count).replace(" ", "")
    return text if parse_bytes(text) == count else count


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, such as `1 partition` or `1,024 partitions`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def parse_seconds(text: str) -> float:
    """The seconds in `90`, `90s`, `30m`, `1.5h` or `2d`; ValueError otherwise."""
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([smhd]?)\s*", text)
    if match is None:
        raise ValueError(f"{quoted(text)} is not a time such as 90s, 30m or 1.5h")
    return float(match[1]) * _SECONDS[match[2]]


def format_seconds(seconds: float) -> str:
    """A duration for people: `0.4 s`, `42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
