"""skops' file: no pickle, types checked one by one; zipped, so it cannot be mapped into memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import skops.io

from scoremill.bundle.trust import check_types

ARTIFACT = "model.skops"

_IDENTITY = re.compile(r'("__id__": |"file": ")(\d+)')


def dump(estimator: Any, path: Path) -> dict[str, Any]:
    """Write `estimator` to `path`; return the types that must be trusted to load it."""
    data = skops.io.dumps(estimator)
    path.write_bytes(_canonical(data))
    return {"types": skops.io.get_untrusted_types(file=path)}


def load(path: Path, facts: dict[str, Any], trusted_types: Sequence[str] = ()) -> Any:
    """Return the estimator in `path`; raise TrustError for types that neither skops nor the user trusts.

    The bundle's own list does not count: it is written by who wrote the file.
    """
    check(path, trusted_types)
    return skops.io.load(path, trusted=list(trusted_types))


def check(path: Path, trusted_types: Sequence[str]) -> None:
    """Return if the user trusts all types in `path` that skops does not; TrustError names the others. Imports none."""
    check_types(path.name, skops.io.get_untrusted_types(file=path), trusted_types)


def _canonical(data: bytes) -> bytes:
    """The same file without addresses and the time of day, so that the same model has the same bytes."""
    numbers: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return match[1] + numbers.setdefault(match[2], str(len(numbers)))

    target = BytesIO()
    with ZipFile(BytesIO(data)) as old, ZipFile(target, "w") as new:
        schema = _IDENTITY.sub(number, old.read("schema.json").decode())
        members = [name for name in old.namelist() if name != "schema.json"]
        for name in sorted(members, key=lambda name: int(numbers[name.split(".")[0]])):
            stem, _, suffix = name.partition(".")
            new.writestr(ZipInfo(f"{numbers[stem]}.{suffix}"), old.read(name))
        new.writestr(ZipInfo("schema.json"), schema)
    return target.getvalue()
