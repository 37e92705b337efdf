"""Small jobs that are real: a fitted pipeline in a bundle, CSVs to score, and what they must give."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from scoremill.bundle import inspect, pack
from scoremill.bundle.schema import MANIFEST, sealed, to_document
from scoremill.spec import ScoringJob, Storage, merge, parse_job
from scoremill.storage.filesystem import Store

ROOT = Path(__file__).parents[2]


def trips(rows: int, seed: int = 0) -> pd.DataFrame:
    """Rows with numbers, text and a column that no model reads."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "distance": random.exponential(3, rows).round(3),
            "payment": random.choice(["cash", "credit", "no charge"], rows),
            "note": random.choice(["", "late", "a, b", "x"], rows),
            "passengers": random.integers(1, 6, rows),
        }
    )


def pipeline(frame: pd.DataFrame) -> Pipeline:
    """A classifier of three of the columns of `trips`."""
    entrance = make_column_transformer(
        (StandardScaler(), ["distance", "passengers"]), (OneHotEncoder(handle_unknown="ignore"), ["payment"])
    )
    labels = (frame["distance"] + frame["passengers"] > 5).astype(int)
    return make_pipeline(entrance, LogisticRegression()).fit(frame, labels)


def trip_bundle(folder: Path) -> str:
    """The URI of a bundle of that classifier."""
    sample = trips(500)
    pack(pipeline(sample), str(folder), sample=sample, method="predict_proba")
    return str(folder)


def bundle_of_another_version(bundle: str, folder: Path) -> str:
    """Copy a bundle to `folder` as if it had been packed with scikit-learn 1.0.1; return its URI."""
    shutil.copytree(bundle, folder)
    packed = inspect(str(folder), Storage())
    old = sealed(replace(packed, versions={**packed.versions, "scikit-learn": "1.0.1"}))
    (folder / MANIFEST).write_text(json.dumps(to_document(old)))
    return str(folder)


def strict_and_mild(folder: Path) -> Path:
    """Pack into `folder` a model that takes no infinite number, and one that takes all; return it."""
    frame = pd.DataFrame({"x": np.arange(10.0)})
    pack(LinearRegression().fit(frame, frame["x"]), str(folder / "strict"), sample=frame)
    pack(DummyRegressor().fit(frame, frame["x"]), str(folder / "mild"), sample=frame)
    return folder


def make_job(model: str, inputs: str | Iterable[str], output: str, /, **spec: Any) -> ScoringJob:
    """A job; `spec` holds further parts of it by their names in a job file."""
    uris = [inputs] if isinstance(inputs, str) else list(inputs)
    fields = {"model": {"uri": model}, "input": {"uris": uris}, "output": {"uri": output}}
    return parse_job({"spec": merge(fields, spec)})


def trip_spec(bundle: str, folder: Path, rows: int, **more: Any) -> dict[str, Any]:
    """The spec of a job over a new file of `rows` trips in `folder`, in partitions of 16 KiB."""
    trips(rows).to_csv(folder / "in.csv", index=False)
    return {
        "model": {"uri": bundle},
        "input": {"uris": [str(folder / "in.csv")], "partitionBytes": 16384},
        "output": {"uri": str(folder / "out")},
        **more,
    }


def objects(output: str) -> dict[str, bytes]:
    """The parts and errors objects of an output, by name."""
    store = Store(output)
    return {info.name: store.read(info.name) for info in store.list() if "part-" in info.name}


def stored(output: str) -> pd.DataFrame:
    """All rows of an output of Parquet, in the order of its names."""
    store = Store(output)
    names = sorted(info.name for info in store.list() if info.name.startswith("part-"))
    return pd.concat([pd.read_parquet(store.open(name)) for name in names], ignore_index=True)


def table(output: str) -> pd.DataFrame:
    """The same, with kept text as pandas reads it from a CSV."""
    whole = stored(output)
    texts = [name for name, dtype in whole.dtypes.items() if isinstance(dtype, pd.StringDtype)]
    return whole.assign(**{str(name): as_pandas_reads(whole[name].tolist()) for name in texts})


def as_pandas_reads(texts: Sequence[Any], nulls: Sequence[str] | None = None) -> pd.Series:
    """What pandas makes of the texts of a column of a CSV; None and NaN are empty fields, `nulls` spell them too."""
    lines = ["" if pd.isna(text) else '"' + text.replace('"', '""') + '"' for text in texts]
    with warnings.catch_warnings():
        # From pandas 3.1 on exact numbers need not be asked for.
        warnings.filterwarnings("ignore", "The 'float_precision' argument is deprecated")
        text = io.StringIO("\n".join(["text", *lines, ""]), newline="")
        spelled = {} if nulls is None else {"na_values": nulls, "keep_default_na": False}
        frame = pd.read_csv(text, skip_blank_lines=False, float_precision="round_trip", low_memory=False, **spelled)
        return frame["text"]


def command(*arguments: object, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """`scoremill ARGUMENTS` as a process of its own."""
    paths = [str(ROOT / "src"), str(ROOT), *filter(None, [(environment or {}).get("PYTHONPATH")])]
    variables = {**os.environ, **(environment or {}), "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.Popen(
        [sys.executable, "-m", "scoremill", *map(str, arguments)],
        env=variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(*arguments: object, environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `scoremill ARGUMENTS`."""
    process = command(*arguments, environment=environment)
    out, err = process.communicate(timeout=170)
    return process.returncode, out, err
