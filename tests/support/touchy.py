"""A model with its own code that raises on some rows, and does what a file says on others."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from scoremill.bundle import pack

CODE = '''
"""Twice `x`; rows with `x` above a limit raise."""

import json
import os
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin


class Touchy(RegressorMixin, BaseEstimator):
    def __init__(self, limit=1e6):
        self.limit = limit

    def fit(self, X, y=None):
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        x = X["x"].to_numpy()
        _inject_fault(len(x))
        if (x > self.limit).any():
            raise ValueError(f"x is too large: {x[x > self.limit][0]:g}")
        return 2 * x


def _inject_fault(rows):
    """Appends to the file of calls, and plays the trick in the environment once: at the n-th call, by any process.

    With a place to wait at, it creates the file `started` there and waits for a line of the pipe `go`.
    """
    if "TOUCHY_WAIT" in os.environ:
        place = Path(os.environ["TOUCHY_WAIT"])
        (place / "started").touch()
        (place / "go").open().readline()
    calls = os.environ.get("TOUCHY_CALLS")
    if not calls:
        return
    with open(calls, "a") as file:
        file.write(f"{rows}\\n")
        number = file.tell() // 1 and sum(1 for _ in open(calls))
    trick = json.loads(os.environ.get("TOUCHY_TRICK", "{}"))
    if trick.get("at") == number:
        if "raise" in trick:
            raise {"MemoryError": MemoryError, "OSError": OSError}[trick["raise"]]("injected fault")
        Path(trick["path"]).write_bytes(bytes.fromhex(trick["content"]))
'''


def touchy_bundle(folder: Path, limit: float = 1e6) -> str:
    """The URI of a bundle of a regressor that gives twice `x`, and raises where `x` is above `limit`."""
    source = folder / "code"
    source.mkdir(parents=True, exist_ok=True)
    (source / "touchy.py").write_text(CODE)
    sample = pd.DataFrame({"x": np.arange(64.0), "y": np.arange(64.0)})
    sys.path.insert(0, str(source))
    try:
        model = importlib.import_module("touchy").Touchy().fit(sample[["x", "y"]])
        # Packing proves the model on its sample; one that always raises is made so afterwards.
        pack(model.set_params(limit=limit), str(folder / "bundle"), sample=sample, code=[source / "touchy.py"])
    finally:
        sys.path.remove(str(source))
    return str(folder / "bundle")
