"""Commands that work without optional libraries, and errors if one is missing."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scoremill import extras

ROOT = Path(__file__).parents[2]
WITHOUT = """
import sys
for name in {names!r}:
    sys.modules[name] = None
import scoremill.cli
scoremill.cli.main()
"""
OPTIONAL = (
    "s3fs",
    "gcsfs",
    "botocore",
    "aiobotocore",
    "aiohttp",
    "kubernetes",
    "dask_kubernetes",
    "kr8s",
    "urllib3",
    "websocket",
    "skops",
    "cronsim",
    "prometheus_client",
)
DEMO = ROOT / "examples" / "01-taxi-tips"


def scoremill_without_extras(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process in which no library of an extra can be imported."""
    command = [sys.executable, "-c", WITHOUT.format(names=OPTIONAL), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_each_extra_includes_the_library_by_which_it_is_detected() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra, library in extras.LIBRARIES.items():
        assert library in {Requirement(text).name for text in declared[extra]}, extra


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("local")
    for script, arguments in (
        ("generate.py", ["trips", "--rows", "2000", "--files", "1"]),
        ("train.py", ["trips/trips-2009-01.csv", "--rows", "1000", "--output", "model"]),
    ):
        subprocess.run([sys.executable, str(DEMO / script), *arguments], check=True, cwd=place, capture_output=True)
    return place


def test_local_files_are_packed_scored_verified_and_reported_without_extras(local: Path) -> None:
    bundle, output = str(local / "bundle"), str(local / "scores")
    model = local / "model"
    for arguments in (
        (
            "model",
            "pack",
            str(model / "model.joblib"),
            "--output",
            bundle,
            "--sample",
            str(model / "sample.parquet"),
            "--code",
            str(DEMO / "pipeline.py"),
        ),
        ("plan", "--model", bundle, "--input", f"{local}/trips/*.csv", "--output", output),
        ("score", "--model", bundle, "--input", f"{local}/trips/*.csv", "--output", output),
        ("verify", output),
        ("report", output),
        ("doctor",),
    ):
        done = scoremill_without_extras(*arguments)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("verify", "s3://b/out"), "s3"),
        (("verify", "gs://b/out"), "gcs"),
        (("cluster", "list"), "kubernetes"),
        (("job", "list"), "kubernetes"),
        (("dataset", "list", "--cluster", "trips"), "kubernetes"),
        (
            (
                "model",
                "pack",
                "model/model.joblib",
                "--output",
                "skops",
                "--sample",
                "model/sample.parquet",
                "--flavour",
                "skops",
                "--code",
                str(DEMO / "pipeline.py"),
            ),
            "skops",
        ),
    ],
)
def test_error_for_a_missing_extra_names_the_command_that_installs_it(
    local: Path, arguments: tuple[str, ...], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(local)
    done = scoremill_without_extras(*arguments)
    assert done.returncode == 2, done.stderr
    assert f"pip install 'scoremill[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
