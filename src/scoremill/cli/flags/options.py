"""The flags of a job. Each is a place in the job file, so flags and file give the same object."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from scoremill.errors import UsageError
from scoremill.spec import Csv, ScoringJob, Storage, load_job, merge, parse_job
from scoremill.spec.pairs import At, split_pair

from .fields import given_fields, refuse_twice, set_option
from .job_file import job_file

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Flag:
    """One flag, and the field of the job that it gives."""

    name: str
    path: str
    help: str
    read: Callable[[Any], Any] = lambda value: value
    settings: dict[str, Any] | None = None
    is_several: bool = False
    """Whether it gives several fields of the mapping at `path`."""
    metavar: str | None = None
    """What its value is, as help shows it; None for switches and choices."""

    @property
    def parameter(self) -> str:
        return self.name.removeprefix("--").split("/")[0].replace("-", "_")

    def add_to(self, command: Command) -> Command:
        """Add the option to a command."""
        return click.option(self.name, help=self.help, metavar=self.metavar, **(self.settings or {}))(command)


def names(values: Iterable[str]) -> list[str]:
    """`a,b` given once or several times as one list; quotes hold commas."""
    return [name for row in csv.reader(values, skipinitialspace=True) for name in row if name]


@dataclass(frozen=True)
class Pairs:
    """Reads `a=b,c=d`, given once or several times, as a mapping."""

    flag: str
    form: str
    """What the sides are, such as `COLUMN=TYPE`."""
    at: At = "last"

    def __call__(self, values: Iterable[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for item in names(values):
            try:
                left, right = split_pair(item, self.at)
            except ValueError as error:
                raise UsageError(f"{self.flag}: {item!r} {error}", self._hint()) from None
            if found.setdefault(left, right) != right:
                raise UsageError(
                    f"{self.flag} gives {left!r} twice: {found[left]!r} and {right!r}", "Give one of them."
                )
        return found

    def _hint(self) -> str:
        escaped = "" if self.at == "first" else r"; an equals sign inside a name is written \="
        return f"Give {self.flag} {self.form}{escaped}."


def bounds(text: str) -> tuple[int, int]:
    """The fewest and the most in `4` and in `0:20`; ValueError where they are no numbers."""
    least, colon, most = text.partition(":")
    return int(least), int(most if colon else least)


def workers(text: str) -> dict[str, int | None]:
    """The number in `4`, or the bounds in `1:20`, as fields of `spec.cluster`."""
    try:
        least, most = bounds(text)
    except ValueError:
        raise UsageError(f"--workers: {text!r} is neither a number such as 4 nor a range such as 1:20") from None
    return {"workers": least, "maxWorkers": most if ":" in text else None}


MANY = {"multiple": True}
SWITCH = {"is_flag": True, "default": None}


def _choice(*values: str) -> dict[str, Any]:
    return {"type": click.Choice(values)}


FLAGS = (
    Flag("--model", "spec.model.uri", "Path or URI of the model bundle.", metavar="URI"),
    Flag("--digest", "spec.model.digest", "Required digest of the bundle (sha256:…).", metavar="DIGEST"),
    Flag(
        "--trust",
        "spec.model.trustedPrefixes",
        "URI prefix below which bundles are loaded without a digest.",
        names,
        MANY,
        metavar="URI",
    ),
    Flag(
        "--trusted-type",
        "spec.model.trustedTypes",
        "Type or function to allow in a skops bundle: features.Clip. Can be given several times.",
        names,
        MANY,
        metavar="NAMES",
    ),
    Flag(
        "--method",
        "spec.model.method",
        "Method of the model to call. Defaults to the method of the bundle.",
        settings=_choice(
            "predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples"
        ),
    ),
    Flag(
        "--batch-rows",
        "spec.model.batchRows",
        "Number of rows passed to the model in one call.  [default: 131072]",
        settings={"type": int},
        metavar="N",
    ),
    Flag(
        "--allow-version-skew",
        "spec.model.allowVersionSkew",
        "Score with another minor version of scikit-learn.",
        settings=SWITCH,
    ),
    Flag(
        "--input",
        "spec.input.uris",
        "Path, URI, or glob of CSV or Parquet files. Can be given several times.",
        list,
        MANY,
        metavar="URI",
    ),
    Flag(
        "--input-format",
        "spec.input.format",
        "Format of the input. Defaults to the file extension.",
        settings=_choice("auto", "csv", "parquet"),
    ),
    Flag(
        "--partition-bytes",
        "spec.input.partitionBytes",
        "Size of a partition of a CSV file.  [default: 64MiB]",
        metavar="SIZE",
    ),
    Flag(
        "--rename",
        "spec.input.rename",
        "Rename columns: the name in the input, then the model's: Mean_Radius='mean radius'.",
        Pairs("--rename", "OLD=NEW", "only"),
        MANY,
        metavar="OLD=NEW",
    ),
    Flag(
        "--match-columns",
        "spec.input.matchColumns",
        "Match column names exactly, or ignoring case, spaces, and underscores.",
        settings=_choice("Exact", "Relaxed"),
    ),
    Flag(
        "--where",
        "spec.input.where",
        "Score only rows that meet a condition: fare > 0 and vendor in ('A', 'B').",
        metavar="CONDITION",
    ),
    Flag(
        "--since", "spec.input.since", "Score only objects modified at or after this time (RFC 3339).", metavar="TIME"
    ),
    Flag("--until", "spec.input.until", "Score only objects modified before this time (RFC 3339).", metavar="TIME"),
    Flag(
        "--not-scored-by",
        "spec.input.notScoredBy",
        "Skip objects that an earlier output (URI or glob) scored. Can be given several times.",
        lambda uris: [{"uri": uri} for uri in uris],
        MANY,
        metavar="URI",
    ),
    Flag("--allow-empty", "spec.input.allowEmpty", "Accept an input without objects or rows.", settings=SWITCH),
    Flag(
        "--delimiter",
        "spec.input.csv.delimiter",
        "Character between fields; \\t is a tab.  [default: ,]",
        lambda text: text.replace("\\t", "\t"),
        metavar="CHAR",
    ),
    Flag(
        "--quote",
        "spec.input.csv.quote",
        "Character around quoted fields (\"); '' if no field is quoted.",
        metavar="CHAR",
    ),
    Flag(
        "--escape",
        "spec.input.csv.escape",
        "Character that escapes a quote inside quotes, such as \\ in files written by Spark.",
        metavar="CHAR",
    ),
    Flag(
        "--escape-unquoted",
        "spec.input.csv.escapeUnquoted",
        "Apply --escape outside quotes and before any character (MySQL, Snowflake, pandas).",
        settings=SWITCH,
    ),
    Flag("--comment", "spec.input.csv.comment", "Skip lines that start with this character.", metavar="CHAR"),
    Flag(
        "--skip-rows",
        "spec.input.csv.skipRows",
        "Number of lines to skip before the header.",
        settings={"type": int},
        metavar="N",
    ),
    Flag("--skip-initial-space", "spec.input.csv.skipInitialSpace", "Drop spaces after delimiters.", settings=SWITCH),
    Flag(
        "--surplus-fields",
        "spec.input.csv.surplusFields",
        "Reject rows with more fields than columns, or accept them if the surplus is empty.  [default: Reject]",
        settings=_choice("Reject", "DropEmpty"),
    ),
    Flag("--encoding", "spec.input.csv.encoding", "Encoding of CSV files.  [default: utf-8]", metavar="NAME"),
    Flag(
        "--header/--no-header",
        "spec.input.csv.header",
        "Whether the first row of CSV files contains the column names.",
        settings={"default": None},
    ),
    Flag(
        "--names",
        "spec.input.csv.columns",
        "Column names of CSV files without a header: a,b,c.",
        names,
        MANY,
        metavar="COLUMNS",
    ),
    Flag(
        "--null-values",
        "spec.input.csv.nullValues",
        "Texts to read as a missing value, instead of those of pandas.",
        lambda values: [v for row in csv.reader(values) for v in row or [""]],
        MANY,
        metavar="TEXTS",
    ),
    Flag("--decimal", "spec.input.csv.decimal", "Decimal separator of numbers.  [default: .]", metavar="CHAR"),
    Flag("--thousands", "spec.input.csv.thousands", "Thousands separator of numbers.", metavar="CHAR"),
    Flag(
        "--dtypes",
        "spec.input.csv.dtypes",
        "Types of columns: fare=float64,vendor=string.",
        Pairs("--dtypes", "COLUMN=TYPE"),
        MANY,
        metavar="COLUMN=TYPE",
    ),
    Flag(
        "--date-formats",
        "spec.input.csv.dateFormats",
        "Formats of date columns: day=%d.%m.%Y|%Y-%m-%d, or time=epoch_ms.",
        Pairs("--date-formats", "COLUMN=FORMAT"),
        MANY,
        metavar="COLUMN=FORMAT",
    ),
    Flag("--output", "spec.output.uri", "Path or URI of the folder to write to.", metavar="URI"),
    Flag(
        "--format",
        "spec.output.format",
        "Format of the output.  [default: parquet]",
        settings=_choice("parquet", "csv", "jsonl"),
    ),
    Flag(
        "--csv-formulas",
        "spec.output.csvFormulas",
        "Keep text in CSV output that a spreadsheet would run as a formula, or escape it.  [default: Keep]",
        settings=_choice("Keep", "Escape"),
    ),
    Flag(
        "--mode",
        "spec.output.mode",
        "What to do if the output exists: resume, fail, or overwrite.  [default: Resume]",
        settings=_choice("Resume", "ErrorIfExists", "Overwrite"),
    ),
    Flag(
        "--keep",
        "spec.output.keep",
        "Input columns to copy to the output: a,b, or '*' for all.",
        names,
        MANY,
        metavar="COLUMNS",
    ),
    Flag("--drop", "spec.output.drop", "Columns to exclude from --keep '*'.", names, MANY, metavar="COLUMNS"),
    Flag(
        "--partition-by",
        "spec.output.partitionBy",
        "Kept or result columns to partition the output by: vendor=CMT/.",
        names,
        MANY,
        metavar="COLUMNS",
    ),
    Flag(
        "--rows-per-file",
        "spec.output.rowsPerFile",
        "Maximum number of rows in an output file.",
        settings={"type": int},
        metavar="N",
    ),
    Flag("--row-id", "spec.output.rowId", "Write the origin of each row: its object and position.", settings=SWITCH),
    Flag(
        "--columns",
        "spec.output.columns",
        "Result columns to write, and their names: 1=yhat, or proba_1=yhat.",
        Pairs("--columns", "RESULT=NAME"),
        MANY,
        metavar="RESULT=NAME",
    ),
    Flag(
        "--threshold",
        "spec.output.threshold",
        "Probability at or above which `predict` returns the second of two classes.",
        settings={"type": float},
        metavar="P",
    ),
    Flag("--dtype", "spec.output.dtype", "Type of floating-point results.", settings=_choice("float32", "float64")),
    Flag(
        "--on-row-error",
        "spec.errors.onRowError",
        "Write rows that cannot be scored to _errors/, or fail the run.  [default: Reject]",
        settings=_choice("Reject", "Fail"),
    ),
    Flag(
        "--max-errors",
        "spec.errors.maxRows",
        "Maximum number of rejected rows; the run fails if there are more.",
        settings={"type": int},
        metavar="N",
    ),
    Flag(
        "--max-error-fraction",
        "spec.errors.maxFraction",
        "Maximum fraction of rejected rows; the run fails if it is exceeded.  [default: 0.01]",
        settings={"type": float},
        metavar="FRACTION",
    ),
    Flag(
        "--on-file-error",
        "spec.errors.onFileError",
        "Fail the run if an input object cannot be read, or list it in _errors/.  [default: Fail]",
        settings=_choice("Fail", "Reject"),
    ),
    Flag(
        "--max-file-errors",
        "spec.errors.maxFiles",
        "Maximum number of rejected input objects; the run fails if there are more.  [default: 10]",
        settings={"type": int},
        metavar="N",
    ),
    Flag(
        "--errors-raw",
        "spec.errors.raw",
        "Keep, hash, or omit the text of rejected rows.  [default: Keep]",
        settings=_choice("Keep", "Hash", "Omit"),
    ),
    Flag("--name", "metadata.name", "Name of the job.", metavar="NAME"),
    Flag(
        "--workers",
        "spec.cluster",
        "Number of workers, or a range such as 1:20. Defaults to one per core, or one on Kubernetes.",
        workers,
        is_several=True,
        metavar="N|MIN:MAX",
    ),
    Flag("--memory", "spec.cluster.memory", "Memory of a worker, such as 2GiB.", metavar="SIZE"),
    Flag("--endpoint", "spec.storage.endpoint", "URL of an S3- or GCS-compatible service.", metavar="URL"),
    Flag("--anonymous", "spec.storage.anonymous", "Read public data without credentials.", settings=SWITCH),
    Flag("--profile", "spec.storage.profile", "Name of the AWS profile to use.", metavar="NAME"),
    Flag(
        "--requester-pays",
        "spec.storage.requesterPays",
        "Pay for reading from requester-pays buckets.",
        settings=SWITCH,
    ),
    Flag(
        "--kms-key",
        "spec.storage.kmsKey",
        "Name of the KMS key that the store encrypts new objects with.",
        metavar="NAME",
    ),
    Flag(
        "--ca-bundle",
        "spec.storage.caBundle",
        "Path of a file with certificate authorities for the endpoint.",
        metavar="PATH",
    ),
    Flag(
        "--storage-options",
        "spec.storage.optionsFile",
        "Path of a JSON or YAML file with additional options, including secrets.",
        metavar="PATH",
    ),
)


def job_options(command: Command, more: tuple[Flag, ...] = ()) -> Command:
    """Adds the job file and all flags, and `more` of them, to a command; `job_from` reads them back."""
    command = set_option(command)
    for flag in reversed((*FLAGS, *more)):
        command = flag.add_to(command)
    return click.argument("job", nargs=-1, metavar="[JOB]", type=click.Path(dir_okay=False), callback=job_file)(command)


_UNWRITTEN = {"spec": {"output": {"uri": "memory://unwritten"}}}


def is_written(job: ScoringJob) -> bool:
    """Whether the job names an output."""
    return job.spec.output.uri != _UNWRITTEN["spec"]["output"]["uri"]


def job_from(
    job: str | None,
    flags: dict[str, Any],
    *,
    writes: bool = True,
    under: dict[str, Any] | None = None,
    more: tuple[Flag, ...] = (),
) -> ScoringJob:
    """Return the job given by a file, by flags, or by a file updated by flags, with `under` as defaults.

    A job that does not write needs no output.
    """
    under = merge(under or {}, {} if writes else _UNWRITTEN)
    given: dict[str, Any] = {}
    names: dict[str, str] = {}
    for flag in (*FLAGS, *more):
        value = flags.get(flag.parameter)
        if value is not None and value != ():
            read = flag.read(value)
            put(given, flag.path.split("."), read)
            names |= dict.fromkeys(_paths(flag, read), flag.name.split("/")[0])
    for field in given_fields(flags.get("fields", ())):
        for other, name in names.items():
            if not name.startswith("--set"):
                refuse_twice(field.path, [other], name)
        put(given, field.steps, field.value)
        names[field.path] = f"--set {field.path}"
    if job is not None:
        if not Path(job).is_file():
            raise UsageError(
                f"there is no job file {job!r}",
                "Give a YAML or JSON file, or use flags; see --help.",
                code="JobFileNotFound",
            )
        return load_job(job, given, under, names)
    given = merge(under, given)
    _refuse_missing(given)
    return parse_job(given, flags=names)


_CSV = tuple(flag for flag in FLAGS if flag.path.startswith("spec.input.csv."))


def csv_options(command: Command) -> Command:
    """Adds the flags of how CSV is read; `csv_from` reads them back."""
    for flag in reversed(_CSV):
        command = flag.add_to(command)
    return command


def csv_from(flags: dict[str, Any]) -> Csv:
    """How CSV is read according to `flags`."""
    given: dict[str, Any] = {"spec": {"model": {"uri": "-"}, "input": {"uris": ["-"]}, "output": {"uri": "-"}}}
    for flag in _CSV:
        value = flags.get(flag.parameter)
        if value is not None and value != ():
            put(given, flag.path.split("."), flag.read(value))
    return parse_job(given).spec.input.csv


_STORAGE = tuple(flag for flag in FLAGS if flag.path.startswith("spec.storage."))


def storage_options(command: Command) -> Command:
    """Adds the flags of how a store is reached; `storage_from` reads them back."""
    for flag in reversed(_STORAGE):
        command = flag.add_to(command)
    return command


def storage_from(flags: dict[str, Any]) -> Storage:
    """The storage settings among `flags`."""
    given: dict[str, Any] = {}
    for flag in _STORAGE:
        if flags.get(flag.parameter) is not None:
            given[flag.path.rpartition(".")[2]] = flags[flag.parameter]
    return Storage.model_validate(given)


def _refuse_missing(given: dict[str, Any]) -> None:
    wanted = {"--model": "model", "--input": "input", "--output": "output"}
    missing = [flag for flag, part in wanted.items() if part not in given.get("spec", {})]
    if missing:
        way_out = "`scoremill score --limit 10` prints rows without one" if missing == ["--output"] else "see --help"
        raise UsageError(
            f"missing {', '.join(missing)}",
            f"Give {'it' if len(missing) == 1 else 'them'}, or a job file; {way_out}.",
            code="MissingArgument",
        )


def _paths(flag: Flag, value: Any) -> list[str]:
    """Return the paths of the fields that the flag gives."""
    return [f"{flag.path}.{name}" for name in value] if flag.is_several else [flag.path]


def put(fields: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set the field at `path` of nested mappings."""
    for step in path[:-1]:
        fields = fields.setdefault(step, {})
    # Several flags can give fields of the same mapping.
    there = fields.get(path[-1])
    fields[path[-1]] = merge(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
