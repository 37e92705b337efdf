"""Packing and loading for real: each proof runs in a clean process."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import pickle
import shutil
import subprocess
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.decomposition import NMF
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import FunctionTransformer

import scoremill
from scoremill.bundle import load
from scoremill.bundle.flavours import joblib as joblib_flavour
from scoremill.bundle.load import load_estimator
from scoremill.bundle.packing.pack import judged, pack, read_model, stage
from scoremill.bundle.packing.prove import Proven, prove
from scoremill.bundle.read import inspect, open_bundle, verify_bundle
from scoremill.bundle.results import call
from scoremill.bundle.schema import MANIFEST, sealed, to_document
from scoremill.errors import FitError, ModelError, SkewError, TrustError, UsageError, VerificationError
from scoremill.spec import Column, Model, Storage

HERE = Storage()
NOISE = "import numpy as np\n\ndef noisy(rows):\n    return rows + np.random.default_rng().normal(size=rows.shape)\n"


@pytest.fixture(scope="module")
def packed(tmp_path_factory, pipeline, flowers):
    """The pipeline as a bundle, packed once; tests that change it take a copy."""
    sample = tmp_path_factory.mktemp("sample") / "flowers.parquet"
    flowers.assign(color=flowers["color"].astype("category")).to_parquet(sample)
    output = tmp_path_factory.mktemp("bundles") / "flowers"
    return pack(pipeline, output, sample=sample, meta={"stage": "test"}, command="make model", trained_on="iris")


@pytest.fixture
def copied(packed, tmp_path):
    return Path(shutil.copytree(packed.uri, tmp_path / "copy"))


def _resealed(folder: Path, **changes) -> str:
    """Change what bundle.json says, with the digest that then belongs to it."""
    bundle = inspect(str(folder), HERE)
    bundle = sealed(type(bundle)(**{**{name: getattr(bundle, name) for name in asdict(bundle)}, **changes}))
    (folder / MANIFEST).write_text(json.dumps(to_document(bundle)))
    return bundle.digest


def test_a_packed_model_scores_as_it_did(packed, pipeline, flowers):
    bundle = open_bundle(Model(uri=packed.uri), HERE)
    assert bundle == packed
    estimator = load_estimator(bundle.uri, bundle.digest, HERE)
    results = call(estimator, bundle, "predict_proba", flowers)
    assert np.array_equal(np.column_stack(list(results.values())), pipeline.predict_proba(flowers))
    assert isinstance(estimator[-1].coef_, np.memmap)
    assert load_estimator(bundle.uri, bundle.digest, HERE) is estimator


def test_a_bundle_says_what_it_reads_gives_and_was_trained_on(packed):
    assert packed.columns == (
        Column("sl", "float64"),
        Column("pl", "float64"),
        Column("pw", "float64"),
        Column("color", "category", ("blue", "white")),
    )
    assert [column.name for column in packed.others] == ["sw", "unused", "target"]
    assert packed.classes == (0, 1, 2)
    assert packed.results["predict_proba"][2] == Column("proba_2", "float64")
    assert packed.trained["meta"] == {"stage": "test"}
    assert packed.trained["command"] == "make model"
    assert packed.trained["data"] == "iris"
    assert packed.versions["scikit-learn"]
    assert packed.sizes["model.joblib"] == Path(packed.uri, "model.joblib").stat().st_size
    assert not packed.batch_dependent


def test_the_same_model_packed_again_has_the_same_digest(packed, pipeline, flowers, tmp_path):
    sample = flowers.assign(color=flowers["color"].astype("category"))
    staged = stage(pipeline, tmp_path, sample=sample)
    (found,) = prove([staged.claim])
    assert judged(staged.bundle, found).digest == packed.digest


def test_inspecting_and_verifying_never_unpickle(copied):
    trap = copied.parent / "sprung"

    class Trap:
        def __reduce__(self):
            return open, (str(trap), "w")

    (copied / "model.joblib").write_bytes(pickle.dumps(Trap()))
    changed = hashlib.sha256((copied / "model.joblib").read_bytes()).hexdigest()
    digest = _resealed(copied, files={"model.joblib": changed})
    assert inspect(str(copied), HERE).digest == digest
    assert verify_bundle(str(copied), HERE).digest == digest
    assert open_bundle(Model(uri=str(copied)), HERE).digest == digest
    assert not trap.exists()
    load_estimator(str(copied), digest, HERE)
    assert trap.exists(), "the trap works"


def test_an_altered_artifact_is_named_and_not_unpickled(copied, packed):
    data = bytearray((copied / "model.joblib").read_bytes())
    data[-1] ^= 1
    (copied / "model.joblib").write_bytes(data)
    for check in (verify_bundle, lambda uri, _: load_estimator(uri, packed.digest, HERE)):
        with pytest.raises(VerificationError, match=r"model\.joblib was altered"):
            check(str(copied), HERE)


def test_a_missing_file_is_named(copied, packed):
    (copied / "model.joblib").unlink()
    for check in (verify_bundle, lambda uri, _: load_estimator(uri, packed.digest, HERE)):
        with pytest.raises(VerificationError, match=r"model\.joblib is missing"):
            check(str(copied), HERE)


def test_an_altered_description_is_refused(copied):
    text = (copied / MANIFEST).read_text()
    (copied / MANIFEST).write_text(text.replace('"proba_2"', '"proba_3"'))
    with pytest.raises(VerificationError, match="was altered"):
        inspect(str(copied), HERE)


def test_a_folder_without_a_bundle_says_how_to_make_one(tmp_path):
    # No other folder has a similar name, which the hint would suggest.
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(UsageError, match=r"no bundle\.json") as caught:
        inspect(str(folder), HERE)
    assert "scoremill model pack" in str(caught.value)


def test_another_digest_than_planned_is_not_loaded(packed):
    with pytest.raises(TrustError):
        load_estimator(packed.uri, "sha256:" + "0" * 64, HERE)


def test_a_method_that_the_bundle_lacks_is_refused(packed):
    with pytest.raises(FitError, match='no method "transform"'):
        open_bundle(Model(uri=packed.uri, method="transform"), HERE)


def test_a_skew_of_scikit_learn_is_refused_unless_allowed(copied):
    _resealed(copied, versions={"scikit-learn": "0.24.2", "numpy": "1.2.0"})
    with pytest.raises(SkewError, match=r"scikit-learn 0\.24\.2"):
        open_bundle(Model(uri=str(copied)), HERE)
    bundle = open_bundle(Model(uri=str(copied), allow_version_skew=True), HERE)
    assert len(bundle.warnings) == 2
    assert "numpy 1.2.0" in bundle.warnings[1]


def test_python_code_by_value_is_not_run_by_another_python(copied):
    _resealed(copied, versions={"python": "3.8.1"}, facts={"by_value": ["__main__.f"]})
    with pytest.raises(SkewError, match=r"__main__\.f"):
        open_bundle(Model(uri=str(copied)), HERE)
    _resealed(copied, facts={"by_value": []})
    assert "packed with python 3.8.1" in open_bundle(Model(uri=str(copied)), HERE).warnings[0]


def test_a_remote_bundle_is_fetched_once_and_verified_each_time(packed, cache, flowers):
    from scoremill.storage.filesystem import Store

    uri = "memory://models/flowers"
    for file in Path(packed.uri).iterdir():
        Store(uri).write(file.name, file.read_bytes())
    with pytest.raises(TrustError, match="untrusted model"):
        open_bundle(Model(uri=uri), HERE)
    bundle = open_bundle(Model(uri=uri, digest=packed.digest), HERE)
    fetched = cache / packed.digest.removeprefix("sha256:") / "model.joblib"
    load_estimator(uri, packed.digest, HERE)
    assert [path.name for path in fetched.parent.iterdir()] == ["model.joblib"]
    fetched.write_bytes(b"spoiled")
    from scoremill.bundle import load

    load._loaded.clear()
    assert len(call(load_estimator(uri, packed.digest, HERE), bundle, "predict", flowers)["prediction"]) == 150
    Store(uri).write("model.joblib", b"replaced")
    load._loaded.clear()
    fetched.unlink()
    with pytest.raises(VerificationError, match=r"model\.joblib was altered"):
        load_estimator(uri, packed.digest, HERE)
    assert list(fetched.parent.iterdir()) == []


class OnlyHere(BaseEstimator):
    n_features_in_ = 2

    def predict(self, rows):
        return rows[:, 0]


def test_models_that_cannot_be_relied_on_are_refused_with_the_reason(tmp_path, flowers):
    numbers = flowers[["sl", "pw"]]
    space: dict[str, object] = {"__name__": "noise"}
    exec(NOISE, space)
    space["noisy"].__module__ = "__main__"
    together = NMF(init="random", random_state=0, max_iter=2000).fit(flowers[["sl", "sw", "pl", "pw"]])
    models = {
        "random": FunctionTransformer(space["noisy"]).fit(numbers),
        "batch": together,
        "missing": OnlyHere(),
        "good": LinearRegression().fit(numbers.to_numpy(), flowers["target"]),
    }
    staged = {}
    for name, model in models.items():
        (tmp_path / name).mkdir()
        staged[name] = stage(model, tmp_path / name, sample=flowers if name == "batch" else numbers)
    random, batch, missing, good = prove([one.claim for one in staged.values()])
    with pytest.raises(ModelError, match="not deterministic"):
        judged(staged["random"].bundle, random)
    with pytest.raises(ModelError, match="depends on the rows scored with it"):
        judged(staged["batch"].bundle, batch)
    allowed = judged(staged["batch"].bundle, batch, allow_batch_dependent=True)
    assert allowed.batch_dependent
    assert allowed.digest != staged["batch"].bundle.digest
    assert isinstance(missing, UsageError)
    assert "--code" in str(missing)
    assert str(tmp_path) not in str(missing)
    assert judged(staged["good"].bundle, good).results.keys() == {"predict"}


def test_code_travels_with_the_model_as_module_package_or_zip(tmp_path, monkeypatch, flowers):
    source = tmp_path / "src"
    monkeypatch.syspath_prepend(str(source))
    for package in ("carried_package", "carried_zip"):
        (source / package / "__pycache__").mkdir(parents=True)
        (source / package / "__init__.py").write_text("from .inner import twice\n")
        (source / package / "inner.py").write_text("def twice(rows):\n    return rows * 2\n")
        (source / package / "__pycache__" / "inner.pyc").write_bytes(b"")
    (source / "carried_module.py").write_text("def twice(rows):\n    return rows * 2\n")
    with zipfile.ZipFile(tmp_path / "carried.zip", "w") as archive:
        for file in sorted((source / "carried_zip").iterdir()):
            archive.write(file, file.relative_to(source))
    sources = {
        "carried_module": source / "carried_module.py",
        "carried_package": source / "carried_package",
        "carried_zip": tmp_path / "carried.zip",
    }
    staged = []
    for name, code in sources.items():
        (tmp_path / name).mkdir()
        model = FunctionTransformer(__import__(name).twice).fit(flowers[["sl"]])
        staged.append(stage(model, tmp_path / name, sample=flowers, code=[code]))
    assert [one.bundle.code for one in staged] == [
        ("code/carried_module.py",),
        ("code/carried_package/__init__.py", "code/carried_package/inner.py"),
        ("code/carried_zip/__init__.py", "code/carried_zip/inner.py"),
    ]
    for one, found in zip(staged, prove([one.claim for one in staged]), strict=True):
        assert isinstance(found, Proven), found
        assert judged(one.bundle, found).by_value == ()
        assert verify_bundle(one.bundle.uri, HERE).digest == one.bundle.digest


def test_two_bundles_modules_of_one_name_do_not_clash_silently(tmp_path, monkeypatch, flowers):
    monkeypatch.setattr(sys, "path", list(sys.path))
    frame, bundles = flowers[["sl"]].head(2), []
    for factor in (2, 3):
        source = tmp_path / f"src{factor}"
        source.mkdir()
        (source / "clashing.py").write_text(f"def scale(rows):\n    return rows * {factor}\n")
        sys.path.insert(0, str(source))
        sys.modules.pop("clashing", None)
        model = FunctionTransformer(__import__("clashing").scale).fit(frame)
        (tmp_path / f"b{factor}").mkdir()
        bundles.append(stage(model, tmp_path / f"b{factor}", sample=frame, code=[source / "clashing.py"]).bundle)
    two, three = bundles
    third = load_estimator(three.uri, three.digest, HERE)
    with pytest.warns(UserWarning, match='its own "clashing"'):
        second = load_estimator(two.uri, two.digest, HERE)
    assert np.array_equal(call(second, two, "transform", frame)["x0"], frame["sl"] * 2)
    assert np.array_equal(call(third, three, "transform", frame)["x0"], frame["sl"] * 3)
    del sys.modules["clashing"]


def test_code_that_would_hide_pythons_own_is_refused(tmp_path, flowers):
    (tmp_path / "json.py").write_text("")
    with pytest.raises(UsageError, match="json would hide"):
        stage(
            LinearRegression().fit(flowers[["sl"]], flowers["pw"]),
            tmp_path,
            sample=flowers,
            code=[tmp_path / "json.py"],
        )


def test_code_that_is_nowhere_is_refused(tmp_path, flowers):
    with pytest.raises(UsageError, match='no file, package or importable module "nowhere"'):
        stage(LinearRegression().fit(flowers[["sl"]], flowers["pw"]), tmp_path, sample=flowers, code=["nowhere"])


def test_script_packs_what_it_defines_and_a_csv_sample_has_the_types(tmp_path, flowers):
    flowers.to_csv(tmp_path / "flowers.csv", index=False)
    (tmp_path / "script.py").write_text(
        "import sys, numpy as np, pandas as pd\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.compose import make_column_transformer\n"
        "from sklearn.preprocessing import FunctionTransformer\n"
        "from sklearn.linear_model import LinearRegression\n"
        "from scoremill.bundle import pack\n"
        "def is_blue(frame):\n"
        "    return (frame == 'blue').astype(float)\n"
        "data = pd.read_csv('flowers.csv')\n"
        "entrance = make_column_transformer((FunctionTransformer(is_blue), ['color']), ('passthrough', ['sl', 'unused']))\n"
        "model = make_pipeline(entrance, LinearRegression()).fit(data, data['target'])\n"
        "print(pack(model, 'bundle', sample='flowers.csv').digest)\n"
    )
    env = {"PYTHONPATH": str(Path(scoremill.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    bundle = open_bundle(Model(uri=str(tmp_path / "bundle"), digest=done.stdout.strip()), HERE)
    assert [(column.name, column.dtype) for column in bundle.columns] == [
        ("sl", "float64"),
        ("color", "string"),
        ("unused", "int64"),
    ]
    assert bundle.by_value == ("__main__.is_blue",)
    assert bundle.trained["data"] == "flowers.csv"


def test_a_model_file_is_read_and_skops_bundles_score_alike(tmp_path, flowers):
    model = LogisticRegression(max_iter=500).fit(flowers[["sl", "pw"]], flowers["target"])
    joblib.dump(model, tmp_path / "model.joblib")
    bundle = stage(
        read_model(tmp_path / "model.joblib"), tmp_path, sample=flowers, method="predict_proba", format="skops"
    ).bundle
    assert (bundle.format, bundle.method) == ("skops", "predict_proba")
    results = call(load_estimator(bundle.uri, bundle.digest, HERE), bundle, bundle.method, flowers)
    assert np.array_equal(np.column_stack(list(results.values())), model.predict_proba(flowers[["sl", "pw"]]))
    assert np.array_equal(read_model(Path(bundle.uri) / "model.skops").coef_, model.coef_)


def test_model_files_that_cannot_be_read_say_why(tmp_path):
    with pytest.raises(UsageError, match="no model file"):
        read_model(tmp_path / "model.joblib")
    (tmp_path / "module.pkl").write_bytes(b"cnowhere_to_be_found\nf\n.")
    with pytest.raises(UsageError, match='needs the module "nowhere_to_be_found"') as caught:
        read_model(tmp_path / "module.pkl")
    assert "--code" in str(caught.value)
    (tmp_path / "main.pkl").write_bytes(b"c__main__\nFromAScript\n.")
    with pytest.raises(UsageError, match="script or notebook"):
        read_model(tmp_path / "main.pkl")
    (tmp_path / "garbage.pkl").write_bytes(b"garbage")
    with pytest.raises(ModelError, match="is not a pickled model"):
        read_model(tmp_path / "garbage.pkl")


def test_a_model_file_of_another_scikit_learn_does_not_pass_for_one_of_this(tmp_path, flowers):
    model = LinearRegression().fit(flowers[["sl"]], flowers["pw"])
    for version, refused in (("0.24.2", True), (".".join([*sklearn.__version__.split(".")[:2], "99"]), False)):
        path = tmp_path / f"{version}.pkl"
        path.write_bytes(_of_version(model, version))
        if refused:
            with pytest.raises(SkewError, match=r"trained with scikit-learn 0\.24\.2"):
                read_model(path)
        else:
            assert np.array_equal(read_model(path).coef_, model.coef_)


def _of_version(model, version: str) -> bytes:
    """The model's pickle as another scikit-learn would have written it."""
    old, new = (b"\x8c" + bytes([len(text)]) + text.encode() for text in (sklearn.__version__, version))
    data = pickle.dumps(model, protocol=4)
    assert data.count(old) == 1
    head = data.index(b"\x95")
    size = int.from_bytes(data[head + 1 : head + 9], "little") + len(new) - len(old)
    return (data[: head + 1] + size.to_bytes(8, "little") + data[head + 9 :]).replace(old, new)


