"""A driver's log is kept: all of a short log, head and tail of a long one, and no secret."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest

from scoremill.cli.views.display import say
from scoremill.kubernetes.logs import folder, newest
from scoremill.kubernetes.objects import Resource
from scoremill.runtime.log import HEAD_BYTES, DriverLog, Ends, without_secrets
from scoremill.storage.filesystem import Store
from scoremill.units import MIB
from tests.support.jobs import make_job


def test_short_log_is_kept_unchanged() -> None:
    ends = Ends()
    for _ in range(3):
        ends.add("Grüße\n".encode())
    assert ends.whole() == "Grüße\nGrüße\nGrüße\n".encode()


@pytest.mark.parametrize("lines", [40_000, 400_000])
def test_long_log_keeps_whole_lines_of_head_and_tail(lines: int) -> None:
    ends, written = Ends(), [f"line {at} of a very long log\n".encode() for at in range(lines)]
    for line in written:
        ends.add(line)
    kept = ends.whole()
    assert len(kept) < MIB and ends.size == sum(map(len, written))
    head, _, tail = kept.partition("… ".encode())
    note, _, tail = tail.partition(b"\n")
    assert b"".join(written).startswith(head) and head.endswith(b"\n") and len(head) > HEAD_BYTES - 100
    assert b"".join(written).endswith(tail) and tail.startswith(b"line ") and len(tail) > MIB // 2
    omitted = int(note.split()[0].replace(b",", b""))
    assert omitted == ends.size - len(head) - len(tail) > 0


def test_log_of_one_endless_line_is_bounded() -> None:
    ends = Ends()
    for _ in range(50):
        ends.add(b"x" * 100_000)
    assert len(ends.whole()) < MIB


def test_only_values_of_secret_variables_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden/hidden+hidden")
    monkeypatch.setenv("DB_PASSWORD", "hidden/hidden")
    monkeypatch.setenv("API_TOKEN", "short")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    text = b"a hidden/hidden+hidden b hidden/hidden c short d eu-central-1"
    assert without_secrets(text) == b"a *** b *** c short d eu-central-1"


def test_output_is_passed_on_while_it_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with DriverLog(pytest.fail, pytest.fail):
        click.echo("to stdout")
        say("to stderr")
        assert not sys.stderr.isatty()
    assert capsys.readouterr() == ("to stdout\n", "to stderr\n")


def test_log_is_kept_after_its_pipe_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", buffering=1) as closed_pipe:
        monkeypatch.setattr(sys, "stderr", closed_pipe)
        with DriverLog(lambda _: None, pytest.fail) as log:
            log.keep(make_job("m", "in.csv", str(tmp_path)), Resource("ScoringJob", "tips", uid="1"), 1)
            say("to nobody")
        with suppress(BrokenPipeError):
            closed_pipe.flush()
        # Closing the file would write the pending data again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), closed_pipe.fileno())
    (kept,) = tmp_path.rglob("*.log")
    assert kept.read_text() == "to nobody\n"


def test_newest_log_is_from_the_last_pod_of_the_last_attempt(tmp_path: Path) -> None:
    job, other = (Resource("ScoringJob", "tips", uid=uid) for uid in "12")
    store = Store(str(tmp_path))
    assert newest(store, job, None) is None
    for name in ("00001-20261121T030000Z", "00002-20261121T040000Z", "00002-20261121T050000Z"):
        store.write(f"{folder(job)}/{name}.log", b"")
    store.write(f"{folder(other)}/00003-20261121T030000Z.log", b"")
    assert newest(store, job, None) == newest(store, job, 2) == f"{folder(job)}/00002-20261121T050000Z.log"
    assert newest(store, job, 1) == f"{folder(job)}/00001-20261121T030000Z.log"
    assert newest(store, job, 3) is None
