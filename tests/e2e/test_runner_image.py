"""The runner image, as nodes run it: any uid, nothing allowed, nothing writable but what is mounted."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

import pytest

from tests.cluster.places import State

Run = Callable[..., str]

SCORES = """
import numpy as np, pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
import scoremill

rng = np.random.default_rng(1)
rows = pd.DataFrame({"kind": rng.choice(["a", "b"], 5000), "size": rng.normal(size=5000)})
encode = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
model = make_pipeline(encode, LogisticRegression()).fit(rows, rows["size"] > 0)
scoremill.pack(model, "/tmp/model", sample=rows.head(500))
rows.to_csv("/tmp/rows.csv", index=False)
"""
LEFT_OUT = "for name in pip pip3 gcc cc make ld strip; do if command -v $name; then exit 1; fi; done"
LOADED = """
import dask.dataframe, distributed, gcsfs, numpy.testing, pyarrow.csv, pyarrow.dataset, pyarrow.parquet, s3fs, scipy.stats
import sklearn.ensemble, sklearn.neural_network, sklearn.svm, skops.io, zstandard
import botocore.session
import dask_kubernetes.operator.controller
for service in ("s3", "sts", "sso", "sso-oidc"):
    botocore.session.get_session().create_client(service, region_name="us-east-1")
"""


@pytest.fixture
def in_image(cluster: State) -> Run:
    """Runs a command in the image; its output."""
    if cluster.kind is None:
        pytest.skip("a cluster of the user's pulls the image; it need not be on this machine")
    locked = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    environment = {**os.environ, **({"DOCKER_HOST": cluster.docker_host} if cluster.docker_host else {})}

    def run(*command: str, user: str = "1000:1000", docker: str = "run") -> str:
        options = ["--rm", "--network", "host", "--user", user, *locked] if docker == "run" else []
        whole = ["docker", docker, *options, cluster.runner, *command]
        done = subprocess.run(whole, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_a_job_runs_in_it_from_model_to_proof(in_image: Run) -> None:
    score = "scoremill score --model /tmp/model --input /tmp/rows.csv --output /tmp/out --workers 2"
    in_image("sh", "-ec", f"python -c '{SCORES}'; {score}; scoremill verify /tmp/out")


def test_what_is_loaded_was_not_pruned_whatever_the_uid(in_image: Run) -> None:
    in_image("python", "-c", LOADED, user="4242:0")


def test_it_holds_no_installer_and_no_compiler(in_image: Run) -> None:
    in_image("sh", "-c", LEFT_OUT)


def test_an_init_passes_signals_on(in_image: Run) -> None:
    assert in_image("sh", "-c", "tr '\\0' ' ' </proc/1/cmdline").startswith("tini --")


def test_it_says_what_it_is_and_stays_below_700_megabytes(in_image: Run) -> None:
    (image,) = json.loads(in_image(docker="inspect"))
    assert image["Config"]["User"] == "1000:1000"
    assert image["Config"]["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert image["Size"] < 700e6
