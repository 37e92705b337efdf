"""Options of earlier versions: each fails, and names the field that `--set` gives."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import click

from scoremill.errors import UsageError

from .flag import Command

REMOVED = {
    "--trusted-type": "spec.model.trustedTypes=[features.Clip]",
    "--batch-rows": "spec.model.batchRows=50000",
    "--allow-version-skew": "spec.model.allowVersionSkew=true",
    "--input-format": "spec.input.format=csv",
    "--partition-bytes": "spec.input.partitionBytes=16MiB",
    "--match-columns": "spec.input.matchColumns=Relaxed",
    "--hive": "spec.input.hive=true",
    "--id-by": "spec.input.idBy=content",
    "--since": "spec.input.since=2026-11-21T03:00:00Z",
    "--until": "spec.input.until=2026-11-22T03:00:00Z",
    "--not-scored-by": "spec.input.notScoredBy=[{uri: s3://b/scores}]",
    "--allow-empty": "spec.input.allowEmpty=true",
    "--input-storage": "spec.input.storage.anonymous=true",
    "--quote": "spec.input.csv.quote='",
    "--escape": "spec.input.csv.escape=\\",
    "--escape-unquoted": "spec.input.csv.escapeUnquoted=true",
    "--comment": "spec.input.csv.comment=#",
    "--skip-rows": "spec.input.csv.skipRows=1",
    "--skip-initial-space": "spec.input.csv.skipInitialSpace=true",
    "--surplus-fields": "spec.input.csv.surplusFields=DropEmpty",
    "--null-values": "spec.input.csv.nullValues=[NA, '-']",
    "--decimal": "spec.input.csv.decimal=,",
    "--thousands": "spec.input.csv.thousands=.",
    "--date-formats": "spec.input.csv.dateFormats.day=%d.%m.%Y",
    "--csv-formulas": "spec.output.csvFormulas=Escape",
    "--drop": "spec.output.drop=[note]",
    "--partition-by": "spec.output.partitionBy=[vendor]",
    "--rows-per-file": "spec.output.rowsPerFile=1000000",
    "--threshold": "spec.output.threshold=0.3",
    "--dtype": "spec.output.dtype=float32",
    "--output-storage": "spec.output.storage.anonymous=true",
    "--on-file-error": "spec.errors.onFileError=Reject",
    "--max-file-errors": "spec.errors.maxFiles=10",
    "--errors-raw": "spec.errors.raw=Hash",
    "--profile": "spec.storage.profile=science",
    "--requester-pays": "spec.storage.requesterPays=true",
    "--kms-key": "spec.storage.kmsKey=alias/scores",
    "--ca-bundle": "spec.storage.caBundle=ca.pem",
    "--storage-options": "spec.storage.optionsFile=storage.yaml",
    "--model-storage": "spec.model.storage.anonymous=true",
}
"""What `--set` takes for each, by an example."""
SWITCHES = {
    "--allow-version-skew",
    "--hive",
    "--allow-empty",
    "--escape-unquoted",
    "--skip-initial-space",
    "--requester-pays",
}
"""Those without a value."""


def removed_options(parts: tuple[str, ...]) -> Callable[[Command], Command]:
    """Return what explains to a command the removed options of `parts` of a job."""

    def add(command: Command) -> Command:
        for name, example in REMOVED.items():
            if example.startswith(parts):
                command = _removed(name, example)(command)
        return command

    return add


def _removed(name: str, example: str) -> Callable[[Command], Command]:
    def refuse(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            raise UsageError(f"{name} was removed", f"Use --set, such as --set {shlex.quote(example)}.")

    shape: dict[str, Any] = {"is_flag": True} if name in SWITCHES else {"multiple": True}
    text = f"Removed; use --set {example}."
    return click.option(name, hidden=True, expose_value=False, callback=refuse, help=text, **shape)
