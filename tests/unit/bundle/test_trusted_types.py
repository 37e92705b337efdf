"""A skops bundle holds only types that skops or the user trusts, whatever the bundle says of itself."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from scoremill import score
from scoremill.bundle import Bundle, load_estimator, open_bundle, pack
from scoremill.bundle.packing.pack import read_model, stage
from scoremill.bundle.schema import MANIFEST, sealed, to_document
from scoremill.errors import TrustError
from scoremill.spec import Model, Storage
from scoremill.storage.hashing import sha256
from tests.support.jobs import make_job, stored

HERE = Storage()
TREE = "sklearn.tree._tree.Tree"


@pytest.fixture
def linear(tmp_path: Path, flowers: pd.DataFrame) -> Bundle:
    model = LogisticRegression(max_iter=500).fit(flowers[["sl", "pw"]], flowers["target"])
    return stage(model, tmp_path, sample=flowers[["sl", "pw"]], format="skops").bundle


def altered(bundle: Bundle, model: object, types: list[str], code: dict[str, str] | None = None) -> Bundle:
    """`bundle` as somebody could write it by hand: with another model, and types and code of their choice."""
    folder, files = Path(bundle.uri), {"model.skops": skops.io.dumps(model)}
    files |= {f"code/{name}": text.encode() for name, text in (code or {}).items()}
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    hashes = {}
    for name in files:
        with (folder / name).open("rb") as file:
            hashes[name] = sha256(file)
    made = sealed(
        replace(
            bundle,
            facts={"types": types, "trusted": types},
            files=hashes,
            code=tuple(name for name in files if name.startswith("code/")),
        )
    )
    (folder / MANIFEST).write_text(json.dumps(to_document(made)))
    return made


@pytest.mark.parametrize("types", [["posix.system"], []], ids=["listed", "not listed"])
def test_a_bundle_that_calls_the_system_is_refused_whatever_it_lists(linear, tmp_path, types):
    model = make_pipeline(FunctionTransformer(os.system))
    bundle = altered(linear, model, types)
    with pytest.raises(TrustError, match=r"not trusted: posix\.system") as caught:
        load_estimator(bundle.uri, bundle.digest, HERE)
    assert '`spec.model.trustedTypes: ["posix.system"]`' in caught.value.hint


def test_types_that_a_bundle_lists_are_refused_before_a_worker_starts(linear, tmp_path):
    bundle = altered(linear, LogisticRegression(), ["posix.system"])
    with pytest.raises(TrustError, match=r"posix\.system"):
        open_bundle(Model(uri=bundle.uri, digest=bundle.digest), HERE)


def test_what_one_job_trusts_is_not_trusted_by_the_next_in_the_same_process(tmp_path, flowers):
    model = DecisionTreeClassifier(random_state=0).fit(flowers[["sl", "pw"]], flowers["target"])
    bundle = stage(model, tmp_path, sample=flowers[["sl", "pw"]], format="skops", trusted_types=[TREE]).bundle
    assert bundle.types == (TREE,)
    load_estimator(bundle.uri, bundle.digest, HERE, trusted_types=(TREE,))
    with pytest.raises(TrustError, match=TREE):
        load_estimator(bundle.uri, bundle.digest, HERE)


def test_types_have_to_be_trusted_when_a_model_is_packed_and_when_its_file_is_read(tmp_path, flowers):
    model = DecisionTreeClassifier(random_state=0).fit(flowers[["sl", "pw"]], flowers["target"])
    with pytest.raises(TrustError, match=TREE):
        pack(model, tmp_path / "tree", sample=flowers[["sl", "pw"]], format="skops")
    assert not (tmp_path / "tree").exists()
    skops.io.dump(model, tmp_path / "tree.skops")
    with pytest.raises(TrustError, match=TREE):
        read_model(tmp_path / "tree.skops")
    assert read_model(tmp_path / "tree.skops", trusted_types=[TREE]).get_depth() == model.get_depth()


SHADOW = "import pathlib\npathlib.Path({mark!r}).touch()\n"


def test_a_type_of_an_installed_package_lets_no_code_of_that_name_run(tmp_path, flowers):
    model = DecisionTreeClassifier(random_state=0).fit(flowers[["sl", "pw"]], flowers["target"])
    made = stage(model, tmp_path, sample=flowers[["sl", "pw"]], format="skops", trusted_types=[TREE]).bundle
    mark, path = tmp_path / "ran", list(sys.path)
    for name in ("sklearn/__init__.py", "sklearn.py"):
        bundle = altered(made, model, [TREE], {name: SHADOW.format(mark=str(mark))})
        with pytest.raises(TrustError, match="brings its own sklearn"):
            load_estimator(bundle.uri, bundle.digest, HERE, trusted_types=(TREE,))
    assert not mark.exists() and sys.path == path


def test_code_of_a_skops_bundle_that_is_refused_is_not_imported(linear, tmp_path):
    mark, path = tmp_path / "ran", list(sys.path)
    bundle = altered(
        linear, make_pipeline(FunctionTransformer(os.system)), [], {"mine.py": SHADOW.format(mark=str(mark))}
    )
    with pytest.raises(TrustError, match=r"posix\.system"):
        load_estimator(bundle.uri, bundle.digest, HERE, trusted_types=("mine.Other",))
    assert not mark.exists() and sys.path == path


def test_code_of_a_skops_bundle_does_not_run_in_place_of_installed_modules(linear, tmp_path):
    mark = tmp_path / "ran"
    code = {"sklearn.py": SHADOW.format(mark=str(mark)), "skops.py": SHADOW.format(mark=str(mark))}
    bundle, path = altered(linear, LogisticRegression(), [], code), list(sys.path)
    loaded = load_estimator(bundle.uri, bundle.digest, HERE, trusted_types=("mine.Other",))
    assert isinstance(loaded, LogisticRegression)
    assert not mark.exists()
    assert sys.path == path


MODULE = """
from sklearn.base import BaseEstimator, TransformerMixin

