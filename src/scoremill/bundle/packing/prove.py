"""The proof of a bundle: a clean process loads it and scores the sample whole, again, cut and permuted."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scoremill.errors import ModelError, ScoremillError, UsageError
from scoremill.spec import Storage

from ..load import explained, load_estimator
from ..read import inspect
from ..results import TOLERANCE, Results, call, difference
from ..steps import examined
from ..threads import ONE_THREAD, limit_threads
from .batch_rows import measured_batch_rows

Score = Callable[[pd.DataFrame], Results]


@dataclass(frozen=True)
class Claim:
    """A bundle in a local folder, rows, and what the model gave for them before it was packed."""

    folder: str
    frame: pd.DataFrame
    expected: dict[str, Results]
    trusted_types: tuple[str, ...] = ()
    measure_batch: bool = False
    """True if the number of rows in one call must be measured, too."""


@dataclass(frozen=True)
class Proof:
    """What the clean process found of one method."""

    loaded: float
    """Difference between the model before and after it was packed."""
    again: float
    """Difference between two calls on the same rows."""
    apart: float
    """Difference between calls on other batches of the same rows."""


@dataclass(frozen=True)
class Proven:
    """What the clean process found of a bundle."""

    methods: dict[str, Proof]
    steps: dict[str, str]
    """Each transformer, and why it cannot run on distinct rows; empty if it can."""
    batch_rows: int | None = None
    """Measured number of rows in one call."""


def prove(claims: Sequence[Claim]) -> list[Proven | ScoremillError]:
    """Return for each claim what was found, or why it cannot be loaded or scored in a clean process."""
    with tempfile.TemporaryDirectory(prefix="scoremill-proof-") as place:
        request, answer = Path(place, "request"), Path(place, "answer")
        request.write_bytes(pickle.dumps(list(claims)))
        done = subprocess.run(
            [sys.executable, "-P", "-c", _ENTRANCE, _root(), str(request), str(answer)],
            cwd=place,
            env=_environment(place),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if not answer.exists():
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise ModelError(f"the process that proves the bundle ended with code {done.returncode}: {last}")
        return [_read(found) for found in json.loads(answer.read_text())]


def main(request: str, answer: str) -> None:
    """In the clean process: read the claims from `request`, write what was found to `answer`."""
    limit_threads()
    claims = pickle.loads(Path(request).read_bytes())
    Path(answer).write_text(json.dumps([_examined(claim) for claim in claims]))


# Ours comes last on the path: a folder of packages must not come before the standard library.
_ENTRANCE = (
    "import sys; sys.path.append(sys.argv[1]); from scoremill.bundle.packing.prove import main; main(*sys.argv[2:])"
)


def _root() -> str:
    return str(Path(__file__).parents[3])


def _environment(place: str) -> dict[str, str]:
    """This process's, without what would let the other find more than the bundle."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    packages = [path for path in paths if Path(path).name in ("site-packages", "dist-packages")]
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSTARTUP")}
    return {**kept, **ONE_THREAD, "XDG_CACHE_HOME": place, "PYTHONPATH": os.pathsep.join(packages)}


def _read(found: dict[str, Any]) -> Proven | ScoremillError:
    if "error" in found:
        kind = UsageError if found["usage"] else ModelError
        return kind(found["error"], found["hint"], found["code"])
    methods = {method: Proof(**values) for method, values in found["methods"].items()}
    return Proven(methods, found["steps"], found["batch_rows"])


def _examined(claim: Claim) -> dict[str, Any]:
    try:
        bundle = inspect(claim.folder, Storage())
        estimator = load_estimator(bundle.uri, bundle.digest, Storage(), trusted_types=claim.trusted_types)
        methods = {
            method: _proven(partial(call, estimator, bundle, method), claim.frame, expected)
            for method, expected in claim.expected.items()
        }
        bundle = replace(bundle, steps=examined(estimator, bundle, claim.frame))
        is_measured = claim.measure_batch and methods[bundle.method]["apart"] <= TOLERANCE
        batch_rows = measured_batch_rows(estimator, bundle, claim.frame) if is_measured else None
        return {"methods": methods, "steps": bundle.steps, "batch_rows": batch_rows}
    except Exception as error:
        reason = error if isinstance(error, ScoremillError) else explained(error, claim.folder, "used")
        said = reason.message.replace(claim.folder, "the model, in a clean process,")
        return {"error": said, "hint": reason.hint, "code": reason.code, "usage": isinstance(reason, UsageError)}


def _proven(score: Score, frame: pd.DataFrame, expected: Results) -> dict[str, float]:
    whole = score(frame)
    return {
        "loaded": difference(expected, whole),
        "again": difference(whole, score(frame)),
        "apart": _apart(score, frame, whole),
    }


def _apart(score: Score, frame: pd.DataFrame, whole: Results) -> float:
    rows = len(frame)
    cuts = sorted({0, min(1, rows), rows // 3, rows // 2 + 1 if rows > 1 else rows, rows})
    pieces = [score(frame.iloc[start:end]) for start, end in pairwise(cuts)]
    joined = {name: np.concatenate([piece[name] for piece in pieces]) for name in whole}
    order = np.random.default_rng(0).permutation(rows)
    permuted = score(frame.iloc[order])
    return max(difference(whole, joined), difference({name: value[order] for name, value in whole.items()}, permuted))
