"""What a ledger wrote is read again, continued, and deleted by name only."""

import hashlib
import json
from dataclasses import asdict

import pytest

from scoremill.errors import ScoremillError, UsageError, VerificationError
from scoremill.ledger import Lease, Ledger, Origin, Part, Receipt, read_manifest, verify, write_manifest
from scoremill.ledger.journal import JOB
from scoremill.storage.filesystem import Store


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(Store(str(tmp_path)))
    lease = Lease.acquire(ledger.store, beat_seconds=60)
    ledger.hold(lease)
    yield ledger
    lease.release()


def receipt(store, number=0, rows=3, rejected=1, text=None):
    """A receipt whose objects are really there."""
    text = text if text is not None else "".join(f'{{"prediction":{i}}}\n' for i in range(rows - rejected))
    with store.publish(f"part-{number:05d}-{'0' * 16}.jsonl") as stream:
        stream.write(text.encode())
    part = Part(f"part-{number:05d}-{'0' * 16}.jsonl", rows - rejected, stream.size, stream.sha256)
    errors = ()
    if rejected:
        with store.publish(f"_errors/part-{number:05d}-{'0' * 16}.jsonl") as stream:
            stream.write(b"{}\n" * rejected)
        errors = (Part(f"_errors/part-{number:05d}-{'0' * 16}.jsonl", rejected, stream.size, stream.sha256),)
    return Receipt(
        number, "0" * 16, rows, rows - rejected, rejected, (part,), errors, lines=(rows,), reasons={"fare": rejected}
    )


def complete(ledger, *receipts):
    return write_manifest(
        ledger.store,
        list(receipts),
        [Origin("a.csv", 0, 1)] * len(receipts),
        {"method": "predict", "bundle": "sha256:0", "settings": {}},
    )


def test_receipts_are_read_as_they_were_written(ledger):
    written = [receipt(ledger.store, number) for number in range(3)]
    for each in written:
        ledger.append(each)
    ledger.flush()
    assert list(Ledger(ledger.store).receipts()) == written


def test_receipts_of_a_later_lease_come_after_those_of_an_earlier_one(ledger):
    ledger.append(receipt(ledger.store, 7))
    ledger.flush()
    ledger._lease.release()
    later = Ledger(ledger.store)
    lease = Lease.acquire(ledger.store, beat_seconds=60)
    later.hold(lease)
    later.append(receipt(ledger.store, 3))
    later.flush()
    lease.release()
    assert [r.number for r in later.receipts()] == [7, 3]


def test_nothing_is_written_without_a_lease(tmp_path):
    with pytest.raises(RuntimeError, match="lease"):
        Ledger(Store(str(tmp_path))).begin({})


def test_a_newer_format_is_refused(ledger):
    ledger.store.write(JOB, b'{"formatVersion": 99}')
    with pytest.raises(UsageError, match="newer"):
        ledger.job()


def test_a_complete_output_verifies(ledger):
    complete(ledger, receipt(ledger.store, 0), receipt(ledger.store, 1, rejected=0))
    proven = verify(ledger.store)
    assert (proven.totals.rows, proven.totals.scored, proven.totals.rejected, proven.totals.objects) == (6, 5, 1, 3)
    success = json.loads(ledger.store.read("_SUCCESS"))
    manifest = ledger.store.read(success["manifest"])
    assert success["digest"] == f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    assert success["totals"] == asdict(proven.totals)


def test_a_completed_run_writes_its_success_again_if_a_driver_died_before_it(ledger):
    complete(ledger, receipt(ledger.store, 0))
    success = ledger.store.read("_SUCCESS")
    ledger.store.delete(["_SUCCESS"])
    ledger.confirm()
    assert ledger.store.read("_SUCCESS") == success


def test_rows_that_do_not_add_up_make_no_manifest(ledger):
    wrong = receipt(ledger.store, 0)
    with pytest.raises(ScoremillError, match="do not add up"):
        complete(ledger, Receipt(**{**{n: getattr(wrong, n) for n in Receipt.__slots__}, "rows": 4}))
    assert read_manifest(ledger.store) is None
    assert ledger.store.info("_SUCCESS") is None


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda store, name: store.delete([name]), "missing: part-00000"),
        (lambda store, name: store.write(name, store.read(name)[:-2] + b"\n"), "altered: part-00000"),
        (lambda store, name: store.write("part-00009-0000000000000000.jsonl", b""), "surplus: part-00009"),
        (lambda store, name: store.write("notes.txt", b""), "surplus: notes.txt"),
        (lambda store, name: store.delete([f"_errors/{name}"]), "missing: _errors/part-00000"),
        (lambda store, name: store.delete(["_SUCCESS"]), "not complete"),
        (lambda store, name: store.write("_SUCCESS", b"{}"), "altered: _SUCCESS"),
        (lambda store, name: store.delete(["_scoremill/manifest.json"]), "not complete"),
        (lambda store, name: store.write("_scoremill/manifest/000000.parquet", b"x"), "manifest says"),
    ],
)
def test_a_harmed_output_does_not_verify(ledger, harm, said):
    complete(ledger, receipt(ledger.store, 0))
    harm(ledger.store, f"part-00000-{'0' * 16}.jsonl")
    with pytest.raises(VerificationError, match=said):
        verify(ledger.store)


def test_erase_deletes_what_the_ledger_names_and_nothing_else(ledger):
    ledger.begin({"settings": {}})
    ledger.add_plan_segment(b"plan")
    ledger.append(receipt(ledger.store, 0))
    ledger.flush()
    complete(ledger, *ledger.receipts())
    ledger.store.write("mine.txt", b"keep me")
    ledger.erase()
    assert list(ledger.published()) == ["mine.txt"]
    assert ledger.job() is None
    assert not [info for info in ledger.store.list("_scoremill/") if "/lease/" not in info.name]


def test_reopening_takes_back_the_claim_of_completeness(ledger):
    complete(ledger, receipt(ledger.store, 0))
    ledger.reopen()
    assert read_manifest(ledger.store) is None
    assert ledger.store.info("_SUCCESS") is None
