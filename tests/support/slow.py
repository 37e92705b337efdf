"""Runs that last long enough for faults: a slow model that uses much memory on request."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from scoremill.bundle import pack

HUNGRY = -1.0
"""`x` of a row on which the model looks whether to eat."""
SECONDS = "SLOW_SECONDS"
"""Environment variable of a worker: how long the model takes for a row, or for one below -1: -x seconds more.

Without it, it takes no time.
"""
CODE = '''
"""Twice `x`, late."""

import mmap
import os
import time

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin


class Slow(RegressorMixin, BaseEstimator):
    def __init__(self, hunger=None):
        self.hunger = hunger

    def fit(self, X, y=None):
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        x = X["x"].to_numpy()
        if "SLOW_SECONDS" in os.environ:
            time.sleep(float(os.environ["SLOW_SECONDS"]) * len(x) - x[x < -1].sum())
        if self.hunger and (x == -1).any():
            _eat_on_request(self.hunger)
        return 2 * x


def _eat_on_request(place):
    """Use 4 GiB if there is an object at `place`: `once` is deleted by then, `always` stays."""
    import fsspec

    fs, path = fsspec.url_to_fs(place, skip_instance_cache=True)
    if fs.exists(path):
        if fs.cat_file(path) == b"once":
            fs.rm_file(path)
        meal = mmap.mmap(-1, 4 * 2**30)
        for page in range(0, len(meal), mmap.PAGESIZE):
            meal[page] = 1
'''


def slow_bundle(folder: Path, hunger: str | None = None) -> str:
    """The URI of a bundle of a regressor that gives twice `x`; `hunger` names the object that makes it use memory."""
    source = folder / "code"
    source.mkdir(parents=True, exist_ok=True)
    (source / "slow.py").write_text(CODE)
    sample = pd.DataFrame({"x": np.arange(64.0)})
    sys.path.insert(0, str(source))
    try:
        model = importlib.import_module("slow").Slow(hunger).fit(sample)
        pack(model, str(folder / "bundle"), sample=sample, code=[source / "slow.py"])
    finally:
        sys.path.remove(str(source))
    return str(folder / "bundle")


def slow_rows(rows: int, special: Mapping[int, float]) -> bytes:
    """A CSV of `rows` numbers, those of `special` at their places."""
    x = np.arange(float(rows))
    x[list(special)] = list(special.values())
    return pd.DataFrame({"x": x}).to_csv(index=False).encode()
