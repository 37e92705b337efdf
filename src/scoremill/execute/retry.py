"""Rejected rows once more: as an input of their own, with a mended model, to an output of its own."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from scoremill.errors import UsageError
from scoremill.ledger import Ledger, Manifest, read_manifest
from scoremill.naming import ERRORS, LEDGER
from scoremill.spec import Csv, ScoringJob, merge, parse_job
from scoremill.storage.filesystem import Store

from .driver import execute
from .engine import Engine
from .events import Watcher

INPUT = f"{LEDGER}/input"
"""Where the rejected rows are laid down, below the retry's output."""

Record = dict[str, Any]


def retry_job(output: Store, changes: dict[str, Any], uri: str | None = None) -> ScoringJob:
    """The job that scores what `output` rejected; its input is laid down below its own output, `OUTPUT/_retries/N`.

    `changes` lie over the job that made `output`, such as another model. UsageError where nothing was rejected, or
    where the text of rejected rows was not kept.
    """
    begun = Ledger(output).job()
    if begun is None or read_manifest(output) is None:
        raise UsageError(
            f"{output.uri} is not a complete output", "Complete it first, with the same `scoremill score`."
        )
    names = [info.name for info in output.list(f"{ERRORS}/")]
    if not names:
        raise UsageError(f"no row of {output.uri} was rejected")
    target = uri or f"{output.uri}/_retries/{_next_number(output)}"
    mine = merge(begun["job"], changes)
    spec = merge(mine["spec"], {
        "input": {"uris": [f"{target}/{INPUT}/*.csv"], "format": "csv", "csv": {"header": True, "columns": None}},
        "output": {"uri": target, "mode": "Resume"},
    })  # fmt: skip
    if "storage" in spec["output"]:
        spec["input"]["storage"] = spec["output"]["storage"]
    else:
        spec["input"].pop("storage", None)
    job = parse_job({**mine, "spec": spec})
    _lay_down(output, names, Store(target, job.spec.output_storage), job.spec.input.csv)
    return job


def retry_errors(
    output: Store, engine_for: Any, changes: dict[str, Any], uri: str | None = None, watchers: Iterable[Watcher] = ()
) -> Manifest:
    """Scores what `output` rejected; the manifest of the retry's own output."""
    job = retry_job(output, changes, uri)
    engine: Engine = engine_for(job)
    return execute(job, engine, watchers)


def _next_number(output: Store) -> int:
    numbers = {info.name.split("/")[1] for info in output.list("_retries/")}
    return max((int(number) for number in numbers if number.isdigit()), default=0) + 1


def _lay_down(output: Store, names: list[str], target: Store, dialect: Csv) -> None:
    """One CSV for each file that rejected rows came from, in their order, with that file's header."""
    count = 0
    for name in names:
        lines = output.read(name).splitlines()
        for header, rows in _by_file(json.loads(line) for line in lines):
            target.write(f"{INPUT}/rejected-{count:06d}.csv", _file(header, rows, dialect))
            count += 1


def _by_file(records: Iterable[Record]) -> Iterator[tuple[list[str], list[Record]]]:
    header: list[str] = []
    rows: list[Record] = []
    for record in records:
        if "header" in record and rows:
            yield header, rows
            rows = []
        header = record.get("header", header)
        rows.append(record)
    if rows:
        yield header, rows


def _file(header: list[str], rows: list[Record], dialect: Csv) -> bytes:
    raws = [_raw(row) for row in rows]
    if not header:
        # Rows of Parquet were kept as JSON objects.
        objects = [json.loads(raw) for raw in raws]
        header = list(objects[0])
        raws = [_line([each.get(name) for name in header], dialect) for each in objects]
    return b"\n".join([_line(header, dialect), *raws]) + b"\n"


def _line(fields: list[Any], dialect: Csv) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=dialect.delimiter, quotechar=dialect.quote, lineterminator="").writerow(fields)
    return text.getvalue().encode(dialect.encoding)


def _raw(row: Record) -> bytes:
    if "raw" in row:
        return str(row["raw"]).encode()
    if "rawBase64" in row:
        return base64.b64decode(row["rawBase64"])
    raise UsageError("the text of rejected rows was not kept", "Score with --errors-raw Keep to be able to retry.")
