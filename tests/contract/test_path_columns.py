"""Path columns as Hive, Spark and Arrow write them."""

from __future__ import annotations

import pytest

from scoremill import score
from scoremill.discovery import Source
from scoremill.engines.protocol import InProcess
from scoremill.errors import FitError
from scoremill.outputs.retry import retry_rejected
from scoremill.storage.store import Store
from tests.support.jobs import make_job, table, trip_bundle, trips


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


def test_escaped_names_and_values_of_path_columns_are_decoded():
    folder = "s3://b/city=S%C3%A3o%20Paulo%2FSP/a%3Db=c=d/day=__HIVE_DEFAULT_PARTITION__/=x/plain"
    source = Source(folder, "e=f.csv", 0, "", "", "csv")
    assert source.hive() == {"city": "São Paulo/SP", "a=b": "c=d", "day": None}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_path_column_values_are_read_as_written_and_kept_by_a_retry(bundle, tmp_path, kind):
    values = {"S%C3%A3o%2FSP": "São/SP", "__HIVE_DEFAULT_PARTITION__": None, "plain": "plain"}
    for number, step in enumerate(values):
        folder = tmp_path / "in" / f"city={step}"
        folder.mkdir(parents=True)
        frame = trips(20, seed=number)
        if kind == "csv":
            frame["passengers"] = frame["passengers"].astype(str)
            frame.loc[3, "passengers"] = "many"
            frame.to_csv(folder / "a.csv", index=False)
        else:
            frame.to_parquet(folder / "a.parquet")
    job = make_job(
        bundle,
        f"{tmp_path}/in",
        str(tmp_path / "out"),
        input={"hive": True},
        output={"keep": ["city"]},
        errors={"maxFraction": None},
    )
    done = score(job, cluster="in-process").totals
    kept = table(str(tmp_path / "out"))["city"]
    bad = 1 if kind == "csv" else 0
    assert done.rejected == 3 * bad
    assert kept.value_counts(dropna=False).to_dict() == dict.fromkeys(
        [*(value for value in values.values() if value), kept[kept.isna()].iloc[0]], 20 - bad
    )
    if bad:
        with pytest.raises(FitError, match="many"):
            retry_rejected(Store(str(tmp_path / "out")), lambda _: InProcess(), {"spec": {"model": {"uri": bundle}}})
        written = (tmp_path / "out" / "_retries").glob("**/rejected.csv")
        assert {path.parent.name for path in written} == {f"city={step}" for step in values}
