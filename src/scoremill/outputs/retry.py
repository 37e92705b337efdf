"""Rejected rows or input objects once more: with another model, or after a repair, to an output of their own."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Literal
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from scoremill.bundle import inspect, open_bundle
from scoremill.engines.protocol import Engine
from scoremill.errors import UsageError, VerificationError
from scoremill.events import Watcher
from scoremill.execute.coordinator.run import execute
from scoremill.ledger import Ledger, Manifest, Part, read_manifest, require_output
from scoremill.naming import LEDGER, SUCCESS
from scoremill.spec import Csv, Input, ScoringJob, merge, parse_job
from scoremill.storage.filesystem import Store
from scoremill.tabular.csv import header_line
from scoremill.tabular.parquet_reader import from_message
from scoremill.worker.outputs import RAW_ARROW

from .rejected import raw_of

INPUT = f"{LEDGER}/input"
"""Folder of the rejected rows, below the output of the retry."""

Record = dict[str, Any]
Kind = Literal["errors", "files"]


def retry_job(output: Store, changes: dict[str, Any], uri: str | None = None, kind: Kind = "errors") -> ScoringJob:
    """Return the job that scores what `output` rejected, to `uri` or else `OUTPUT/_retries/N`.

    Rejected rows (`kind` "errors") are written below that output as its input; rejected input objects ("files") are
    read where they are. `changes` override the job that made `output`, such as another model; stores are reached as
    `output` is. A retry of the same things with the same model that did not end is resumed. Raises
    VerificationError if that output is not complete, UsageError if nothing was rejected or if the text of rejected rows
    was not kept, and TrustError if `changes` name no model, and
    the one that `output` names has neither the digest that is given nor a trusted prefix.
    """
    document, manifest = require_output(output), read_manifest(output)
    if manifest is None:
        raise VerificationError(
            f"{output.uri} is not complete",
            "Complete it first: run the same `scoremill score` again, which resumes.",
            code="OutputIncomplete",
        )
    rejected = [entry for entry in manifest.entries() if entry.kind == kind]
    if not rejected:
        raise UsageError(
            f"no {'row' if kind == 'errors' else 'input object'} of {output.uri} was rejected", code="NothingToRetry"
        )
    uris = [record["file"] for entry in rejected for record in entry.part.records(output)] if kind == "files" else None

    def job_to(target: str) -> ScoringJob:
        return parse_job(_fields(output, document, manifest, changes, target, uris))

    job = job_to(uri or output.uri)
    digest = None
    if "uri" not in changes.get("spec", {}).get("model", {}):
        # A ledger is data: the bundle that it names is as trustworthy as any other that the user did not name.
        digest = open_bundle(job.spec.model, job.spec.model_storage, named_by_user=False).digest
        changes = merge(changes, {"spec": {"model": {"digest": digest}}})
    uri = uri or _target(output, digest or inspect(job.spec.model.uri, job.spec.model_storage).digest, uris)
    job = job_to(uri)
    if uris is not None:
        return job
    parts = [entry.part for entry in rejected]
    columns = _lay_down(_files(output, parts, job.spec.input), Store(uri, job.spec.output_storage))
    return _renaming_only(job, columns)


def retry_rejected(
    output: Store,
    engine_for: Any,
    changes: dict[str, Any],
    uri: str | None = None,
    watchers: Iterable[Watcher] = (),
    kind: Kind = "errors",
) -> Manifest:
    """Score what `output` rejected, and return the manifest of the retry's own output; see `retry_job`."""
    job = retry_job(output, changes, uri, kind)
    engine: Engine = engine_for(job)
    return execute(job, engine, watchers)


def _fields(
    output: Store,
    document: dict[str, Any],
    manifest: Manifest,
    changes: dict[str, Any],
    target: str,
    uris: list[str] | None,
) -> dict[str, Any]:
    """Return the recorded job with `changes`, without what runs code or reaches stores: a ledger is data.

    Its input are the rejected rows below `target`, unless `uris` are given.
    """
    recorded = document["job"]["spec"]
    spec = {name: value for name, value in recorded.items() if name not in ("storage", "credentials", "cluster")}
    spec["model"] = {"batchRows": document["settings"]["batch_rows"]}
    if "method" in recorded["model"]:
        spec["model"]["method"] = recorded["model"]["method"]
    spec["storage"] = output.settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    spec["output"] = {**recorded["output"], "storage": None}
    mine = merge({**document["job"], "spec": spec}, changes)
    rows = {"uris": [f"{target}/{INPUT}"], "format": "auto", "csv": {"header": True, "columns": None, "skipRows": 0}}
    spec = merge(
        mine["spec"],
        {
            "input": {
                **(rows if uris is None else {"uris": uris, "notScoredBy": [], "since": None, "until": None}),
                "idBy": "content",
                "storage": mine["spec"]["output"]["storage"],
            },
            "output": {
                "uri": target,
                "mode": "Resume",
                "keep": [column["name"] for column in manifest.fields["settings"]["keep"]],
                "drop": [],
            },
        },
    )
    spec["model"].setdefault("uri", document["bundle"])
    return {**mine, "spec": spec}


