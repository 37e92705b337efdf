"""From what a user names to the objects that are meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scoremill.errors import InputError
from scoremill.naming import MANIFEST
from scoremill.spec import Storage
from scoremill.spec.mention import mention

from ..store import DEFAULTS, Store
from ..stores.objects import Found, ObjectInfo
from ..uri import WILDCARD, has_wildcard, join, normalise, protocol_of
from .nearby import nearby
from .selection import Selection, select


@dataclass(frozen=True, slots=True)
class Findings:
    """What a URI stands for."""

    objects: list[Found]
    """Sorted by name."""
    in_outputs: dict[str, int]
    """Number of objects left out because they belong to a scoremill output below the URI, by that output's URI."""


def find(uri: str, settings: Storage = DEFAULTS, *, allow_empty: bool = False) -> Findings:
    """Find the objects that `uri` stands for: one object, all below a folder, or those that a glob matches.

    `*` and `?` stay within a folder, `**` does not. Names with a part that begins with `_` or `.` are left out
    unless that part is written out. Directory markers are never found, nor is what lies in a scoremill output below
    the folder that is named (for a glob, the folder before its first wildcard). Raises InputError if nothing is found,
    unless `allow_empty`, or if the folder is a scoremill output that is not complete.
    """
    is_folder = uri.endswith("/")
    uri = normalise(uri)
    found = _literal(uri, settings, is_folder=is_folder)
    if not found.objects and has_wildcard(uri):
        found = _matching(uri, settings)
    if not found.objects and not allow_empty:
        raise InputError(f"nothing is found at {uri}", _hint(uri, settings, found.in_outputs), code="InputNotFound")
    return found


def find_outputs(glob: str, settings: Storage = DEFAULTS) -> list[str]:
    """Return the URIs of the complete scoremill outputs that `glob` matches, sorted."""
    root, pattern, listed = _listed(f"{normalise(glob)}/{MANIFEST}", settings)
    matches = glob_pattern(pattern).fullmatch
    return [join(root, one.name.removesuffix(f"/{MANIFEST}")) for one in listed if matches(one.name)]


def _literal(uri: str, settings: Storage, *, is_folder: bool) -> Findings:
    """Find the object `uri`, or what is below it; an empty object with others below it is a directory marker."""
    root, name = _split(uri)
    info = Store(root, settings).info(name) if name else None
    alone = Findings([_found(root, info)] if info is not None else [], {})
    if info is not None and info.size and not is_folder:
        return alone
    below = _below(uri, settings)
    return alone if below is None else below


def _below(uri: str, settings: Storage) -> Findings | None:
    """Find what is below the folder `uri`; None if there is no object at all, hidden ones included."""
    root, name = _split(uri)
    if protocol_of(uri) in {"s3", "gs"}:
        folder = f"{name}/" if name else ""
    else:
        root, folder = uri, ""
    listed = Store(root, settings).list(folder)
    if not listed:
        return None
    selection = select(listed, folder, lambda one: not _is_hidden(one[len(folder) :]))
    if selection.is_incomplete_output:
        raise InputError(
            f"{uri} is an output of scoremill that is not complete",
            "Complete it first with the command that began it, or name its parts with a glob.",
            code="InputIncomplete",
        )
    return _findings(root, selection)


def _matching(uri: str, settings: Storage) -> Findings:
    root, pattern, listed = _listed(uri, settings)
    folder = pattern[: pattern.rfind("/", 0, _wildcard_at(pattern)) + 1]
    matches = glob_pattern(pattern).fullmatch
    return _findings(root, select(listed, folder, lambda name: matches(name) is not None))


def _listed(glob: str, settings: Storage) -> tuple[str, str, list[ObjectInfo]]:
    """Return a root, the glob below it, and all objects whose names begin as the glob does."""
    root, pattern = _split(glob, glob.rfind("/", 0, _wildcard_at(glob)))
    return root, pattern, Store(root, settings).list(pattern[: _wildcard_at(pattern)])


def _wildcard_at(glob: str) -> int:
    """Return where the first wildcard is; the end if there is none."""
    found = WILDCARD.search(glob)
    return found.start() if found else len(glob)


def _findings(root: str, selection: Selection) -> Findings:
    outputs = {join(root, name): count for name, count in selection.outputs.items()}
    return Findings([_found(root, one) for one in selection.objects], outputs)


_FOLDER = r"(?:(?![_.])[^/]+/)"
_WILD_SEGMENT = r"(?![_.])[^/]+"


def glob_pattern(glob: str) -> re.Pattern[str]:
    """What names a glob matches, folder by folder; see `find` for its rules.

    What follows a wildcard is found at its first place only (an atomic group): what a later place would leave to the
    next wildcard, the first leaves too. So no name takes long, however many wildcards there are.
    """
    head, *runs = _runs(glob.split("/"))
    if not runs:
        return re.compile("/".join(head), re.DOTALL)
    *middle, tail = runs
    found = "".join(f"(?>{_FOLDER}*?{''.join(f'{one}/' for one in run)})" for run in middle if run)
    last = "/".join(tail) or _WILD_SEGMENT
    return re.compile("".join(f"{one}/" for one in head) + found + f"{_FOLDER}*{last}", re.DOTALL)


def _runs(segments: list[str]) -> list[list[str]]:
    """The patterns of the segments between `**`."""
    runs: list[list[str]] = [[]]
    for one in segments:
        if one == "**":
            runs.append([])
        else:
            runs[-1].append(_segment(one))
    return runs


def _segment(glob: str) -> str:
    guard = "" if glob[:1] in {"_", "."} or not has_wildcard(glob) else r"(?![_.])"
    tokens = re.findall(r"\*+|\?|\[[!^]?\]?[^\]]*\]|.", glob, flags=re.DOTALL)
    stars = [at for at, token in enumerate(tokens) if token[0] == "*"]
    if not stars:
        return guard + "".join(map(_token, tokens))
    bounds = zip([None, *stars], [*stars, None], strict=True)
    first, *middle, last = ("".join(map(_token, tokens[_after(begin) : end])) for begin, end in bounds)
    return guard + first + "".join(f"(?>[^/]*?{one})" for one in middle if one) + f"[^/]*{last}"


def _after(at: int | None) -> int:
    return 0 if at is None else at + 1


def _token(text: str) -> str:
    if text == "?":
        return "[^/]"
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


def _hint(uri: str, settings: Storage, in_outputs: Mapping[str, int]) -> str:
    if in_outputs:
        output = next(iter(in_outputs))
        return f"All objects there belong to outputs of scoremill. To score one of them, name it: {mention('spec.input.uris', [output])}"
    if close := _closest(uri, settings):
        return close
    if has_wildcard(uri):
        return "A glob matches objects, not folders: `*` stays within a folder, `**` goes through all below it."
    return "Check the name; names that begin with `_` or `.` match only if they are written out."
