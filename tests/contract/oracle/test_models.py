"""Each method of each kind of model gives the rows of pandas and scikit-learn in every output format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from scoremill import score, verify
from tests.contract.oracle.oracle import FORMATS, columns, difference, kept, read_csv, staged, written
from tests.support.jobs import make_job

DATA = Path(sklearn.datasets.__file__).parent / "data"
WIDTHS = {"iris.csv": 5, "breast_cancer.csv": 31, "wine_data.csv": 14, "digits.csv.gz": 65}


def names_of(file: str) -> list[str]:
    return [*(f"x{at}" for at in range(WIDTHS[file] - 1)), "target"]


@cache
def real(file: str) -> pd.DataFrame:
    """Return a CSV that ships with scikit-learn. The first line of most has counts and classes, not a header."""
    skip = 0 if file.endswith(".gz") else 1
    return read_csv(DATA / file, header=None, names=names_of(file), skiprows=skip)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same CSVs without that line. The compressed one is scored in place."""
    place = tmp_path_factory.mktemp("real")
    for file in WIDTHS:
        if not file.endswith(".gz"):
            (place / file).write_bytes((DATA / file).read_bytes().partition(b"\n")[2])
    return place


Names = Callable[[Any], list[str]]
by_class = lambda prefix: lambda model: [f"{prefix}_{label}" for label in model.classes_]
just = lambda *names: lambda model: list(names)


@dataclass
class Case:
    """A model of one of the CSVs, and the column names of each method."""

    file: str
    build: Callable[[pd.DataFrame, np.ndarray], Any]
    methods: dict[str, Names]

    @cached_property
    def model(self) -> Any:
        frame = real(self.file)
        return self.build(frame.drop(columns="target"), frame["target"].to_numpy())


CLASSES = {
    "predict": just("prediction"),
    "predict_proba": by_class("proba"),
    "predict_log_proba": by_class("logproba"),
}
CASES = {
    "classifier of three": Case(
        "iris.csv",
        lambda x, y: make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y),
        CLASSES | {"decision_function": by_class("decision")},
    ),
    "classifier of two": Case(
        "breast_cancer.csv",
        lambda x, y: make_pipeline(StandardScaler(), LogisticRegression()).fit(x, np.array(["bad", "good"])[y]),
        CLASSES | {"decision_function": just("decision")},
    ),
    "trees": Case(
        "wine_data.csv",
        lambda x, y: HistGradientBoostingClassifier(max_iter=5).fit(x, y),
        {"predict": just("prediction"), "predict_proba": by_class("proba")},
    ),
    "pairwise decisions": Case(
        "wine_data.csv",
        lambda x, y: make_pipeline(StandardScaler(), SVC(decision_function_shape="ovo")).fit(x, y),
        {"decision_function": just("decision_0_vs_1", "decision_0_vs_2", "decision_1_vs_2")},
    ),
    "classifier of two outputs": Case(
        "wine_data.csv",
        lambda x, y: KNeighborsClassifier().fit(x, np.column_stack([y, y > 1])),
        {
            "predict": just("prediction_0", "prediction_1"),
            "predict_proba": just("proba_0_0", "proba_0_1", "proba_0_2", "proba_1_0", "proba_1_1"),
        },
    ),
    "regressor": Case("iris.csv", lambda x, y: Ridge().fit(x, x["x3"] * 2.5 + y), {"predict": just("prediction")}),
    "regressor of two outputs": Case(
        "iris.csv",
        lambda x, y: LinearRegression().fit(x[["x0", "x1"]], x[["x2", "x3"]]),
        {"predict": just("prediction_0", "prediction_1")},
    ),
    "outlier detector": Case(
        "wine_data.csv",
        lambda x, y: IsolationForest(n_estimators=10, random_state=0).fit(x),
        {"predict": just("prediction"), "decision_function": just("decision"), "score_samples": just("score")},
    ),
    "clusterer": Case(
        "digits.csv.gz",
        lambda x, y: KMeans(4, n_init=1, random_state=0).fit(x),
        {"predict": just("prediction"), "transform": just(*(f"kmeans{at}" for at in range(4)))},
    ),
    "transformer": Case(
        "iris.csv",
        lambda x, y: make_pipeline(StandardScaler(), PCA(2)).fit(x),
        {"transform": just("pca0", "pca1")},
    ),
    "transformer of columns": Case(
        "iris.csv",
        lambda x, y: make_column_transformer(
            (StandardScaler(), ["x3"]), ("passthrough", ["x0"]), verbose_feature_names_out=False
        ).fit(x),
        {"transform": just("x3", "x0")},
    ),
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    place = tmp_path_factory.mktemp("bundles")

    @cache
    def of(name: str) -> str:
        case = CASES[name]
        return staged(case.model, place / name.replace(" ", "-"), real(case.file).drop(columns="target"))

    return of