def test_an_unknown_format_is_refused_with_those_that_are_known(tmp_path, flowers):
    with pytest.raises(UsageError, match="joblib, skops"):
        stage(LinearRegression(), tmp_path, sample=flowers, format="onnx")


def test_a_model_that_holds_a_lock_is_refused(tmp_path):
    class Holder(BaseEstimator):
        n_features_in_ = 1

        def predict(self, rows):
            return rows[:, 0]

    model = Holder()
    model.file = (value for value in ())
    with pytest.raises(ModelError, match="cannot be written"):
        stage(model, tmp_path, sample=pd.DataFrame({"x": [1.0]}))


def test_bundles_are_read_without_loading_what_models_are_made_of():
    code = (
        "import sys, scoremill.bundle; from scoremill.bundle import Bundle, open_bundle, inspect, verify_bundle\n"
        "heavy = {'numpy', 'pandas', 'sklearn', 'joblib', 'pyarrow', 'skops', 'cloudpickle'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    env = {"PYTHONPATH": str(Path(scoremill.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_driver_plans_without_loading_what_models_are_made_of():
    code = (
        "import sys, scoremill.execute.coordinator.prepare\n"
        "heavy = {'sklearn', 'scipy', 'joblib', 'skops'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    env = {"PYTHONPATH": str(Path(scoremill.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_loaded_is_a_private_copy_that_nobody_can_swap_after_it_was_verified(
    packed, copied, cache, monkeypatch
):
    seen: list[Path] = []
    original = joblib_flavour.load

    def swapping(artifact: Path, facts: object, trusted_types: object) -> object:
        seen.append(artifact)
        (Path(copied) / "model.joblib").write_bytes(b"another model")
        return original(artifact, facts, trusted_types)

    monkeypatch.setattr(joblib_flavour, "load", swapping)
    load_estimator(str(copied), packed.digest, HERE)
    assert [path.is_relative_to(cache) for path in seen] == [True]
    assert cache.stat().st_mode & 0o077 == 0


def test_a_cache_that_others_can_write_to_is_not_used(packed, cache):
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    load_estimator(packed.uri, packed.digest, HERE)
    assert list(cache.iterdir()) == []


def test_compiled_code_that_lies_in_the_cache_is_not_believed(tmp_path, cache, flowers):
    module = tmp_path / "honest_features.py"
    module.write_text("def double(rows):\n    return rows * 2\n")
    sys.path.insert(0, str(tmp_path))
    try:
        import honest_features

        model = FunctionTransformer(honest_features.double).fit(flowers[["sl"]])
        bundle = pack(model, tmp_path / "bundle", sample=flowers[["sl"]], code=[module])
    finally:
        sys.path.remove(str(tmp_path))
    load_estimator(bundle.uri, bundle.digest, HERE)
    source = cache / bundle.digest.removeprefix("sha256:") / "code" / "honest_features.py"
    for planted in (Path(importlib.util.cache_from_source(str(source))), source.with_name("other.py")):
        planted.parent.mkdir(exist_ok=True)
        planted.write_bytes(b"planted")
    load._loaded.clear()
    load_estimator(bundle.uri, bundle.digest, HERE)
    assert [path.name for path in source.parent.rglob("*") if path.is_file()] == ["honest_features.py"]
