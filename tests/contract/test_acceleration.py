"""Steps that run once for each distinct value give the same bytes as the original model."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import scoremill
from scoremill.accelerate.step import DistinctStep
from scoremill.bundle import inspect
from scoremill.spec import Storage
from tests.support.cli import here
from tests.support.jobs import objects

ROWS = 30_000


def lower_case(texts: pd.DataFrame) -> pd.DataFrame:
    return texts.apply(lambda column: column.str.lower())


lower_case.__module__ = "__main__"  # so that it is packed by value


def rows(seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    # Values that the encoders did not see, empty fields, and a column with as many values as rows.
    vendors = ["CMT", "VTS", "DDS", "", "New"] if seed else ["CMT", "VTS", "DDS"]
    return pd.DataFrame(
        {
            "vendor": random.choice(vendors, ROWS),
            "payment": random.choice(["Cash", "CASH", "Credit", "No Charge"], ROWS),
            "passengers": random.integers(0, 7, ROWS),
            "fare": random.gamma(2.0, 5.0, ROWS).round(2),
        }
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    encoder = OneHotEncoder(handle_unknown="ignore")
    features = make_column_transformer(
        (encoder, ["vendor"]),
        (make_pipeline(FunctionTransformer(lower_case), encoder), ["payment"]),
        (StandardScaler(), ["passengers"]),
        (StandardScaler(), ["fare"]),
    )
    train = rows(0)
    model = make_pipeline(features, LogisticRegression()).fit(train, train["fare"] > 10)
    output = tmp_path_factory.mktemp("bundle") / "bundle"
    return scoremill.pack(model, output, sample=train.head(500), method="predict_proba").uri


@pytest.mark.parametrize("batch_rows", [131_072, 5_000, 700])
def test_the_output_is_equal_with_and_without_acceleration(bundle, tmp_path, batch_rows):
    rows(1).to_csv(tmp_path / "in.csv", index=False)
    settings = ["--set", f"spec.model.batchRows={batch_rows}", "--cluster", "in-process"]
    for name in ("Auto", "Off"):
        code, _, err = here(
            "score",
            *("--model", bundle, "--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / name)),
            *("--set", f"spec.model.accelerate={name}", *settings),
        )
        assert code == 0, err
    assert objects(str(tmp_path / "Auto")) == objects(str(tmp_path / "Off"))


def test_a_bundle_names_the_steps_and_loads_them_accelerated_only_if_asked(bundle):
    packed = inspect(bundle, Storage())
    proven = {name for name, reason in packed.steps.items() if not reason}
    assert {"columntransformer__onehotencoder", "columntransformer__pipeline"} <= proven
    assert packed.steps["columntransformer"] != "" or len(packed.columns) <= 4
    for accelerate in (True, False):
        model = scoremill.bundle.load_model(bundle, packed.digest, Storage(), accelerate=accelerate)
        kinds = [type(step) is DistinctStep for _, step, _ in _transformers(model.estimator)]
        assert all(kinds) if accelerate else not any(kinds)


def test_a_model_is_loaded_once_for_both_ways(bundle):
    digest = inspect(bundle, Storage()).digest
    off, auto = (scoremill.bundle.load_model(bundle, digest, Storage(), accelerate=on) for on in (False, True))
    assert auto.estimator is not off.estimator
    assert auto.estimator[-1] is off.estimator[-1]


def _transformers(model):
    first = model[0]
    return first.transformers_ if not isinstance(first, DistinctStep) else first.inner.transformers_


def test_inspect_shows_the_steps(bundle):
    document = json.loads(here("model", "inspect", bundle, "--json")[1])
    assert document["steps"]["columntransformer__onehotencoder"] == ""
    assert "columntransformer__onehotencoder: yes" in here("model", "inspect", bundle)[1]


def test_a_profile_shows_each_step_with_and_without_acceleration(bundle, tmp_path):
    rows(1).to_csv(tmp_path / "in.csv", index=False)
    words = ["model", "profile", bundle, "--input", str(tmp_path / "in.csv"), "--rounds", "1"]
    code, out, err = here(*words, "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document.keys() == {"version", "bundle", "digest", "method", "batches"}
    assert [batch["rows"] for batch in document["batches"]] == [1024, 8192, ROWS]
    largest = document["batches"][-1]
    inner = "columntransformer__pipeline__onehotencoder"
    assert list(largest["original"]["steps"]) == list(largest["accelerated"]["steps"])
    assert largest["original"]["steps"][inner] > 0
    for timing in (largest["original"], largest["accelerated"]):
        assert 0 < timing["steps"]["columntransformer__onehotencoder"] < timing["total"]
    code, out, _ = here(*words, "--rows", "2000")
    lines = out.splitlines()
    assert code == 0
    assert "2,000 rows" in lines[0]
    assert lines.index(next(line for line in lines if line.startswith("columntransformer__pipeline "))) < lines.index(
        next(line for line in lines if line.startswith(inner))
    )


def test_a_profile_in_python_names_the_number_of_rows_with_the_fewest_seconds_per_row(bundle, tmp_path):
    rows(1).to_csv(tmp_path / "in.csv", index=False)
    job = scoremill.job(model=bundle, input=str(tmp_path / "in.csv"), output=str(tmp_path / "out"))
    found = scoremill.profile(job, rows=10_000, rounds=1)
    assert found.method == "predict_proba"
    assert [batch.rows for batch in found.batches] == [1024, 8192, 10_000]
    per_row = {batch.rows: batch.accelerated.total / batch.rows for batch in found.batches}
    assert found.best.rows == min(per_row, key=per_row.__getitem__)
    assert not (tmp_path / "out").exists()


def test_a_profile_of_an_empty_input_is_an_error(bundle, tmp_path):
    rows(1).head(0).to_csv(tmp_path / "in.csv", index=False)
    code, _, err = here("model", "profile", bundle, "--input", str(tmp_path / "in.csv"))
    assert code == 2
    assert "error[InputEmpty]" in err