def _target(output: Store, digest: str, uris: list[str] | None) -> str:
    """The last retry of the same things with the bundle of `digest` that did not end, newer than any that did; else a new one."""
    names = {info.name for info in output.list("_retries/")}
    numbers = sorted({int(step) for name in names if (step := name.split("/")[1]).isdecimal()}, reverse=True)
    for number in numbers:
        uri = f"{output.uri}/_retries/{number}"
        if f"_retries/{number}/{SUCCESS}" in names:
            break
        document = Ledger(Store(uri, output.settings)).job()
        if document is None or (document["settings"]["bundle"] == digest and _input_of(document, uri) == uris):
            return uri
    return f"{output.uri}/_retries/{max(numbers, default=0) + 1}"


def _input_of(document: dict[str, Any], uri: str) -> list[str] | None:
    """The input objects of the retry at `uri`; None if it scores rejected rows."""
    uris: list[str] = document["job"]["spec"]["input"]["uris"]
    return None if uris == [f"{uri}/{INPUT}"] else uris


def _lay_down(files: Iterable[tuple[str, bytes, list[str]]], target: Store) -> set[str]:
    """Writes the objects that are not there yet, and returns the names of their columns.

    What is there already stays untouched: a driver might be reading it.
    """
    found: set[str] = set()
    for name, data, columns in files:
        found.update(columns)
        if target.info(name) is None or target.read(name) != data:
            target.write(name, data)
    return found


def _renaming_only(job: ScoringJob, columns: set[str]) -> ScoringJob:
    """`job` without the new names of columns that no rejected row has: rows of Parquet have the new names already."""
    rename = {old: new for old, new in job.spec.input.rename.items() if old in columns}
    source = job.spec.input.model_copy(update={"rename": rename})
    return job.model_copy(update={"spec": job.spec.model_copy(update={"input": source})})


def _files(output: Store, parts: list[Part], spec: Input) -> Iterator[tuple[str, bytes, list[str]]]:
    """An object for each file that rejected rows came from, in their order, and its columns.

    It is a CSV with that file's header, or Parquet.

    The columns of its path stay in its path: as text in a file, some would be spellings of a missing value.
    """
    count = 0
    for part in parts:
        for header, rows in _by_file(part.records(output)):
            steps = _path_columns(rows[0]["file"]) if spec.hive else []
            data = _csv(header, rows, spec.csv) if header else _parquet(rows)
            columns = header or pq.read_schema(pa.BufferReader(data)).names
            in_path = [unquote(step.partition("=")[0]) for step in steps]
            kind = "csv" if header else "parquet"
            yield "/".join([INPUT, f"{count:06d}", *steps, f"rejected.{kind}"]), data, [*columns, *in_path]
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


def _path_columns(uri: str) -> list[str]:
    """The folders `NAME=VALUE` of a path; UsageError if a listing would leave one out."""
    steps = [step for step in uri.split("/")[:-1] if step.find("=") > 0]
    hidden = [step for step in steps if step[0] in "._"]
    if hidden:
        raise UsageError(
            f"rows of {uri} cannot be retried: the folder {hidden[0]} matches only if it is written out",
            "Score that file alone, with a model that takes its rows.",
            code="NothingToRetry",
        )
    return steps


def _csv(header: list[str], rows: list[Record], dialect: Csv) -> bytes:
    return b"\n".join([header_line(header, dialect), *map(_raw, rows)]) + b"\n"


def _parquet(rows: list[Record]) -> bytes:
    """Rows of Parquet were kept with their types."""
    if any(RAW_ARROW not in row for row in rows):
        raise _not_kept()
    messages = (zlib.decompress(base64.b64decode(row[RAW_ARROW])) for row in rows)
    sink = io.BytesIO()
    pq.write_table(pa.concat_tables(map(from_message, messages)), sink)
    return sink.getvalue()


def _raw(row: Record) -> bytes:
    raw = raw_of(row)
    if raw is None:
        raise _not_kept()
    return raw


def _not_kept() -> UsageError:
    return UsageError(
        "the text of rejected rows was not kept",
        "Score the input again, to another output, with `spec.errors.raw: Keep`.",
        code="NothingToRetry",
    )
