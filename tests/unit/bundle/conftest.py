"""A model, its sample, and where fetched bundles go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from scoremill.bundle import load


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test fetches into a cache of its own, and has loaded nothing yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(load, "_loaded", {})
    load.cache_folder.cache_clear()
    return tmp_path / "cache" / "scoremill" / "bundles"


@pytest.fixture(scope="session")
def flowers() -> pd.DataFrame:
    """Iris, with a column of texts, one that no model uses, and the target."""
    frame, target = load_iris(return_X_y=True, as_frame=True)
    frame = frame.set_axis(["sl", "sw", "pl", "pw"], axis=1)
    return frame.assign(color=np.where(frame["sl"] > 5.8, "blue", "white"), unused=1, target=target)


@pytest.fixture(scope="session")
def pipeline(flowers: pd.DataFrame) -> Pipeline:
    """A classifier that reads four of the five columns that it was fitted on."""
    entrance = make_column_transformer(
        (StandardScaler(), ["sl", "pl", "pw"]), (OneHotEncoder(handle_unknown="ignore"), ["color"])
    )
    return make_pipeline(entrance, LogisticRegression(max_iter=500)).fit(
        flowers[["sl", "sw", "pl", "pw", "color"]], flowers["target"]
    )