class Doubled(TransformerMixin, BaseEstimator):
    def fit(self, rows, y=None):
        return self

    def transform(self, rows):
        return rows * 2

    def __sklearn_is_fitted__(self):
        return True
"""


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Path]:
    """A module of the user's own, which can be imported by its name as long as the test runs."""
    path = list(sys.path)
    (tmp_path / "own_steps.py").write_text(MODULE)
    sys.path.insert(0, str(tmp_path))
    yield tmp_path / "own_steps.py"
    sys.path[:] = path
    sys.modules.pop("own_steps", None)


def trusted_by_hint(act: Callable[[], object]) -> list[str]:
    """The types that the hint of the error says to trust."""
    with pytest.raises(TrustError) as caught:
        act()
    found = re.search("give `spec.model.trustedTypes: (.*)`", caught.value.hint)
    assert found
    types: list[str] = json.loads(found[1])
    return types


def test_the_hint_about_types_of_the_users_own_works_when_packing_and_scoring(module, tmp_path, flowers):
    model = importlib.import_module("own_steps").Doubled()
    frame = flowers[["sl", "pw"]]
    frame.to_csv(tmp_path / "in.csv", index=False)

    def packed(types: list[str]) -> Bundle:
        return pack(
            model,
            tmp_path / "bundle",
            sample=frame,
            format="skops",
            method="transform",
            code=[module],
            trusted_types=types,
        )

    def scored(types: list[str]) -> pd.DataFrame:
        spec = {"uri": str(tmp_path / "bundle"), "trustedTypes": types}
        job = make_job(spec["uri"], str(tmp_path / "in.csv"), str(tmp_path / "out"), model=spec)
        score(job, cluster="in-process")
        return stored(str(tmp_path / "out"))

    types = trusted_by_hint(lambda: packed([]))
    assert types == ["own_steps.Doubled"]
    packed(types)
    del sys.modules["own_steps"]
    sys.path.remove(str(tmp_path))
    assert trusted_by_hint(lambda: scored([])) == types
    assert scored(types).to_numpy().tolist() == (frame * 2).to_numpy().tolist()
