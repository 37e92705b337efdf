"""Comparison of two outputs, bit for bit or within a tolerance."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from scoremill import pack, score
from scoremill.errors import VerificationError
from scoremill.outputs.compare import compare
from scoremill.storage.filesystem import Store
from tests.support.jobs import make_job, run

ROWS = 500


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """A function that returns two outputs in a format: the coefficient of the second model is 1e-7 larger."""
    folder = tmp_path_factory.mktemp("compare")
    frame = pd.DataFrame({"x": np.linspace(-3, 1e4, ROWS), "note": ["a, b", "x"] * (ROWS // 2)})
    frame.to_csv(folder / "in.csv", index=False)
    model = LinearRegression().fit(frame[["x"]], 3 * frame["x"])

    def make(format: str) -> tuple[Store, Store]:
        made = []
        for name, factor, size in (("one", 1.0, "1MiB"), ("other", 1 + 1e-7, "1KiB")):
            model.coef_ = np.array([3.0]) * factor
            bundle = folder / f"{name}-bundle"
            if not bundle.exists():
                pack(model, str(bundle), sample=frame)
            output = folder / f"{format}-{name}"
            shutil.rmtree(output, ignore_errors=True)
            parts = {"input": {"partitionBytes": size}, "output": {"format": format, "keep": ["note"]}}
            score(make_job(str(bundle), str(folder / "in.csv"), str(output), **parts), cluster="in-process")
            made.append(Store(str(output)))
        return made[0], made[1]

    return make


@pytest.mark.parametrize("format", ["parquet", "csv", "jsonl"])
def test_scores_within_a_tolerance_are_equal_and_other_rows_are_listed(outputs, format):
    one, other = outputs(format)
    assert compare(one, one, 0.0) == 0.0
    assert compare(one, other, 1e-6) == pytest.approx(1e-7, rel=0.01)
    with pytest.raises(VerificationError, match=r"rows 1 to 500 differ by 1e-07, more than 1e-09"):
        compare(one, other, 1e-9)


def test_different_rows_are_never_within_a_tolerance(outputs, tmp_path):
    one, _ = outputs("parquet")
    frame = pd.DataFrame({"x": np.linspace(-3, 1e4, ROWS), "note": ["a, b", "y"] * (ROWS // 2)})
    bundle = f"{one.uri.rpartition('/')[0]}/one-bundle"
    for name, data in (("other", frame), ("short", frame[:-1])):
        data.to_csv(tmp_path / f"{name}.csv", index=False)
        job = make_job(bundle, str(tmp_path / f"{name}.csv"), str(tmp_path / name), output={"keep": ["note"]})
        score(job, cluster="in-process")
    with pytest.raises(VerificationError, match=r"rows 1 to 500 differ\b(?! by)"):
        compare(one, Store(str(tmp_path / "other")), 1e9)
    with pytest.raises(VerificationError, match="more rows"):
        compare(one, Store(str(tmp_path / "short")), 1e9)


def test_compare_command_verifies_and_compares(outputs):
    one, other = outputs("parquet")
    code, out, _ = run("verify", one.uri, "--against", other.uri, "--tolerance", "1e-6")
    assert (code, "the same rows, numbers within 1e-07" in out) == (0, True)
    code, _, err = run("verify", one.uri, "--against", other.uri)
    assert (code, "--tolerance" in err) == (7, True)
