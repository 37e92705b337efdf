"""What Python programs call: the same as the command line, as values."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import scoremill
from scoremill.errors import ClusterError, UsageError
from tests.support.jobs import run, trip_bundle, trips

BAD = ['7,far,cash,"a, b",2', "8,1.5,cash,x", "9,\xff,cash,x,2"]
"""Rows of the trips that cannot be scored, the last in Latin-1."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    text = trips(300).to_csv(index=False) + "\n".join(BAD) + "\n"
    (tmp_path / "trips.csv").write_bytes(text.encode("latin-1"))
    return tmp_path


def test_a_job_is_written_scored_and_its_rejected_rows_read_without_yaml(bundle: str, data: Path) -> None:
    job = scoremill.job(
        model=bundle, input=f"{data}/*.csv", output=f"{data}/out", keep=["id"], errors={"maxFraction": 0.5}
    )
    totals = scoremill.score(job, cluster="in-process").totals
    assert (totals.rows, totals.scored, totals.rejected) == (303, 300, 3)
    rejected = scoremill.rejected(f"{data}/out")
    assert list(rejected["raw"]) == [*BAD[:2], BAD[2].encode("latin-1")]
    assert list(rejected["line"]) == [302, 303, 304]
    assert list(rejected["column"].fillna("")) == ["distance", "", ""]
    assert rejected["row"].isna().all() and rejected["raw_sha256"].isna().all()


def test_each_rejected_row_of_a_file_in_many_partitions_is_there_once_and_a_retry_has_its_own(
    bundle: str, tmp_path: Path
) -> None:
    lines = trips(600).to_csv(index=False).splitlines()
    bad = list(range(20, 600, 40))
    for at in bad:
        lines[at] = f"{at},far,cash,x,2"
    (tmp_path / "trips.csv").write_text("\n".join(lines) + "\n")
    output = tmp_path / "out"
    job = scoremill.job(
        model=Path(bundle),
        input={"uris": [str(tmp_path / "trips.csv")], "partitionBytes": 2048},
        output=output,
        errors={"maxFraction": 0.5},
        cluster={"workers": 2},
    )
    totals = scoremill.score(job).totals
    assert totals.partitions > 5
    assert list(scoremill.rejected(output)["line"]) == [at + 1 for at in bad]
    code, _, err = run("retry-errors", output, "--model", bundle, "--cluster", "in-process")
    assert code == 0, err
    assert len(scoremill.rejected(output)) == len(scoremill.rejected(output / "_retries" / "1")) == len(bad)


def test_hashes_of_rejected_rows_are_not_taken_for_their_text(bundle: str, data: Path) -> None:
    job = scoremill.job(
        model=bundle, input=[f"{data}/trips.csv"], output=f"{data}/out", errors={"maxFraction": 0.5, "raw": "Hash"}
    )
    scoremill.score(job, cluster="in-process")
    rejected = scoremill.rejected(f"{data}/out")
    assert rejected["raw"].isna().all() and (rejected["raw_sha256"].str.len() == 64).all()


def test_rejected_rows_of_parquet_have_row_numbers(bundle: str, tmp_path: Path) -> None:
    frame = trips(50)
    frame["distance"] = frame["distance"].astype(str)
    frame.loc[3, "distance"] = "far"
    frame.to_parquet(tmp_path / "trips.parquet")
    job = scoremill.job(
        model=bundle, input=f"{tmp_path}/*.parquet", output={"uri": f"{tmp_path}/out"}, errors={"maxFraction": 0.5}
    )
    totals = scoremill.score(job, cluster="in-process").totals
    rejected = scoremill.rejected(f"{tmp_path}/out")
    assert totals.rejected == 1
    assert list(rejected["row"]) == [3] and list(rejected["column"]) == ["distance"]
    assert rejected["line"].isna().all()


def test_an_output_without_rejected_rows_gives_an_empty_frame_and_no_output_an_error(
    bundle: str, tmp_path: Path
) -> None:
    trips(20).to_csv(tmp_path / "in.csv", index=False)
    scoremill.score(
        scoremill.job(model=bundle, input=f"{tmp_path}/in.csv", output=f"{tmp_path}/out"), cluster="in-process"
    )
    empty = scoremill.rejected(f"{tmp_path}/out")
    assert empty.empty and "reason" in empty.columns
    with pytest.raises(UsageError):
        scoremill.rejected(f"{tmp_path}/nothing")


def test_a_wrong_field_is_named_as_in_a_job_file() -> None:
    with pytest.raises(UsageError, match=r"spec\.errors\.maxFractions"):
        scoremill.job(model="m", input="i", output="o", errors={"maxFractions": 0.1})


def test_a_cluster_that_is_named_is_one_on_kubernetes(bundle: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(data / "none"))
    job = scoremill.job(model=bundle, input=f"{data}/*.csv", output=f"{data}/out", errors={"maxFraction": 0.5})
    with pytest.raises(ClusterError, match="no Kubernetes to work with"):
        scoremill.score(job, cluster="trips")


def test_a_job_with_paths_of_this_machine_is_not_submitted() -> None:
    with pytest.raises(UsageError, match="path on this machine"):
        scoremill.submit(scoremill.job(model="bundle", input="in.csv", output="out"))


def test_the_package_shows_its_api_and_nothing_else() -> None:
    listed = subprocess.run(
        [sys.executable, "-c", "import scoremill; print(*dir(scoremill)); import sys; print('pandas' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert listed[:-1] == sorted(scoremill.__all__) and listed[-1] == "False"


@pytest.mark.parametrize("name", [name for name in scoremill.__all__ if name != "__version__"])
def test_every_public_object_explains_itself(name: str) -> None:
    found = getattr(scoremill, name)
    assert len(inspect.getdoc(found) or "") > 40
    if inspect.isfunction(found) and found.__module__ in {"scoremill.jobs", "scoremill.spec.build"}:
        assert "Parameters\n----------" in (inspect.getdoc(found) or "") or name == "find_job"
