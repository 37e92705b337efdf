"""Names that were read from a store, a file or a column lead nowhere but below their root."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoremill import score
from scoremill.errors import ScoremillError, StorageError, VerificationError
from scoremill.ledger import Receipt
from scoremill.storage.filesystem import Store
from tests.support.jobs import make_job, trip_bundle, trips

STEPS = st.sampled_from(["..", ".", "", "a", "part-00000-0123456789abcdef.parquet", "x\0y", "%2e%2e", "_errors"])
NAMES = st.lists(STEPS, min_size=1, max_size=5).map("/".join)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("model"))


@pytest.fixture
def scored(model, tmp_path) -> Path:
    trips(50).to_csv(tmp_path / "in.csv", index=False)
    score(job(model, tmp_path), cluster="in-process")
    return tmp_path / "out"


def job(model: str, folder: Path, **output: object):
    return make_job(model, str(folder / "in.csv"), str(folder / "out"), output=output)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES)
def test_no_operation_leaves_the_root_of_its_store(tmp_path, name):
    root = tmp_path / "top" / "root"
    root.mkdir(parents=True, exist_ok=True)
    (tmp_path / "top" / "a").write_bytes(b"victim")
    before = everything(tmp_path / "top")
    store = Store(str(root))
    is_below = all(step not in {"", ".", ".."} and "\0" not in step for step in name.split("/"))
    for act in (
        lambda: store.info(name),
        lambda: store.read(name),
        lambda: store.open(name).close(),
        lambda: store.write(name, b"x"),
        lambda: store.create(name, b"x"),
        lambda: store.publish(name).__enter__(),
        lambda: store.delete([name]),
        lambda: store.list(f"{name}/"),
        lambda: store.children(f"{name}/"),
    ):
        if is_below:
            with suppress(ScoremillError):
                act()
        else:
            with pytest.raises(StorageError, match="does not name an object"):
                act()
    assert {path: data for path, data in everything(tmp_path / "top").items() if not path.startswith("root")} == before


@pytest.mark.parametrize("name", ["a/../../victim", "/victim", "../victim", "a\0b", "."])
def test_every_store_refuses_to_write_or_delete_outside_its_root(store, name):
    for act in (lambda: store.write(name, b"x"), lambda: store.create(name, b"x"), lambda: store.delete([name])):
        with pytest.raises(StorageError, match="does not name an object"):
            act()


@pytest.mark.parametrize("name", ["../victim", "/etc/passwd", "_victim", "part-00000-ffffffffffffffff.parquet"])
def test_a_receipt_that_names_what_its_partition_does_not_write_is_refused(model, scored, tmp_path, name):
    (tmp_path / "victim").write_bytes(b"victim")
    (scored / "_victim").write_bytes(b"victim")
    (receipts,) = (scored / "_scoremill" / "receipts").iterdir()
    receipt = json.loads(receipts.read_text())
    receipt["parts"][0]["name"] = name
    receipts.write_text(json.dumps(receipt) + "\n")
    before = everything(tmp_path)
    with pytest.raises(VerificationError, match="is damaged"):
        score(job(model, tmp_path, mode="Overwrite", keep=["id"]), cluster="in-process")
    after = everything(tmp_path)
    assert {path: data for path, data in before.items() if "_scoremill" not in path and "_SUCCESS" not in path} == {
        path: data for path, data in after.items() if "_scoremill" not in path
    }


def test_the_receipts_of_a_run_name_what_their_partitions_write(scored):
    (receipts,) = (scored / "_scoremill" / "receipts").iterdir()
    assert [part.name for part in Receipt.from_json(json.loads(receipts.read_text())).objects] == [
        path.name for path in scored.glob("part-*")
    ]


@pytest.mark.parametrize("column", ["x/../../../escaped/y", "/absolute", "a=b", "..", "x\\y"])
def test_the_name_of_a_column_cannot_lead_a_part_out_of_the_output(model, tmp_path, column):
    (tmp_path / "work").mkdir()
    frame = trips(20).rename(columns={"note": column})
    frame[column] = ["a", "b"] * 10
    frame.to_csv(tmp_path / "work" / "in.csv", index=False)
    before = set(everything(tmp_path))
    made = job(model, tmp_path / "work", keep=["id", column], partitionBy=[column])
    try:
        score(made, cluster="in-process")
    except ScoremillError:
        pass
    else:
        parts = list((tmp_path / "work" / "out").glob("*/part-*"))
        assert len(parts) == 2
        assert sum(len(pd.read_parquet(part)) for part in parts) == 20
    assert all(path.startswith("work/out/") for path in set(everything(tmp_path)) - before)


def test_job_json_holds_neither_the_cluster_nor_how_stores_are_reached(model, tmp_path):
    trips(10).to_csv(tmp_path / "in.csv", index=False)
    made = make_job(
        model, str(tmp_path / "in.csv"), str(tmp_path / "out"), output={"storage": {"profile": "private-profile"}},
        cluster={"env": {"REGION": "private-region"}, "template": {"metadata": {"annotations": {"a": "private-note"}}}},
        storage={"profile": "private-profile"},
    )  # fmt: skip
    score(made, cluster="in-process")
    assert "private" not in (tmp_path / "out" / "_scoremill" / "job.json").read_text()
