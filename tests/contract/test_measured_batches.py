"""The number of rows in a call that packing measured: jobs that give none use it, and resumed runs keep theirs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import joblib
import pandas as pd
import pytest

from scoremill import plan, score, verify
from scoremill.bundle import inspect, pack
from scoremill.bundle.packing.batch_rows import SIZES
from scoremill.bundle.schema import TRAINED
from scoremill.errors import UsageError
from scoremill.ledger import Ledger
from scoremill.outputs.retry import retry_job
from scoremill.spec import Storage
from scoremill.spec.model import BATCH_ROWS
from scoremill.storage.filesystem import Store
from tests.support.cli import here
from tests.support.jobs import make_job, objects, pipeline, trip_bundle, trips

ROWS = 3_000


@pytest.fixture(scope="module")
def unmeasured(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture
def bundle(unmeasured: str, tmp_path: Path) -> str:
    return measured(shutil.copytree(unmeasured, tmp_path / "bundle"), 700)


def measured(bundle: str | Path, rows: int) -> str:
    """Record `rows` in `bundle`, as if it had been packed on a machine where this number is the fastest."""
    trained = Path(bundle, TRAINED)
    trained.write_text(json.dumps({**json.loads(trained.read_text()), "batch_rows": rows}))
    return str(bundle)


def trip_job(bundle: str, folder: Path, name: str = "out", /, **spec):
    if not (folder / "in").exists():
        (folder / "in").mkdir()
        trips(ROWS).to_csv(folder / "in" / "0.csv", index=False)
    return make_job(bundle, f"{folder}/in/*.csv", str(folder / name), **spec)


def rows_of(output: Path) -> int:
    """Return the number of rows in a call with which an output was started."""
    return Ledger(Store(str(output))).job()["settings"]["batch_rows"]


def test_packing_measures_and_a_job_uses_the_number(tmp_path):
    trips(500).to_parquet(tmp_path / "sample.parquet")
    joblib.dump(pipeline(trips(500)), tmp_path / "model.joblib")
    target = tmp_path / "bundle"
    words = ["model", "pack", tmp_path / "model.joblib", "--output", target, "--sample", tmp_path / "sample.parquet"]
    words += ["--method", "predict_proba", "--measure-batch", "--json"]
    code, out, err = here(*map(str, words))
    assert code == 0, err
    found = json.loads(here("model", "inspect", str(target), "--json")[1])
    assert found["batchRows"] == json.loads(out)["batchRows"]
    if found["batchRows"] is None:
        # This machine was too busy to measure.
        assert "batch" in err
    else:
        assert found["batchRows"] in SIZES
        assert f"batch rows  {found['batchRows']:,} (measured)" in here("model", "inspect", str(target))[1]
    assert plan(trip_job(str(target), tmp_path)).settings.batch_rows == (found["batchRows"] or BATCH_ROWS)


def test_measuring_does_not_change_the_digest(unmeasured, tmp_path):
    sample = trips(500)
    again = pack(pipeline(sample), str(tmp_path / "again"), sample=sample, method="predict_proba", measure_batch=True)
    assert again.digest == inspect(unmeasured, Storage()).digest
    assert again == inspect(again.uri, Storage())


def test_packing_without_the_option_measures_nothing(unmeasured, tmp_path):
    assert "batch_rows" not in json.loads(Path(unmeasured, TRAINED).read_text())
    assert json.loads(here("model", "inspect", unmeasured, "--json")[1])["batchRows"] is None
    assert "batch rows" not in here("model", "inspect", unmeasured)[1]
    assert plan(trip_job(unmeasured, tmp_path)).settings.batch_rows == BATCH_ROWS


def test_a_job_keeps_its_own_number(bundle, tmp_path):
    assert plan(trip_job(bundle, tmp_path)).settings.batch_rows == 700
    assert plan(trip_job(bundle, tmp_path, model={"batchRows": 900})).settings.batch_rows == 900


def test_a_job_with_the_measured_number_writes_the_bytes_of_one_that_gives_it(bundle, unmeasured, tmp_path):
    score(trip_job(bundle, tmp_path, "measured"), cluster="in-process")
    score(trip_job(unmeasured, tmp_path, "given", model={"batchRows": 700}), cluster="in-process")
    assert objects(str(tmp_path / "measured")) == objects(str(tmp_path / "given"))


@pytest.mark.parametrize("mode", ["Resume", "Overwrite"])
def test_a_resumed_run_keeps_its_number_after_the_bundle_is_packed_again(bundle, tmp_path, mode):
    job = trip_job(bundle, tmp_path, output={"mode": mode})
    score(job, cluster="in-process")
    before = objects(str(tmp_path / "out"))
    measured(bundle, 900)
    trips(ROWS, seed=1).to_csv(tmp_path / "in" / "1.csv", index=False)
    score(job, cluster="in-process")
    after = objects(str(tmp_path / "out"))
    assert rows_of(tmp_path / "out") == (700 if mode == "Resume" else 900)
    assert (before.items() <= after.items()) == (mode == "Resume")
    assert verify(str(tmp_path / "out")).totals.rows == 2 * ROWS


def test_plan_of_an_output_that_another_number_started_has_no_problem(bundle, tmp_path):
    score(trip_job(bundle, tmp_path), cluster="in-process")
    measured(bundle, 900)
    words = ["plan", "--model", bundle, "--input", f"{tmp_path}/in/*.csv", "--output", str(tmp_path / "out")]
    code, _, err = here(*words)
    assert code == 0, err


def test_a_job_that_gives_another_number_than_its_output_is_refused(bundle, tmp_path):
    score(trip_job(bundle, tmp_path), cluster="in-process")
    measured(bundle, 900)
    with pytest.raises(UsageError, match=r"`spec\.model\.batchRows`: 700 → 900"):
        score(trip_job(bundle, tmp_path, model={"batchRows": 900}), cluster="in-process")


def test_a_retry_uses_the_number_of_the_output(bundle, tmp_path):
    job = trip_job(bundle, tmp_path, errors={"maxFraction": None})
    with (tmp_path / "in" / "0.csv").open("a") as file:
        file.write("1,far,cash,x,2\n")
    assert score(job, cluster="in-process").totals.rejected == 1
    measured(bundle, 900)
    changes = {"spec": {"model": {"uri": bundle}}}
    assert retry_job(Store(str(tmp_path / "out")), changes).spec.model.batch_rows == 700


def test_a_model_that_depends_on_the_batch_is_not_measured(tmp_path):
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]})
    model = make_pipeline(FunctionTransformer(centered), LinearRegression()).fit(frame, frame["x"])
    with pytest.warns(UserWarning, match="was not measured, because its results depend on it"):
        packed = pack(model, str(tmp_path / "b"), sample=frame, allow_batch_dependent=True, measure_batch=True)
    assert packed.batch_rows is None


def centered(rows: pd.DataFrame) -> pd.DataFrame:
    return rows - rows.mean()


centered.__module__ = "__main__"  # so that it is packed by value
