from __future__ import annotations

import json
from dataclasses import replace

import pytest

from scoremill.bundle.schema import Bundle, digest_of, from_document, sealed, to_document
from scoremill.errors import FitError
from scoremill.spec import Column

BUNDLE = sealed(
    Bundle(
        uri="s3://models/tip",
        digest="",
        model_class="sklearn.dummy.DummyClassifier",
        format="joblib",
        columns=(Column("kind", "category", ("a", "b"), True), Column("x", "float64")),
        named=True,
        method="predict",
        results={"predict": (Column("prediction", "string"),)},
        classes=("no", "yes"),
        versions={"numpy": "2.4"},
        code=("code/features.py",),
        trained={"when": "2026-01-01", "meta": {"by": "ci"}},
        sizes={"model.joblib": 9},
        files={"model.joblib": "00", "code/features.py": "11"},
        facts={"by_value": ["__main__.f"]},
        others=(Column("target", "int64"),),
    )
)


def _through_json(bundle: Bundle) -> Bundle:
    document = json.loads(json.dumps(to_document(bundle)))
    trained = {**bundle.trained, "others": [{"name": "target", "dtype": "int64"}]}
    return from_document(document, trained, bundle.uri)


def test_a_bundle_survives_its_json():
    assert _through_json(BUNDLE) == BUNDLE
    assert digest_of(_through_json(BUNDLE)) == BUNDLE.digest


def test_the_digest_does_not_know_where_when_or_by_whom():
    moved = replace(BUNDLE, uri="/elsewhere", trained={"when": "2027-01-01"}, others=(), warnings=("numpy differs",))
    assert digest_of(moved) == BUNDLE.digest


def test_the_digest_does_not_cover_the_measured_number_of_rows():
    assert digest_of(replace(BUNDLE, batch_rows=8192)) == BUNDLE.digest


def test_the_measured_number_of_rows_is_read_from_what_the_digest_does_not_cover():
    assert from_document(to_document(BUNDLE), {"batch_rows": 8192}, "b").batch_rows == 8192
    assert from_document({**to_document(BUNDLE), "batch_rows": 8192}, {}, "b").batch_rows is None


@pytest.mark.parametrize("rows", [0, -1, 131_073, 1.5, True, "8192", [8192]])
def test_a_number_of_rows_that_packing_does_not_measure_is_refused(rows):
    with pytest.raises(FitError, match="not a number from 1 to 131072"):
        from_document(to_document(BUNDLE), {"batch_rows": rows}, "b")


def test_the_repr_of_a_bundle_is_one_short_line():
    assert repr(BUNDLE) == f"Bundle('s3://models/tip', sklearn.dummy.DummyClassifier.predict, {BUNDLE.digest})"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "predict_proba"},
        {"columns": ()},
        {"files": {"model.joblib": "01"}},
        {"versions": {"numpy": "2.5"}},
        {"code": ()},
        {"named": False},
        {"classes": ("yes", "no")},
        {"batch_dependent": True},
        {"results": {}},
    ],
)
def test_the_digest_covers_what_shapes_results(change):
    assert digest_of(replace(BUNDLE, **change)) != BUNDLE.digest


def test_a_newer_format_is_refused_with_what_to_install():
    with pytest.raises(FitError, match="format version 2") as caught:
        from_document({**to_document(BUNDLE), "formatVersion": 2}, {}, "b")
    assert "newer scoremill" in str(caught.value)


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil.py", "code/../../evil.py"])
def test_files_outside_the_bundle_are_refused(name):
    with pytest.raises(FitError, match="outside the bundle"):
        from_document({**to_document(BUNDLE), "files": {name: "00"}}, {}, "b")


def test_another_json_is_not_a_bundle():
    with pytest.raises(FitError, match="not a bundle's"):
        from_document({"formatVersion": 1}, {}, "b")