def expected(case: Case, method: str) -> dict[str, list[Any]]:
    model = case.model
    x = real(case.file)[list(getattr(model, "feature_names_in_", names_of(case.file)[:-1]))]
    results = getattr(model, method)(x)
    if isinstance(results, list):
        results = np.hstack(results)
    return columns(case.methods[method](model), results)


def input_of(case: Case, folder: Path) -> str:
    return str(DATA / case.file if case.file.endswith(".gz") else folder / case.file)


def headerless(case: Case) -> dict[str, Any]:
    return {"csv": {"header": False, "columns": names_of(case.file)}}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("name", "method"), [(name, m) for name, case in CASES.items() for m in case.methods])
def test_results_equal_scikit_learn_bit_for_bit(name, method, format, bundle, folder, tmp_path):
    case = CASES[name]
    job = make_job(
        bundle(name),
        input_of(case, folder),
        str(tmp_path),
        model={"method": method},
        input=headerless(case),
        output={"format": format, "keep": ["target"]},
    )
    score(job, cluster="in-process")
    truth = kept(real(case.file), ["target"]) | expected(case, method)
    assert difference(written(tmp_path), truth) is None


@pytest.mark.parametrize(("name", "method"), [(name, m) for name, case in CASES.items() for m in case.methods])
def test_results_of_parquet_equal_scikit_learn_bit_for_bit(name, method, bundle, tmp_path):
    case = CASES[name]
    real(case.file).to_parquet(tmp_path / "in.parquet")
    job = make_job(bundle(name), str(tmp_path / "in.parquet"), str(tmp_path / "out"), model={"method": method})
    score(job, cluster="in-process")
    assert difference(written(tmp_path / "out"), expected(case, method)) is None


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.file.endswith(".gz")])
def test_small_partitions_give_the_same_rows_in_order(name, bundle, folder, tmp_path):
    case = CASES[name]
    method = next(iter(case.methods))
    job = make_job(
        bundle(name),
        input_of(case, folder),
        str(tmp_path),
        model={"method": method},
        input=headerless(case) | {"partitionBytes": "1KiB"},
    )
    manifest = score(job, cluster="in-process")
    assert manifest.totals.partitions > 1
    made, truth = pd.DataFrame(written(tmp_path)), pd.DataFrame(expected(case, method))
    # The last bits can differ between batch sizes (docs/design, Bits).
    pd.testing.assert_frame_equal(made, truth, rtol=1e-12, atol=1e-12)


def test_results_of_a_local_cluster_equal_scikit_learn(bundle, folder, tmp_path):
    case = CASES["classifier of three"]
    job = make_job(
        bundle("classifier of three"),
        input_of(case, folder),
        str(tmp_path),
        model={"method": "predict_proba"},
        input=headerless(case),
        cluster={"workers": 1, "memory": "1GiB"},
    )
    score(job, cluster="local")
    assert difference(written(tmp_path), expected(case, "predict_proba")) is None
    assert verify(str(tmp_path)).totals.rows == 150


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize("format", FORMATS)
def test_infinite_results_are_kept_if_the_format_supports_them(format, folder, tmp_path):
    frame = real("iris.csv")
    model = RandomForestClassifier(5, random_state=0).fit(frame[["x0", "x3"]], frame["target"])
    truth = columns(by_class("logproba")(model), model.predict_log_proba(frame[["x0", "x3"]]))
    assert any(value == -np.inf for value in truth["logproba_0"])
    if format == "jsonl":
        truth = {name: [None if value == -np.inf else value for value in values] for name, values in truth.items()}
    job = make_job(
        staged(model, tmp_path / "bundle", frame[["x0", "x3"]]),
        str(folder / "iris.csv"),
        str(tmp_path / "out"),
        model={"method": "predict_log_proba"},
        output={"format": format},
        input={"csv": {"header": False, "columns": names_of("iris.csv")}},
    )
    score(job, cluster="in-process")
    assert difference(written(tmp_path / "out"), truth) is None
