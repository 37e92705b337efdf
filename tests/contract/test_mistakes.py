"""Common mistakes of new users: each ends with an exit code, an error code, a message, and a hint that works.

Mistakes that need running pods (no room, a missing image, a quota) are in tests/e2e/test_cluster_commands.py. A worker
with too little memory is in test_local_cluster.py. `make install-check` tries the oldest pip.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stderr
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import pytest
import yaml
from sklearn.linear_model import LinearRegression

from scoremill.bundle import pack
from scoremill.cli.app import run
from scoremill.kubernetes.api import connect
from scoremill.ledger import Lease
from scoremill.storage import retry
from scoremill.storage.filesystem import Store
from tests.support.cli import here
from tests.support.control_plane import ControlPlane
from tests.support.jobs import bundle_of_another_version, trip_bundle, trips
from tests.support.kubernetes_api import KubernetesApi, define
from tests.support.proxy import Answer, Proxy, Rule, proxy
from tests.support.s3 import Bucket

Words = tuple[object, ...]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@dataclass(frozen=True)
class Desk:
    """A folder with `trips.csv`, a bucket with the same file, and a bundle."""

    folder: Path
    bundle: str
    bucket: Bucket
    before: Callable[[Rule], Proxy]
    """A function that starts a proxy with this rule in front of the bucket."""

    def score(self, source: object = "trips.csv", output: object = "scores", *more: object) -> Words:
        words = ("score", "--cluster", "in-process", "--quiet", "--model", self.bundle)
        return (*words, "--input", source, "--output", output, *more)

    def score_bucket(self, *more: object) -> Words:
        return self.score(self.bucket.uri("trips.csv"), self.bucket.uri("scores"), *more)


@pytest.fixture
def desk(bundle: str, s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(retry, "PATIENCE", retry.Patience(first_pause=0.002))
    trips(300).to_csv("trips.csv", index=False)
    Store(s3.uri()).write("trips.csv", Path("trips.csv").read_bytes())
    with ExitStack() as stack:

        def before(rule: Rule) -> Proxy:
            state = stack.enter_context(proxy(s3.endpoint, rule))
            monkeypatch.setenv("AWS_ENDPOINT_URL", state.endpoint)
            return state

        yield Desk(tmp_path, bundle, s3, before)


def works(*words: object) -> None:
    code, _, err = here(*words)
    assert code == 0, f"{' '.join(map(str, words))}\n{err}"


def fails(words: Words, exit_code: int, error_code: str, message: str, hint: str) -> re.Match[str]:
    """Run a command that must fail like this, and return the match of `hint`."""
    code, _, err = here(*words)
    return explains(code, err, exit_code, error_code, message, hint)


def explains(code: int, err: str, exit_code: int, error_code: str, message: str, hint: str) -> re.Match[str]:
    assert (code, err.count("error[")) == (exit_code, 1), err
    assert f"error[{error_code}]: " in err and message in err, err
    found = re.search(rf"hint: .*{hint}", err, re.DOTALL)
    assert found, err
    return found


# --- stores -----------------------------------------------------------------------------------------------------------


def test_misspelled_bucket(desk: Desk) -> None:
    words = desk.score("s3://tripz/trips.csv")
    fails(words, 5, "BucketNotFound", '"tripz"', "Check the spelling")
    works(*desk.score(desk.bucket.uri("trips.csv")))


def test_missing_credentials(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            without.delenv(name)
        hint = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        fails(desk.score_bucket(), 5, "NoCredentials", "credentials", hint)
    works(*desk.score_bucket())


def test_expired_token(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    expired = Answer(400, "ExpiredToken", "The provided token has expired.")
    desk.before(lambda request: None if "Credential=NEW/" in request.headers.get("authorization", "") else expired)
    fails(desk.score_bucket(), 5, "CredentialsExpired", "expired", r"AWS_ACCESS_KEY_ID|(?i:renew|new credentials)")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "NEW")
    works(*desk.score_bucket())


def test_wrong_region(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Answer(400, "AuthorizationHeaderMalformed", "the region is wrong", {"Region": "mars"})
    state = desk.before(lambda request: wrong)
    found = fails(desk.score_bucket(), 5, "WrongRegion", "region", r"Set AWS_REGION=(\w+)")
    state.rule = lambda request: None if f"/{found[1]}/s3/" in request.headers.get("authorization", "") else wrong
    monkeypatch.setenv("AWS_REGION", found[1])
    works(*desk.score_bucket())


def test_no_disk(desk: Desk) -> None:
    full = Answer(507, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold.")
    state = desk.before(lambda request: full if request.method == "PUT" and "/part-" in request.path else None)
    fails(desk.score_bucket(), 5, "NoSpace", "no space or quota left", "Free some")
    state.rule = lambda request: None
    works(*desk.score_bucket())


# --- input ------------------------------------------------------------------------------------------------------------


def test_misspelled_column(desk: Desk) -> None:
    words = desk.score("trips.csv", "scores", "--keep", "identity")
    fails((*words[:-1], "nota"), 3, "ColumnMissing", "nota", "The closest name is .note")
    works(*words[:-1], "note")


def test_wrong_delimiter(desk: Desk) -> None:
    trips(300).to_csv("semicolons.csv", index=False, sep=";")
    words = desk.score("semicolons.csv")
    found = fails(words, 3, "WrongDialect", "columns that the file does not have", "with --delimiter '(.)'")
    works(*words, "--delimiter", found[1])


# --- models -----------------------------------------------------------------------------------------------------------


def test_model_of_another_version(desk: Desk) -> None:
    words = replace(desk, bundle=bundle_of_another_version(desk.bundle, desk.folder / "old")).score()
    fails(words, 3, "VersionMismatch", "was packed with scikit-learn 1.0.1", "--set spec.model.allowVersionSkew=true")
    works(*words, "--set", "spec.model.allowVersionSkew=true")


def test_unpicklable_model(desk: Desk) -> None:
    frame = trips(300)
    model = LinearRegression().fit(frame[["distance"]], frame["passengers"])
    model.lock_ = Lock()
    err = io.StringIO()
    with redirect_stderr(err):
        code = run(lambda: pack(model, "packed", sample=frame[["distance"]]))
    explains(code, err.getvalue(), 3, "ModelNotPicklable", "the model cannot be", "locks")
    del model.lock_
    pack(model, "packed", sample=frame[["distance"]])


TRAIN = """
import joblib
from sklearn.pipeline import make_pipeline
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer
import pandas

