import secrets

import pytest

from scoremill.discovery import Source
from scoremill.errors import InputChanged
from scoremill.planning import Piece
from scoremill.spec import Storage
from scoremill.storage.filesystem import Store
from scoremill.worker.ahead import Ahead

LARGE = 2**20 + 1


@pytest.fixture
def store() -> Store:
    return Store(f"memory://{secrets.token_hex(6)}")


def pieces(store: Store, *sizes: int) -> list[Piece]:
    """One whole object for each size."""
    found = []
    for number, size in enumerate(sizes):
        name = f"{number}.csv"
        store.write(name, bytes([65 + number % 26]) * size)
        info = store.info(name)
        assert info is not None
        source = Source(store.uri, name, size, info.version, info.version, "csv")
        found.append(Piece(source, 0, size))
    return found


def test_objects_come_in_the_order_of_their_pieces_even_if_some_are_read_as_usual(store: Store):
    given = pieces(store, 3, LARGE, 0, 4, *range(1, 60))
    with Ahead(given, Storage()) as ahead:
        taken = [ahead.take(piece) for piece in given]
    assert [each and each.size for each in taken] == [3, None, None, 4, *range(1, 60)]
    assert all(each is None or each.read(0, LARGE) == store.read(f"{at}.csv") for at, each in enumerate(taken))


def test_range_of_an_object_and_a_rejected_one_are_not_fetched(store: Store):
    whole, other, third = pieces(store, 10, 10, 10)
    cut = Piece(other.source, 5, 10)
    rejected = Piece(third.source, 0, 10, rejected=True)
    with Ahead([whole, cut, rejected, whole], Storage()) as ahead:
        assert [ahead.take(piece) is None for piece in (whole, cut, rejected, whole)] == [False, True, True, False]


def test_error_of_an_object_is_raised_when_its_turn_comes(store: Store):
    given = pieces(store, 5, 5, 5)
    store.write("1.csv", b"other")
    with Ahead(given, Storage()) as ahead:
        assert ahead.take(given[0])
        with pytest.raises(InputChanged):
            ahead.take(given[1])
        assert ahead.take(given[2])


def test_local_files_and_single_objects_are_read_as_usual(store: Store, tmp_path):
    for given in (pieces(Store(str(tmp_path)), 5, 5), pieces(store, 5)):
        with Ahead(given, Storage()) as ahead:
            assert [ahead.take(piece) for piece in given] == [None] * len(given)
