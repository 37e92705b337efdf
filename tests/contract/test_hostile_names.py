"""Names from a store, a file or a column cannot lead outside their root."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import joblib
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scoremill import score
from scoremill.bundle import load_estimator
from scoremill.bundle.load import cache_folder
from scoremill.bundle.schema import Bundle, sealed, to_document
from scoremill.errors import ScoremillError, StorageError, VerificationError
from scoremill.ledger import Lease, Ledger, Part, Receipt
from scoremill.outputs.clean import left_overs
from scoremill.spec import Storage
from scoremill.storage.filesystem import Store
from scoremill.storage.uri import protocol_of
from scoremill.worker.parts import _by_folder
from tests.support.jobs import make_job, trip_bundle, trips

_IN_XML = st.characters(exclude_categories=["Cc", "Cs", "Cn"])
STEPS = st.sampled_from(
    [
        "..",
        ".",
        "",
        "a",
        "victim",
        "root",
        "x\0y",
        "\ud800",
        "%2e%2e",
        "..%2f",
        "%2F",
        "\\..\\",
        "~",
        "*",
        "[a]",
        "a=b",
        "_errors",
        "_scoremill",
        "part-00000-0123456789abcdef.parquet",
        "part-00000-0123456789abcdef.csv",
        "n" * 300,
        "．．",
        "..\n",
        " ..",
        "a?versionId=null",
        "a#1",
        "C:",
        "::memory:",
        "s3:",
        "file:",
        "é\N{COMBINING ACUTE ACCENT}",
    ]
) | st.text(_IN_XML, max_size=4)
NAMES = st.lists(STEPS, min_size=1, max_size=5).map("/".join)
FIXTURES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
fast = settings(max_examples=15, deadline=None, suppress_health_check=FIXTURES, derandomize=True)


@dataclass
class Place:
    """A root in a store, surrounded by objects that must not change."""

    top: str
    folder: Path
    root: Store

    def outside(self) -> dict[str, bytes]:
        """Return the objects near the root that are not below it."""
        match protocol_of(self.top):
            case "file":
                found = everything(self.folder)
                below = f"{Path(self.root.uri).relative_to(self.folder)}/"
            case "memory":
                files = fsspec.filesystem("memory").store.items()
                found, below = {name: file.getvalue() for name, file in files}, f"/{self.root.uri.partition('://')[2]}/"
            case _:
                bucket, _, key = self.top.partition("://")[2].partition("/")
                whole = Store(f"{protocol_of(self.top)}://{bucket}")
                below = f"{key}/in/root/"
                found = {one.name: b"" for one in whole.list()}
                found |= {name: whole.read(name) for name in found if not name.startswith(below)}
        return {name: data for name, data in found.items() if not name.startswith(below)}


@pytest.fixture
def place(store_uri: str, tmp_path: Path) -> Place:
    for name in ("victim", "in/victim", "in/a", "in/rootless", "in/part-00000-0123456789abcdef.parquet", "in/root2/a"):
        Store(store_uri).write(name, VICTIM)
    return Place(store_uri, tmp_path, Store(f"{store_uri}/in/root"))


VICTIM = b"victim"


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


def outcome(act: Callable[[], Any]) -> Any:
    """Return the result of `act`, or None if it is refused."""
    try:
        return act()
    except ScoremillError:
        return None


def read_open(store: Store, name: str) -> bytes:
    with store.open(name) as file:
        return file.read()


def published(store: Store, name: str) -> None:
    with store.publish(name) as stream:
        stream.write(b"x")


@fast
@given(name=NAMES)
@example("../victim")
@example("a/../../victim")
@example("/victim")
@example("victim\0")
def test_store_operations_stay_below_the_root(place, name):
    store, before = place.root, place.outside()
    assert outcome(lambda: store.read(name)) != VICTIM
    assert outcome(lambda: read_open(store, name)) != VICTIM
    for act in (store.info, lambda name: store.list(f"{name}/"), lambda name: store.children(f"{name}/"), store.list):
        outcome(partial(act, name))
    outcome(lambda: published(store, name))
    outcome(lambda: store.write(name, b"x"))
    outcome(lambda: store.create(name, b"x"))
    outcome(lambda: store.delete([name]))
    assert place.outside() == before


@fast
@given(columns=st.lists(STEPS, min_size=1, max_size=2, unique=True), values=st.lists(st.none() | STEPS, max_size=3))
def test_partition_folders_of_any_columns_and_values_are_below_the_output(place, columns, values):
    columns, values = (["\N{WORD JOINER}" if each == "\ud800" else each for each in some] for some in (columns, values))
    before = place.outside()
    table = pa.table([pa.array(values, pa.string())] * len(columns), columns)
    for folder, _ in _by_folder(table, tuple(columns)):
        assert folder.count("/") == (len(columns) if values else 0)
        outcome(partial(place.root.write, f"{folder}part-00000-0123456789abcdef.csv", b"x"))
    assert place.outside() == before


ID = "0123456789abcdef"


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    """The ledger of a run at the root of the place."""
    lease = Lease.acquire(place.root)
    ledger = Ledger(place.root)
    ledger.hold(lease)
    yield ledger
    lease.release()


@fast
@given(name=NAMES | NAMES.map(lambda name: f"{name}/part-00000-{ID}.parquet"))
@example(f"../part-00000-{ID}.parquet")
def test_ledger_with_any_object_name_is_erased_without_touching_other_objects(place, ledger, name):
    before = place.outside()
    receipt = Receipt(0, ID, 1, 1, 0, (Part(name, 1, 1, ""),))
    place.root.write("_scoremill/receipts/000001-00000000.jsonl", receipt.to_json().encode())
    outcome(ledger.erase)
    outcome(partial(ledger.erase, [name]))
    assert place.outside() == before


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The bundle cache of this test. Import paths that bundles add are removed afterwards."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    cache_folder.cache_clear()
    yield cache_folder()
    cache_folder.cache_clear()


def bundle_naming(place: Place, name: str, code: tuple[str, ...]) -> str:
    """Write a bundle with a file of this name to the root of the place, and return its digest."""
    artifact = io.BytesIO()
    joblib.dump({"a": "model"}, artifact)
    files = {"model.joblib": artifact.getvalue(), name: b"", **dict.fromkeys(code, b"")}
    for each, data in files.items():
        outcome(partial(place.root.write, each, data))
    bundle = sealed(
        Bundle(
            uri=place.root.uri,
            digest="",
            model_class="a.B",
            format="joblib",
            columns=(),
            named=True,
            method="predict",
            results={},
            code=code,
            files={each: hashlib.sha256(data).hexdigest() for each, data in files.items()},
        )
    )
    place.root.write("bundle.json", json.dumps(to_document(bundle)).encode())
    return bundle.digest


@fast
@given(name=NAMES, is_code=st.sampled_from(["no", "as named", "below code"]))
@example("../victim", "no")
@example("../../../victim", "below code")
def test_bundle_with_any_file_name_is_fetched_to_its_own_folder(place, cache, name, is_code):
    name = f"code/package_of_nobody/{name}" if is_code == "below code" else name
    digest = bundle_naming(place, name, () if is_code == "no" else (name,))
    before, own = place.outside(), cache / digest.removeprefix("sha256:")
    found = outcome(partial(load_estimator, place.root.uri, digest, Storage()))
    assert found in (None, {"a": "model"})
    assert {path for path in place.outside() if not (place.folder / path).is_relative_to(own)} == before.keys()


def test_symbolic_links_in_an_output_are_not_followed_by_writes_or_deletions(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for name in ("000000.parquet", ".a.0123456789abcdef.tmp"):
        (tmp_path / "elsewhere" / name).write_bytes(VICTIM)
    store = Store(str(tmp_path / "out"))
    store.write("a", b"x")
    (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
    before = everything(tmp_path / "elsewhere")
    for act in (
        partial(store.write, "link/b", b"x"),
        partial(store.create, "link/b", b"x"),
        partial(published, store, "link/b"),
        lambda: store.delete(["link/000000.parquet"]),
    ):
        with pytest.raises(StorageError, match="a link leads to"):
            act()
    assert store.sweep() == []
    assert everything(tmp_path / "elsewhere") == before


def test_folder_without_a_number_among_retries_is_ignored(tmp_path):
    store = Store(str(tmp_path))
    store.write("_retries/²/a", b"x")
    assert list(left_overs(store)) == []


def test_output_can_be_a_symbolic_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    store = Store(str(tmp_path / "out"))
    store.write("folder/a", b"x")
    store.delete(["folder/a"])
    assert store.list() == []


@pytest.mark.parametrize("name", ["../victim", "/etc/passwd", "_victim", "part-00000-ffffffffffffffff.parquet"])
def test_receipt_with_an_object_that_its_partition_does_not_write_is_refused(model, scored, tmp_path, name):
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


def test_receipts_of_a_run_name_the_objects_of_their_partitions(scored):
    (receipts,) = (scored / "_scoremill" / "receipts").iterdir()
    assert [part.name for part in Receipt.from_json(json.loads(receipts.read_text())).objects] == [
        path.name for path in scored.glob("part-*")
    ]


@pytest.mark.parametrize("column", ["x/../../../escaped/y", "/absolute", "a=b", "..", "x\\y"])
def test_column_name_cannot_lead_a_part_outside_the_output(model, tmp_path, column):
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


def test_job_json_has_neither_the_cluster_nor_storage_settings(model, tmp_path):
    trips(10).to_csv(tmp_path / "in.csv", index=False)
    made = make_job(
        model,
        str(tmp_path / "in.csv"),
        str(tmp_path / "out"),
        output={"storage": {"profile": "private-profile"}},
        cluster={"env": {"REGION": "private-region"}, "template": {"metadata": {"annotations": {"a": "private-note"}}}},
        storage={"profile": "private-profile"},
    )
    score(made, cluster="in-process")
    assert "private" not in (tmp_path / "out" / "_scoremill" / "job.json").read_text()
