"""What scoremill requires of an object store, as tests that pytest collects from a subclass."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from scoremill.errors import InputChanged, ScoremillError, StorageError
from scoremill.storage.filesystem import Store
from scoremill.units import quoted

_WRITERS = 8
_LARGE = bytes(range(256)) * 40_000
"""More than one part of an upload."""


def _require(holds: bool, requirement: str) -> None:
    if not holds:
        raise AssertionError(requirement)


def _require_error(error: type[ScoremillError], action: Callable[[], object]) -> None:
    try:
        action()
    except error:
        return
    raise AssertionError(f"{error.__name__} was not raised")


class StoreCompliance:
    """The requirements of scoremill for a store.

    Define a subclass whose name starts with `Test`, in a file that pytest collects, and a fixture `store_uri` that
    returns the URI of a new, empty folder of the store.
    """

    def test_objects_are_listed_immediately_by_prefix_and_sorted_by_name(self, store_uri: str) -> None:
        """A listing is complete, and shows the size and version of each object."""
        store = Store(store_uri)
        for name in ("b/2", "b/10", "bb", "a"):
            Store(store_uri).write(name, b"1")
        _require([each.name for each in store.list()] == ["a", "b/10", "b/2", "bb"], "a listing is sorted by name")
        _require([each.name for each in store.list("b/")] == ["b/10", "b/2"], "a prefix is part of the name")
        _require(store.list("none/") == [], "a prefix without objects has an empty listing")
        _require(store.info("a") == store.list()[0], "an object is described as in a listing")
        _require(sorted(store.children()) == ["a", "b/", "bb"], "folders directly below the root end in a slash")

    def test_deleted_objects_are_absent_immediately(self, store_uri: str) -> None:
        """Deletion of an absent object succeeds."""
        store = Store(store_uri)
        store.write("a", b"1")
        store.delete(["a", "never there"])
        _require(store.info("a") is None and store.list() == [], "a deleted object is absent")

    def test_ranges_end_where_the_object_ends(self, store_uri: str) -> None:
        """Reads of a range return exactly its bytes."""
        store = Store(store_uri)
        store.write("a", b"0123456789")
        ranges = {(0, 4): b"0123", (4, 6): b"45", (8, 20): b"89", (10, 20): b"", (3, 3): b"", (7, None): b"789"}
        for (start, end), expected in ranges.items():
            _require(store.read("a", start, end) == expected, f"bytes {start} to {end} are {quoted(expected)}")

    def test_a_replaced_object_is_not_read_as_its_old_version(self, store_uri: str) -> None:
        """The version changes with the content."""
        store = Store(store_uri)
        store.write("a", b"old")
        old = store.list()[0].version
        store.write("a", b"newer")
        _require_error(InputChanged, lambda: store.read("a", version=old))

    def test_an_absent_object_is_a_storage_error(self, store_uri: str) -> None:
        """Errors of the client library never reach the caller."""
        _require_error(StorageError, lambda: Store(store_uri).read("absent"))

    def test_a_published_object_appears_complete(self, store_uri: str) -> None:
        """No part of an object is visible before its end."""
        store = Store(store_uri)
        with store.publish("a") as publication:
            publication.write(_LARGE)
            _require(store.info("a") is None, "an object that is being written is not visible")
        _require(store.read("a") == _LARGE, "an object holds what was written")

    def test_an_exception_leaves_the_old_object(self, store_uri: str) -> None:
        """A publication that fails changes nothing."""
        store = Store(store_uri)
        store.write("a", b"old")
        _require_error(StorageError, lambda: _publish_and_fail(store))
        _require(store.read("a") == b"old", "a failed publication does not replace the object")
        _require([each.name for each in store.list()] == ["a"], "a failed publication leaves no object")

    def test_one_of_several_creators_wins(self, store_uri: str) -> None:
        """`create` never replaces an object. If the store supports conditional writes, one of several writers wins."""
        store = Store(store_uri)
        with ThreadPoolExecutor(_WRITERS) as pool:
            won = [*pool.map(lambda number: Store(store_uri).create("a", b"%d" % number), range(_WRITERS))]
        if store.has_conditional_create:
            _require(won.count(True) == 1, "one creator wins")
            _require(store.read("a") == b"%d" % won.index(True), "the object is that of the winner")
        _require(not store.create("a", b"late"), "an object that exists is not created")
        _require(store.read("a") != b"late", "an object that exists is not replaced")


def _publish_and_fail(store: Store) -> None:
    with store.publish("a") as publication:
        publication.write(_LARGE)
        raise StorageError("the test ends this publication")
