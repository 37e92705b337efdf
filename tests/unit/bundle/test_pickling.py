from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer

from scoremill.bundle.flavours import skops as skops_flavour
from scoremill.bundle.packing import pickling

SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from sklearn.base import BaseEstimator
from scoremill.bundle.packing import pickling

def double(value):
    return value * FACTOR

FACTOR = 2

class Table(BaseEstimator):
    def __init__(self):
        self.weights = np.arange(10_000.0)
        self.parts = np.array([double, None, np.ones(5000)], dtype=object)

    def predict(self, X):
        return double(X) + self.weights[0]

print(*pickling.dump(Table(), Path(sys.argv[1])))
"""


def _dumped(estimator: object, path: Path) -> bytes:
    pickling.dump(estimator, path)
    return path.read_bytes()


def test_what_a_script_defines_travels_by_value_with_arrays_in_mapped_memory(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    path = tmp_path / "model.joblib"
    env = {"PYTHONPATH": str(Path(pickling.__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), str(path)], check=True, capture_output=True, text=True, env=env
    )
    assert done.stdout.split() == ["__main__.Table", "__main__.double"]
    model = joblib.load(path, mmap_mode="r")
    assert model.predict(21) == 42
    assert isinstance(model.weights, np.memmap)
    assert model.parts[0](4) == 8
    assert isinstance(model.parts[2], np.memmap), "arrays inside arrays of objects are mapped too"


def test_lambdas_and_local_functions_travel_by_value(tmp_path):
    def local(value):
        return value + 1

    for function in (local, lambda value: value + 1):
        path = tmp_path / "model.joblib"
        assert pickling.dump(FunctionTransformer(function), path)
        assert joblib.load(path).transform(np.ones((1, 1))) == 2


def test_what_others_can_import_travels_by_name(tmp_path):
    assert pickling.dump(FunctionTransformer(np.log1p), tmp_path / "m") == ()
    assert b"log1p" in (tmp_path / "m").read_bytes()


@pytest.mark.parametrize("estimator", [LinearRegression(), GradientBoostingClassifier(n_estimators=3, random_state=0)])
def test_the_bytes_are_those_of_the_model_however_it_came_to_be(tmp_path, flowers, estimator):
    estimator.fit(flowers[["sl", "pw"]], flowers["target"])
    first = _dumped(estimator, tmp_path / "one")
    assert _dumped(estimator, tmp_path / "two") == first
    assert _dumped(joblib.load(tmp_path / "one", mmap_mode="r"), tmp_path / "three") == first


def test_queries_of_a_tree_do_not_change_its_bytes(tmp_path, flowers):
    model = KNeighborsClassifier(algorithm="kd_tree").fit(flowers[["sl", "pw"]], flowers["target"])
    first = _dumped(model, tmp_path / "one")
    model.predict(flowers[["sl", "pw"]])
    assert _dumped(model, tmp_path / "two") == first


def test_sets_of_texts_have_the_same_bytes_in_every_process(tmp_path):
    code = (
        "import sys; from pathlib import Path; from scoremill.bundle.packing import pickling;"
        "from sklearn.feature_extraction.text import CountVectorizer;"
        "pickling.dump(CountVectorizer(stop_words=frozenset('abcdefghij')), Path(sys.argv[1]))"
    )
    for seed in "12":
        env = {"PYTHONPATH": str(Path(pickling.__file__).parents[3]), "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, env=env)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert joblib.load(tmp_path / "1").stop_words == CountVectorizer(stop_words=frozenset("abcdefghij")).stop_words


def test_skops_files_hold_neither_addresses_nor_times(tmp_path, flowers):
    model = GradientBoostingClassifier(n_estimators=3, random_state=0).fit(flowers[["sl", "pw"]], flowers["target"])
    facts = skops_flavour.dump(model, tmp_path / "one")
    again = skops_flavour.load(tmp_path / "one", facts, facts["types"])
    skops_flavour.dump(model, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert np.array_equal(again.predict_proba(flowers[["sl", "pw"]]), model.predict_proba(flowers[["sl", "pw"]]))
