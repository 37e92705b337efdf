"""From what a user names to the objects that are meant."""

from __future__ import annotations

import re

from scoremill.errors import InputError
from scoremill.spec import Storage

from .nearby import nearby
from .objects import Found, ObjectInfo
from .store import DEFAULTS, Store
from .uri import normalise, protocol_of

_MAGIC = re.compile(r"[*?\[]")


def find(uri: str, settings: Storage = DEFAULTS) -> list[Found]:
    """The objects that `uri` stands for, sorted by name: one object, all below a folder, or those a glob matches.

    `*` and `?` stay within a folder, `**` does not. Names with a part that begins with `_` or `.` are left out
    unless that part is written out. Raises InputError if nothing is found.
    """
    uri = normalise(uri)
    objects = _literal(uri, settings) or (_matching(uri, settings) if _MAGIC.search(uri) else [])
    if not objects:
        raise InputError(f"nothing is found at {uri}", _closest(uri, settings) or _mend(uri))
    return objects


def _literal(uri: str, settings: Storage) -> list[Found]:
    root, name = _split(uri)
    if name:
        store = Store(root, settings)
        info = store.info(name)
        if info is not None:
            return [_found(root, info)]
    if protocol_of(uri) in {"s3", "gs"}:
        prefix = f"{name}/" if name else ""
    else:
        root, prefix = uri, ""
    listed = Store(root, settings).list(prefix)
    return [_found(root, one) for one in listed if not _is_hidden(one.name[len(prefix) :])]


def _matching(uri: str, settings: Storage) -> list[Found]:
    first = _MAGIC.search(uri)
    assert first is not None
    root, pattern = _split(uri, uri.rfind("/", 0, first.start()))
    prefix = pattern[: match.start()] if (match := _MAGIC.search(pattern)) else pattern
    wanted = glob_pattern(pattern)
    return [_found(root, one) for one in Store(root, settings).list(prefix) if wanted.fullmatch(one.name)]


def glob_pattern(glob: str) -> re.Pattern[str]:
    """What names a glob matches, folder by folder; see `find` for its rules."""
    *folders, last = glob.split("/")
    parts = [r"(?:(?![_.])[^/]+/)*" if one == "**" else f"{_segment(one)}/" for one in folders]
    parts.append(r"(?:(?![_.])[^/]+/)*(?![_.])[^/]+" if last == "**" else _segment(last))
    return re.compile("".join(parts), re.DOTALL)


def _segment(glob: str) -> str:
    guard = "" if glob[:1] in {"_", "."} or not _MAGIC.search(glob) else r"(?![_.])"
    return guard + re.sub(r"\*+|\?|\[[!^]?\]?[^\]]*\]|.", _token, glob, flags=re.DOTALL)


def _token(match: re.Match[str]) -> str:
    text = match[0]
    if text[0] in "*?":
        return "[^/]*" if text[0] == "*" else "[^/]"
    if len(text) > 2:
        negated = text[1] in "!^"
        chosen = text[1 + negated : -1].replace("\\", r"\\").replace("]", r"\]").replace("[", r"\[")
        return f"(?!/)[{'^' if negated else ''}{chosen}]"
    return re.escape(text)


def _split(uri: str, slash: int | None = None) -> tuple[str, str]:
    """Root and name: the bucket and the key, or the folder that ends at `slash` (by default the last) and the rest."""
    start = uri.find("://") + 3 if "://" in uri else 0
    if protocol_of(uri) in {"s3", "gs"}:
        bucket, _, key = uri[start:].partition("/")
        return uri[:start] + bucket, key
    at = uri.rfind("/") if slash is None else slash
    if at < start:
        return (".", uri) if start == 0 else (uri, "")
    return uri[:at] or "/", uri[at + 1 :]


def _found(root: str, info: ObjectInfo) -> Found:
    return Found(root, info.name, info.size, info.version, info.modified)


def _is_hidden(name: str) -> bool:
    return any(part[:1] in {"_", "."} for part in name.split("/"))


def _closest(uri: str, settings: Storage) -> str:
    close = nearby(uri, settings)
    verb = "name is" if len(close) == 1 else "names are"
    return f"The closest {verb} {', '.join(close)}." if close else ""


def _mend(uri: str) -> str:
    if _MAGIC.search(uri):
        return "A glob matches objects, not folders: `*` stays within a folder, `**` goes through all below it."
    return "Check the name; names that begin with `_` or `.` count only where they are written out."
