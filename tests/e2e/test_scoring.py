"""From bucket to bucket on a cluster: the bytes that one machine gives, nothing left behind, other versions refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client

from scoremill.bundle import inspect
from scoremill.bundle.schema import MANIFEST, sealed, to_document
from scoremill.execute.coordinator.ship import SHIPPED
from scoremill.execute.place import connected
from scoremill.kubernetes.clusters import Named
from scoremill.kubernetes.objects import names
from scoremill.spec import Storage
from scoremill.storage.filesystem import Store
from tests.cluster.buckets import Store as Server
from tests.cluster.places import State
from tests.support.gcs import Bucket as GcsBucket
from tests.support.jobs import objects, trips
from tests.support.kube import Place, in_image, new_namespace
from tests.support.s3 import Bucket as S3Bucket

# Dask warns about the patch release of Python, which can differ from that of the image.
pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore:Mismatched versions found")]

Bucket = S3Bucket | GcsBucket
OTHER = "1.8.0"
"""Version of scikit-learn: the image has a later minor version."""
FEATURES = '''
"""A transformer that no library has."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class Capped(TransformerMixin, BaseEstimator):
    """Numbers up to the highest of the rows that it was fitted on."""

    def fit(self, X, y=None):
        self.feature_names_in_, self.n_features_in_ = np.asarray(X.columns, dtype=object), X.shape[1]
        self.highest_ = X.max().to_numpy()
        return self

    def transform(self, X):
        return np.log1p(np.minimum(X.to_numpy(), self.highest_))
