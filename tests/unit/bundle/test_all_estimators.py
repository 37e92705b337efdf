"""Every estimator of scikit-learn that fits iris survives being packed, bit for bit, in a clean process."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.base import is_outlier_detector
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import all_estimators

from scoremill.bundle.packing.pack import stage
from scoremill.bundle.packing.prove import Proof, prove
from scoremill.bundle.results import METHODS, TOLERANCE

EXCEPTIONS = {
    ("NMF", "transform"): "solves for all rows of a batch together: packs with --allow-batch-dependent",
    (
        "BernoulliRBM",
        "score_samples",
    ): "draws one random number a row, so a row's score depends on its place in the batch",
    ("FeatureHasher", "transform"): "reads dictionaries, which no column holds",
    ("HashingVectorizer", "transform"): "reads texts, which iris does not have",
    ("PatchExtractor", "transform"): "reads images, and gives another number of rows",
}
"""What does not pack, or not without being allowed to, and why."""

_ROWS, _TARGET = load_iris(return_X_y=True, as_frame=True)
_TARGETS = np.c_[_TARGET > 0, _TARGET > 1].astype(int)


def _kinds() -> Iterator[tuple[str, Any]]:
    """Classifiers, regressors, clusterers, transformers and outlier detectors."""
    typed = {name for kind in ("classifier", "regressor", "cluster", "transformer") for name, _ in all_estimators(kind)}
    for name, kind in all_estimators():
        if name in typed or (not inspect.signature(kind).parameters.get("estimator") and _detects_outliers(kind)):
            yield name, kind


def _detects_outliers(kind: Any) -> bool:
    try:
        return bool(is_outlier_detector(kind()))
    except TypeError:
        return False


def _made(kind: Any) -> Any:
    """An instance, seeded and small, with inner estimators where it needs some."""
    wanted = inspect.signature(kind).parameters
    inner = Ridge() if "Regressor" in kind.__name__ else LogisticRegression(max_iter=300)
    other = Ridge(2.0) if "Regressor" in kind.__name__ else RandomForestClassifier(5, random_state=0)
    required = {
        "estimator": inner,
        "estimators": [("one", inner), ("two", other)],
        "param_grid": {"C": [1.0, 2.0]},
        "param_distributions": {"C": [1.0, 2.0]},
        "transformer_list": [("one", "passthrough")],
        "transformers": [("one", "passthrough", list(_ROWS.columns[1:]))],
    }
    given = {
        name: value
        for name, value in required.items()
        if name in wanted and wanted[name].default in (inspect._empty, None)
    }
    small = {"random_state": 0, "n_estimators": 10, "novelty": True}
    sizes = {"n_components": 2} if "RandomProjection" in kind.__name__ else {}
    if "param_distributions" in given:
        sizes["n_iter"] = 2
    return kind(**given, **sizes, **{name: value for name, value in small.items() if name in wanted})


def _fitted() -> dict[str, Any]:
    """Every estimator that fits iris, with its three species, or with two or two targets where it wants that."""
    fitted = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, kind in _kinds():
            for target in (_TARGET, (_TARGET > 0).astype(int), _TARGET + 1.0, _TARGETS):
                try:
                    estimator = _made(kind).fit(_ROWS, target)
                except Exception:  # it does not fit iris so
                    continue
                if any(hasattr(estimator, method) for method in METHODS):
                    fitted[name] = estimator
                break
    return fitted


@pytest.mark.slow
def test_every_estimator_packs_and_scores_the_same_in_a_clean_process_and_in_other_batches(tmp_path):
    staged, failed = {}, {}
    for name, estimator in _fitted().items():
        (tmp_path / name).mkdir()
        try:
            staged[name] = stage(estimator, tmp_path / name, sample=_ROWS)
        except Exception as error:
            failed[name, "transform"] = str(error)
        else:
            # What CSV and Parquet give scores as the frame does.
            assert staged[name].bundle.gaps == (), name
    for name, found in zip(staged, prove([one.claim for one in staged.values()]), strict=True):
        if isinstance(found, Exception):
            failed[name, staged[name].bundle.method] = str(found)
            continue
        for method, proof in found.methods.items():
            if proof != Proof(0, 0, proof.apart) or proof.apart > TOLERANCE:
                failed[name, method] = str(proof)
    assert failed.keys() == EXCEPTIONS.keys(), failed
    assert len(EXCEPTIONS) <= 5
    assert len(staged) >= 150
