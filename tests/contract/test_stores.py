"""Behavior of all stores: a folder, memory, S3 and Google Cloud Storage."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoremill.errors import InputChanged, InputError, StorageError
from scoremill.storage import retry
from scoremill.storage.filesystem import Store, find
from scoremill.testing import StoreCompliance
from scoremill.units import MIB
from tests.support import faulty
from tests.support.proxy import LOST, RESET, SLOW_DOWN, TRUNCATED, Answer, Fault, Request, every, proxy

ODD_NAMES = (
    "a b.csv",
    "a+b.csv",
    "a#b.csv",
    "50%.csv",
    "é/日本.csv",
    "x=1/y&z.csv",
    "a'b\"c.csv",
    "[1]*?.csv",
    "~.csv",
)
LARGE = os.urandom(MIB) * 20


class TestCompliance(StoreCompliance):
    """Built-in stores meet the requirements for third-party stores."""


def test_compliance_names_the_requirement_that_a_store_does_not_meet(tmp_path: Path) -> None:
    (tmp_path / "found by nobody's write").touch()
    with pytest.raises(AssertionError, match="a listing is sorted by name"):
        StoreCompliance().test_objects_are_listed_immediately_by_prefix_and_sorted_by_name(str(tmp_path))
    with pytest.raises(AssertionError, match="StorageError was not raised"):
        (tmp_path / "absent").touch()
        StoreCompliance().test_an_absent_object_is_a_storage_error(str(tmp_path))


def names(store: Store, prefix: str = "") -> list[str]:
    return [one.name for one in store.list(prefix)]


# --- reading and listing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_with_odd_characters_are_names(store: Store, store_uri: str, name: str) -> None:
    store.write(name, b"content")
    assert names(store) == [name]
    assert store.read(name) == b"content"
    [found] = find(f"{store_uri}/{name}").objects
    assert Store(found.root).read(found.name) == b"content"
    store.delete([name])
    assert names(store) == []


def test_new_object_is_listed_and_read_immediately(store: Store, store_uri: str) -> None:
    assert store.list() == [] and store.info("a") is None
    Store(store_uri).write("a", b"1")
    assert names(store) == ["a"] and store.info("a") == store.list()[0]
    Store(store_uri).delete(["a"])
    assert store.list() == [] and store.info("a") is None


def test_listing_has_the_objects_below_the_prefix_sorted_by_name(store: Store) -> None:
    for name in ("b/2", "b/10", "b/1", "bb", "a", "é"):
        store.write(name, b"")
    assert names(store) == ["a", "b/1", "b/10", "b/2", "bb", "é"]
    assert names(store, "b/1") == ["b/1", "b/10"]
    assert names(store, "b") == ["b/1", "b/10", "b/2", "bb"]
    assert names(store, "none/at/all") == []


def test_children_of_a_folder_are_directly_below_it(store: Store) -> None:
    for name in ("a.csv", "b/1", "b/c/2", "é x/3"):
        store.write(name, b"1")
    assert sorted(store.children()) == ["a.csv", "b/", "é x/"]
    assert sorted(store.children("b/")) == ["1", "c/"]
    assert store.children("none/at/all/") == store.children("a.csv/") == []


@pytest.mark.parametrize(
    ("wanted", "closest"),
    [
        ("tumors.csv", "is {}/tumours.csv"),
        ("Tumours.CSV", "is {}/tumours.csv"),
        ("tumours.parquet", "is {}/tumours.csv"),
        ("yaer=2009", "is {}/year=2009"),
        ("yaer=2009/*.csv", "is {}/year=2009/*.csv"),
        ("year=2009/jna.csv", "is {}/year=2009/jan.csv"),
        ("year=209/jan.csv", "is {}/year=2009/jan.csv"),
        ("years=2009/day/jan.csv", "is {}/year=2009/day/jan.csv"),
    ],
)
def test_missing_object_is_reported_with_the_closest_name(
    store: Store, store_uri: str, wanted: str, closest: str
) -> None:
    for name in ("tumours.csv", "year=2009/jan.csv", "_hidden.csv"):
        store.write(name, b"a\n1\n")
    with pytest.raises(InputError, match=r"nothing is found at") as caught:
        find(f"{store_uri}/{wanted}")
    assert caught.value.hint == f"The closest name {closest.format(store_uri)}."


def test_missing_object_without_a_similar_name_gets_no_suggestion(store: Store, store_uri: str) -> None:
    store.write("tumours.csv", b"a\n1\n")
    for wanted in ("fares.csv", "tumours/*.csv", "*.parquet"):
        with pytest.raises(InputError) as caught:
            find(f"{store_uri}/{wanted}")
        assert "closest" not in str(caught.value.hint)


def test_ranges_end_where_the_object_ends(store: Store) -> None:
    store.write("a", b"0123456789")
    assert store.read("a", 2, 5) == b"234"
    assert store.read("a", 7) == b"789"
    assert store.read("a", 7, 99) == b"789"
    assert store.read("a", 5, 5) == store.read("a", 10) == store.read("a", 50, 60) == b""
    store.write("empty", b"")
    assert store.read("empty") == store.read("empty", 0, 10) == b""


def test_opened_object_supports_random_reads(store: Store) -> None:
    table = pa.table({"x": range(300_000)})
    with store.publish("a.parquet") as sink, pq.ParquetWriter(sink, table.schema) as writer:
        writer.write_table(table, row_group_size=50_000)
    with store.open("a.parquet") as file:
        assert pq.ParquetFile(file).read_row_group(3)["x"][0].as_py() == 150_000
        assert file.seek(-4, os.SEEK_END) == store.info("a.parquet").size - 4  # type: ignore[union-attr]
        assert file.read() == b"PAR1"


def test_version_changes_with_the_content(store: Store) -> None:
    store.write("a", b"one")
    planned = store.info("a")
    assert planned is not None and store.read("a", 1, version=planned.version) == b"ne"
    store.write("a", b"two")
    assert store.list()[0].version != planned.version
    for read in (store.read, store.open):
        with pytest.raises(InputChanged, match="replaced"):
            read("a", version=planned.version)


def test_missing_object_is_named(store: Store, store_uri: str) -> None:
    for read in (store.read, store.open):
        with pytest.raises(StorageError, match=r"^no such (file|object): ") as raised:
            read("lost.csv")
        assert f"{store_uri}/lost.csv" in raised.value.message and raised.value.hint


def test_delete_of_a_missing_object_succeeds(store: Store) -> None:
    store.write("a", b"")
    store.delete(["a", "b", "c/d"])
    store.delete([])
    assert names(store) == []


def test_many_objects_are_deleted_in_bulk(store: Store) -> None:
    many = [f"{number:03d}" for number in range(60)]
    for name in many:
        store.write(name, b"")
    store.delete(iter(many[1:]))
    assert names(store) == ["000"]


def test_store_is_pickled_as_its_uri_and_settings(store: Store) -> None:
    store.write("a", b"1")
    assert pickle.loads(pickle.dumps(store)).read("a") == b"1"


# --- folders and globs ------------------------------------------------------------------------------------------------


def test_folders_and_globs_find_their_objects(store: Store, store_uri: str) -> None:
    for name in (
        "in/2.csv",
        "in/1.csv",
        "in/deep/3.csv",
        "in/_SUCCESS",
        "in/_x/4.csv",
        "in/.y.csv",
        "in/1.txt",
        "[z].csv",
    ):
        store.write(name, name.encode())

    def found(glob: str) -> list[str]:
        objects = find(f"{store_uri}/{glob}").objects
        assert all(Store(one.root).read(one.name).decode().endswith(one.name.rpartition("/")[2]) for one in objects)
        return [Store(one.root).read(one.name).decode() for one in objects]

    assert found("in/*.csv") == ["in/1.csv", "in/2.csv"]
    assert found("in/**/*.csv") == ["in/1.csv", "in/2.csv", "in/deep/3.csv"]
    assert found("in/") == found("in/**") == ["in/1.csv", "in/1.txt", "in/2.csv", "in/deep/3.csv"]
    assert found("in/[!2].csv") == ["in/1.csv"]
    assert found("in/_x/*") == ["in/_x/4.csv"]
    assert found("in/_SUCCESS") == ["in/_SUCCESS"]
    assert found("[z].csv") == ["[z].csv"]
    with pytest.raises(InputError, match="nothing is found"):
        find(f"{store_uri}/out/*.csv")


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_publication_appears_whole_and_has_its_checksum(store: Store, content: bytes) -> None:
    with store.publish("deep/part") as publication:
        for first in range(0, len(content), 3 * MIB):
            publication.write(memoryview(content)[first : first + 3 * MIB])
        assert names(store) == []
    assert (publication.size, publication.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert names(store) == ["deep/part"] and store.read("deep/part") == content


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_failed_publication_keeps_the_old_object(store: Store, content: bytes, fault: type[BaseException]) -> None:
    store.write("a", b"old")
    for name in ("a", "new"):
        with pytest.raises(fault), store.publish(name) as publication:
            publication.write(content)
            raise fault
    assert names(store) == ["a"] and store.read("a") == b"old"
    assert store.sweep() == []


def test_one_of_eight_creators_wins(store: Store) -> None:
    start = threading.Barrier(8)

    def create(number: int) -> bool:
        start.wait()
        return store.create("lease", b"%d" % number)

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(create, range(8)))
    assert won.count(True) == 1
    assert store.read("lease") == b"%d" % won.index(True)
    assert store.has_conditional_create
    assert names(store) == ["lease"]


def test_concurrent_writers_of_one_name_leave_the_content_of_one(store: Store) -> None:
    contents = [bytes([65 + number]) * 100_000 for number in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda content: store.write("a", content), contents))
    assert store.read("a") in contents


# --- kill -9 ----------------------------------------------------------------------------------------------------------

WRITER = """
import sys
from scoremill.storage.filesystem import Store
with Store(sys.argv[1]).publish("part") as publication:
    publication.write(bytes(20 * 2**20))
    print("written", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("store_uri", ["file", "s3", "gs"], indirect=True)
def test_writer_killed_during_a_write_leaves_only_objects_that_sweep_finds(store: Store, store_uri: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = [sys.executable, "-c", WRITER, store_uri]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == b"written\n"
        writer.send_signal(signal.SIGKILL)
    assert names(store) == [] and store.info("part") is None
    swept = store.sweep()
    # Unfinished uploads to Google Cloud Storage cannot be listed. They expire.
    assert len(swept) == (0 if store_uri.startswith("gs:") else 1)
    assert all("part" in name for name in swept)
    assert store.sweep() == []


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def unstable(store_uri: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose every third call fails in different ways. A memory store has no calls that can fail."""
    monkeypatch.setattr(retry, "PATIENCE", retry.Patience(first_pause=0.002))
    if store_uri.startswith(("s3:", "gs:")):
        variable = "AWS_ENDPOINT_URL" if store_uri.startswith("s3:") else "STORAGE_EMULATOR_HOST"
        state = request.getfixturevalue("proxies").enter_context(proxy(os.environ[variable], every_third))
        monkeypatch.setenv(variable, state.endpoint)
        return Store(store_uri)
    for name, value in faulty.install(tmp_path / "faults", every=3, kinds="error,truncate").items():
        monkeypatch.setenv(name, value)
    return Store(f"faulty://{store_uri}")


@pytest.fixture
def proxies() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def every_third(request: Request) -> Fault:
    fault = every(3, SLOW_DOWN, RESET, LOST, TRUNCATED, Answer(500, "InternalError"))(request)
    # fake-gcs-server stores a part twice if it is sent twice. Google's server ignores the second one.
    return SLOW_DOWN if fault == LOST and "upload_id=" in request.path else fault


class RefusesOnce:
    """A rule that fails the first attempt to delete every second object."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def __call__(self, request: Request) -> Fault:
        if request.method != "DELETE":
            return None
        self.paths.append(request.path)
        is_first = self.paths.count(request.path) == 1
        return SLOW_DOWN if is_first and len(set(self.paths)) % 2 else None


@pytest.mark.parametrize("store_uri", ["gs"], indirect=True)
def test_only_failed_deletions_are_repeated(
    store_uri: str, monkeypatch: pytest.MonkeyPatch, proxies: ExitStack
) -> None:
    monkeypatch.setattr(retry, "PATIENCE", retry.Patience(first_pause=0.002))
    rule = RefusesOnce()
    state = proxies.enter_context(proxy(os.environ["STORAGE_EMULATOR_HOST"], rule))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", state.endpoint)
    store = Store(store_uri)
    for number in range(8):
        store.write(f"{number}", b"")
    store.delete(names(store))
    assert names(store) == []
    assert len(rule.paths) == 8 + 4


@pytest.mark.parametrize("store_uri", ["file", "s3", "gs"], indirect=True)
def test_operations_succeed_if_every_third_call_fails(unstable: Store) -> None:
    for number in range(4):
        unstable.write(f"small/{number}", b"%d" % number)
    assert unstable.create("lease", b"mine") and not unstable.create("lease", b"theirs")
    with unstable.publish("large") as publication:
        publication.write(LARGE)
    assert names(unstable) == ["large", "lease", *(f"small/{number}" for number in range(4))]
    assert [unstable.read(f"small/{number}") for number in range(4)] == [b"0", b"1", b"2", b"3"]
    assert hashlib.sha256(unstable.read("large")).hexdigest() == publication.sha256
    with unstable.open("large") as file:
        assert file.read() == LARGE
    unstable.delete(names(unstable))
    assert names(unstable) == []