'''
TRAIN = """
import joblib
import pandas as pd
from features import Capped
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

rows = pd.read_csv("sample.csv")
entrance = make_column_transformer((Capped(), ["distance", "passengers"]), (OneHotEncoder(), ["payment"]))
joblib.dump(make_pipeline(entrance, LogisticRegression()).fit(rows, rows.distance + rows.passengers > 5), "model.joblib")
"""


@pytest.fixture(scope="module")
def folder(cluster: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with code of its own, trained and packed on this machine with the image's libraries, in `bundle`."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "features.py").write_text(FEATURES)
    (folder / "train.py").write_text(TRAIN)
    trips(500).to_csv(folder / "sample.csv", index=False)
    pack = "scoremill model pack model.joblib --output bundle --sample sample.csv --code features.py"
    in_image(cluster, folder, "sh", "-ec", f"python train.py; {pack} --method predict_proba")
    return folder


@pytest.fixture(scope="module")
def stores(s3: Server, gcs: Server) -> dict[str, Bucket]:
    """A bucket of each kind with CSVs in `in`, one of which has rows that cannot be read."""
    buckets = {"s3": s3.bucket(), "gcs": gcs.bucket()}
    with pytest.MonkeyPatch.context() as patch:
        for bucket in buckets.values():
            _reach(bucket, patch)
            for number in range(3):
                text = trips(4000, seed=number).to_csv(index=False)
                bad = "1,far,cash,,2\n" * 3 if number == 1 else ""
                Store(bucket.uri("in")).write(f"{number}.csv", (text + bad).encode())
    return buckets


def _reach(bucket: Bucket, patch: pytest.MonkeyPatch) -> None:
    for name, value in bucket.environment.items():
        patch.setenv(name, value)


@pytest.fixture(scope="module")
def place(kubeconfig: Path, runner_image: str, stores: dict[str, Bucket]) -> Iterator[Place]:
    """A namespace with the Secret `buckets`, by which pods reach both stores."""
    ways = {**stores["s3"].environment, **stores["gcs"].environment}
    with new_namespace(kubeconfig) as namespace:
        place = Place(kubeconfig, namespace, runner_image, ways)
        place.secret("buckets", ways)
        yield place


@pytest.fixture(scope="module")
def at(place: Place) -> Named:
    """The cluster `trips`, of two workers."""
    return place.up("trips", "--workers", "2", "--secret", "buckets")


def _job(folder: Path, bucket: Bucket, output: str) -> list[str]:
    return [
        "--model",
        str(folder / "bundle"),
        "--input",
        bucket.uri("in/*.csv"),
        "--output",
        bucket.uri(output),
        "--keep",
        "id,payment",
        "--row-id",
        "--set",
        "spec.input.partitionBytes=24KiB",
    ]


@pytest.mark.parametrize("kind", ["s3", "gcs"])
def test_a_cluster_gives_the_bytes_that_one_machine_gives(
    kind, at, place, stores, folder, cluster, monkeypatch
) -> None:
    bucket = stores[kind]
    _reach(bucket, monkeypatch)
    said = json.loads(place.ok("score", *_job(folder, bucket, "there"), "--cluster", "trips", "--json"))
    assert said["totals"]["scored"] == 12000 and said["totals"]["rejected"] == 3
    place.ok("verify", bucket.uri("there"))

    alone = ["scoremill", "score", *_job(folder, bucket, "here"), "--cluster", "in-process"]
    in_image(cluster, folder, *alone, environment=bucket.environment)
    there, here = objects(bucket.uri("there")), objects(bucket.uri("here"))
    assert there == here
    assert len(there) > 12 and any(name.startswith("_errors/") for name in there)
    # The client's bundle went by the output's bucket, where nothing of it is left, to both workers' disks.
    assert Store(bucket.uri("there")).list(f"{SHIPPED}/") == []
    kept = Path(names.SCRATCH) / ".cache/scoremill/bundles" / said["bundle"].removeprefix("sha256:")
    with connected(at) as found, Client(found.address, security=found.security, set_as_default=False) as ours:
        fetched = ours.run(lambda: {str(path.relative_to(kept)) for path in kept.rglob("*")})
    assert len(fetched) == 2 and all(files >= {"model.joblib", "code/features.py"} for files in fetched.values())


def test_what_is_loaded_once_is_scored_by_three_models(place, stores, folder, cluster, monkeypatch) -> None:
    bucket = stores["s3"]
    place.up("held", "--workers", "2", "--secret", "buckets", "--memory", "1200MiB")
    _reach(bucket, monkeypatch)
    methods = ["predict", "predict_log_proba", "decision_function"]
    packs = [
        f"scoremill model pack model.joblib --output {method} --sample sample.csv --code features.py --method {method}"
        for method in methods
    ]
    in_image(cluster, folder, "sh", "-ec", "\n".join(packs))
    bundles = [str(folder / method) for method in methods]
    wanted = [word for bundle in bundles for word in ("--for", bundle)]
    place.ok(
        "dataset",
        "load",
        bucket.uri("in/*.csv"),
        "--name",
        "rows",
        "--cluster",
        "held",
        *wanted,
        "--columns",
        "id,payment",
        "--set",
        "spec.input.partitionBytes=24KiB",
    )
    for bundle in bundles:
        outputs = {name: bucket.uri(f"{name}-{Path(bundle).name}") for name in ("loaded", "streamed")}
        shape = ["--cluster", "held", "--model", bundle, "--keep", "id,payment", "--row-id"]
        place.ok("score", "--dataset", "rows", *shape, "--output", outputs["loaded"])
        place.ok(
            "score",
            "--input",
            bucket.uri("in/*.csv"),
            "--set",
            "spec.input.partitionBytes=24KiB",
            *shape,
            "--output",
            outputs["streamed"],
        )
        assert objects(outputs["loaded"]) == objects(outputs["streamed"])
        place.ok("verify", outputs["loaded"])
    (found,) = json.loads(place.ok("dataset", "list", "--cluster", "held", "--json"))["datasets"]
    # Text is held: what does not convert is rejected by each model that reads it, not by the dataset.
    assert (found["name"], found["rows"], found["rejected"]) == ("rows", 12003, 0)
    place.ok("dataset", "drop", "rows", "--cluster", "held")
    assert json.loads(place.ok("dataset", "list", "--cluster", "held", "--json"))["datasets"] == []


def test_a_bundle_of_another_scikit_learn_is_refused_before_the_first_row(at, place, stores, folder, monkeypatch):
    bucket = stores["s3"]
    _reach(bucket, monkeypatch)
    packed = inspect(str(folder / "bundle"), Storage()).versions["scikit-learn"]
    other = _repacked(folder, "older")
    said = place.fails(3, "score", *_job(other, bucket, "older"), "--cluster", "trips")
    assert f"packed with scikit-learn {OTHER}, here is " in said and "spec.model.allowVersionSkew" in said
    assert Store(bucket.uri("older")).list() == []
    assert packed.split(".")[:2] != OTHER.split(".")[:2]


def test_a_client_of_another_scikit_learn_is_refused_before_the_first_row(
    at, place, stores, folder, tmp_path, monkeypatch
) -> None:
    bucket = stores["s3"]
    _reach(bucket, monkeypatch)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target"]
    subprocess.run([*pip, str(tmp_path / "older"), f"scikit-learn=={OTHER}"], check=True)
    of_image = inspect(str(folder / "bundle"), Storage()).versions["scikit-learn"]

    def refused(bundle: Path) -> str:
        job = [*_job(bundle, bucket, "skewed"), "--cluster", "trips"]
        return place.fails(3, "score", *job, PYTHONPATH=str(tmp_path / "older"))

    assert f"packed with scikit-learn {of_image}, here is {OTHER}" in refused(folder)
    assert f"has scikit-learn {of_image}, the driver has {OTHER}" in refused(_repacked(folder, "client"))
    assert objects(bucket.uri("skewed")) == {}


def _repacked(folder: Path, name: str) -> Path:
    """A folder whose `bundle` is as OTHER's scikit-learn would have recorded it."""
    there = folder / name
    there.mkdir()
    subprocess.run(["cp", "-r", folder / "bundle", there], check=True)
    bundle = inspect(str(there / "bundle"), Storage())
    bundle = sealed(replace(bundle, versions={**bundle.versions, "scikit-learn": OTHER}))
    (there / "bundle" / MANIFEST).write_text(json.dumps(to_document(bundle)))
    return there


def test_a_cluster_that_has_scored_leaves_nothing(place, stores, folder, at) -> None:
    before = _all(place)
    place.up("brief", "--workers", "1:2", "--secret", "buckets")
    made = {kind for kind, _ in _all(place) - before}
    assert {"DaskCluster", "DaskAutoscaler", "DaskWorkerGroup", "Secret", "NetworkPolicy", "Pod", "Service"} <= made
    place.ok("score", *_job(folder, stores["s3"], "brief"), "--cluster", "brief")
    place.ok("cluster", "down", "brief")
    assert _all(place) - before == set()


def _all(place: Place) -> set[tuple[str, str]]:
    return {(each["kind"], each["metadata"]["name"]) for each in place.everything() if "Event" not in each["kind"]}