def doubled(frame):
    return frame * 2

frame = pandas.read_csv("trips.csv")[["distance"]]
model = make_pipeline(FunctionTransformer(doubled), LinearRegression()).fit(frame, frame["distance"])
"""


def test_model_with_functions_of_a_script(desk: Desk) -> None:
    script = [sys.executable, "-c"]
    subprocess.run([*script, f"{TRAIN}joblib.dump(model, 'model.joblib')"], check=True)
    words = ("model", "pack", "model.joblib", "--sample", "trips.csv", "--output", "packed")
    found = fails(words, 2, "DefinedInMain", "a script or notebook", r"scoremill\.(pack)\(")
    call = f"import scoremill; scoremill.{found[1]}(model, 'packed', sample=frame)"
    subprocess.run([*script, TRAIN + call], check=True)
    works(*replace(desk, bundle="packed").score())


# --- outputs ----------------------------------------------------------------------------------------------------------


def test_existing_output(desk: Desk) -> None:
    works(*desk.score())
    words = (*desk.score(), "--mode")
    fails((*words, "ErrorIfExists"), 2, "OutputExists", "exists", "--mode Resume")
    works(*words, "Resume")


def test_locked_output(desk: Desk) -> None:
    lease = Lease.acquire(Store(str(desk.folder / "scores")))
    fails(desk.score(), 6, "OutputLocked", "is being written by process", "--wait")
    lease.release()
    works(*desk.score(), "--wait")


# --- Kubernetes -------------------------------------------------------------------------------------------------------


@pytest.fixture
def job(desk: Desk) -> Path:
    """A job file."""
    spec = {
        "model": {"uri": "s3://m/trips", "digest": f"sha256:{'0' * 64}"},
        "input": {"uris": ["s3://b/*.csv"]},
        "output": {"uri": "s3://b/out"},
    }
    made = {"apiVersion": "scoremill.dev/v1alpha1", "kind": "ScoringJob", "metadata": {"name": "trips"}, "spec": spec}
    path = desk.folder / "job.yaml"
    path.write_text(yaml.safe_dump(made))
    return path


def test_missing_kubeconfig(job: Path, kubernetes_api: KubernetesApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "nowhere")
    fails(("job", "submit", job), 6, "NoKubeconfig", "Kubernetes configuration", "Set KUBECONFIG")
    monkeypatch.setenv("KUBECONFIG", str(kubernetes_api.kubeconfig()))
    works("job", "submit", job)


def test_missing_namespace(job: Path, kubernetes_api: KubernetesApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubernetes_api.kubeconfig()))
    words = ("job", "submit", job, "--namespace")
    fails((*words, "nowhere"), 6, "NamespaceNotFound", "namespace nowhere not found", "choose another with --namespace")
    works(*words, kubernetes_api.namespace)


def test_missing_operator(job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plane").mkdir()
    with ControlPlane(tmp_path / "plane") as plane:
        monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))
        fails(("job", "submit", job), 6, "OperatorMissing", "chart is not installed", "Install the chart")
        define(connect(str(plane.kubeconfig)))
        works("job", "submit", job)
