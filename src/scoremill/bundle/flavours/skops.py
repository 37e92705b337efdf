"""skops' file: no pickle, types checked one by one; zipped, so it cannot be mapped into memory."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import skops.io

ARTIFACT = "model.skops"

_IDENTITY = re.compile(r'("__id__": |"file": ")(\d+)')


def dump(estimator: Any, path: Path) -> dict[str, Any]:
    """Write `estimator` to `path`; types beyond those that skops knows are those that the packer vouches for."""
    data = skops.io.dumps(estimator)
    path.write_bytes(_canonical(data))
    return {"trusted": skops.io.get_untrusted_types(file=path)}


def load(path: Path, facts: dict[str, Any]) -> Any:
    """The estimator in `path`; skops refuses any type that was not vouched for when it was packed."""
    return skops.io.load(path, trusted=facts["trusted"])


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
