"""`scoremill model`: bundles."""

from __future__ import annotations

import shlex
import sys
import warnings
from typing import Any, cast, get_args

import click

from scoremill.document import plain
from scoremill.spec import Method
from scoremill.spec.model import BATCH_ROWS
from scoremill.units import format_bytes, printable, quoted

from .flags.flag import MANY, Flag, Pairs, names
from .flags.options import CSV, STORAGE, csv_from, job_from, part_options, storage_from
from .flags.sections import Sectioned
from .views.display import echo
from .views.document import print_document
from .views.profile import show_profile

_META = Pairs("--meta", "KEY=VALUE", "first")
_TRUSTED_TYPE = Flag(
    "--trusted-type",
    "spec.model.trustedTypes",
    "Type or function to allow in addition to those that skops trusts: features.Clip. Can be given several times.",
    names,
    MANY,
    metavar="NAMES",
)
_MISSING = Pairs("--missing", "COLUMN=FORM")


@click.group("model")
def model_group() -> None:
    """Pack, inspect, and verify model bundles."""


@model_group.command("pack")
@click.argument("model", type=click.Path())
@click.option("--output", metavar="URI", required=True, help="Path or URI of the bundle to write.")
@click.option(
    "--code",
    metavar="MODULE",
    multiple=True,
    help="Module or package that the model needs. Can be given several times.",
)
@click.option("--sample", metavar="PATH", help="CSV or Parquet file with a few rows of the training data.")
@part_options(CSV, STORAGE)
@click.option(
    "--missing",
    metavar="COLUMN=VALUE",
    multiple=True,
    help="Missing value of a column in training: COLUMN=NaN, COLUMN=None, or COLUMN=NA.",
)
@click.option(
    "--method",
    type=click.Choice(get_args(Method)),
    help="Method that `score` calls by default. Defaults to predict if the model has it.",
)
@click.option("--meta", metavar="KEY=VALUE", multiple=True, help="Metadata to store in the bundle: KEY=VALUE.")
@click.option(
    "--flavour",
    metavar="[joblib|skops]",
    default="joblib",
    show_default=True,
    help="Format of the artifact: joblib or skops.",
)
@_TRUSTED_TYPE.add_to
@click.option(
    "--input-columns",
    metavar="COLUMNS",
    multiple=True,
    help="Columns that the model reads, if they cannot be detected: a,b.",
)
@click.option("--trained-on", metavar="DESCRIPTION", help="Description of the training data, stored in the bundle.")
@click.option("--allow-batch-dependent", is_flag=True, help="Pack the model even if its results depend on the batch.")
@click.option(
    "--measure-batch", is_flag=True, help="Measure how many rows in one call are fastest, and use that by default."
)
@click.option("--json", "as_json", is_flag=True, help="Print the bundle as JSON.")
def pack_command(model: str, output: str, as_json: bool, **flags: Any) -> None:
    """Pack the fitted estimator in the file MODEL (.joblib, .pkl or .skops) as a bundle.

    Packing tests two things before it writes the bundle. First, input files give the model what it was trained on:
    the rows of the sample, written as CSV and as Parquet and read by the code that scores, must score as the sample
    does in memory, bit for bit. A value that no format carries is an error that names the column; one that only one
    format carries is a warning, and an error of `plan` for input of the other format. Second, the bundle is complete:
    a clean process loads it and scores the sample whole, in other batches, in another order, and twice.

    The flags of CSV say how a CSV sample is read, and how CSV input is written. Types are those that the encoders of
    the model learned, else inferred; --dtypes gives them. Give the same flags, --dtypes apart, to `score`.

    \b
    Examples:
      scoremill model pack model.joblib --output s3://models/tips/1 --sample sample.csv --code features.py
      scoremill model pack model.joblib --output bundle/ --sample sample.csv --dtypes zip=string
    """
    from scoremill.bundle import PackWarning, pack

    with warnings.catch_warnings():
        # `show` prints them.
        warnings.simplefilter("ignore", PackWarning)
        bundle = pack(
            model,
            output,
            sample=flags["sample"],
            csv=csv_from(flags),
            missing=cast(Any, _MISSING(flags["missing"])),
            method=flags["method"],
            code=flags["code"],
            meta=_META(flags["meta"]),
            format=flags["flavour"],
            columns=names(flags["input_columns"]) or None,
            trained_on=flags["trained_on"],
            allow_batch_dependent=flags["allow_batch_dependent"],
            measure_batch=flags["measure_batch"],
            command=shlex.join(["scoremill", *sys.argv[1:]]),
            storage=storage_from(flags),
            trusted_types=names(flags["trusted_type"]),
        )
    show(bundle, as_json)


@model_group.command("inspect")
@click.argument("bundle")
@part_options(STORAGE)
@click.option("--json", "as_json", is_flag=True, help="Print the bundle as JSON.")
def inspect_command(bundle: str, as_json: bool, **flags: Any) -> None:
    """Show the contents of BUNDLE without unpickling anything.

    \b
    Example:
      scoremill model inspect s3://models/tips/1
    """
    from scoremill.bundle import inspect

    show(inspect(bundle, storage_from(flags)), as_json)


@model_group.command("verify")
@click.argument("bundle")
@part_options(STORAGE)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify_command(bundle: str, as_json: bool, **flags: Any) -> None:
    """Verify every file of BUNDLE against its digest. Exits with 7 if one is missing or altered.

    \b
    Example:
      scoremill model verify s3://models/tips/1
    """
    from scoremill.bundle import verify_bundle

    proven = verify_bundle(bundle, storage_from(flags))
    if as_json:
        print_document(bundle=bundle, verified=True, digest=proven.digest)
        return
    echo(f"{bundle}: unaltered, {proven.digest}")


@model_group.command("profile", cls=Sectioned)
@click.argument("bundle")
@part_options("spec.model.", "spec.input.", STORAGE, but=("--model",))
@click.option(
    "--rows",
    type=click.IntRange(1),
    metavar="N",
    default=BATCH_ROWS,
    show_default=True,
    help="Rows in the largest call.",
)
@click.option(
    "--rounds", type=click.IntRange(1), metavar="N", default=5, show_default=True, help="Measured calls of the model."
)
@click.option("--json", "as_json", is_flag=True, help="Print the profile as JSON.")
def profile_command(bundle: str, rows: int, rounds: int, as_json: bool, **flags: Any) -> None:
    """Show where the model in BUNDLE spends its time, on the first rows of an input.

    Each step is measured as it was fitted, and run once for each distinct value if packing has proven that. The
    seconds of a step include those of the steps inside it.

    \b
    Example:
      scoremill model profile bundle/ --input 'trips/*.csv'
    """
    job = job_from(None, flags, writes=False, under={"spec": {"model": {"uri": bundle}}})
    from scoremill.execute.profile import profile

    found = profile(job, rows, rounds)
    if as_json:
        print_document(**plain(found) | {"bundle": found.bundle.uri, "digest": found.bundle.digest})
        return
    show_profile(found)


_LABELS = {"when": "packed at", "command": "packed by", "data": "data", "meta": "metadata"}


def _type(column: Any) -> str:
    """A column's dtype with what else is known of it."""
    known = [
        f"{len(column.categories)} categories" if column.categories else "",
        f"of {column.values}" if column.values else "",
        f"missing values are {column.missing}" if column.missing else "",
        f"text includes {', '.join(map(quoted, column.texts))}" if column.texts else "",
    ]
    details = ", ".join(filter(None, known))
    return f"{column.dtype} ({details})" if details else str(column.dtype)


_MANY = 12
"""Result columns named in a line."""


def show(bundle: Any, as_json: bool) -> None:
    """Prints a bundle for people or programs."""
    if as_json:
        print_document(**plain(bundle))
        return
    lines = {
        "bundle": bundle.uri,
        "digest": bundle.digest,
        "model": f"{bundle.model_class}, {format_bytes(sum(bundle.sizes.values()))}, {bundle.format}",
        "method": f"{bundle.method} (has {', '.join(bundle.results)})",
        "classes": ", ".join(map(str, bundle.classes)) if bundle.classes else None,
        "batch rows": f"{bundle.batch_rows:,} (measured)" if bundle.batch_rows else None,
        "versions": ", ".join(f"{name} {version}" for name, version in bundle.versions.items()),
        "code": ", ".join(bundle.code) or None,
        "by value": ", ".join(bundle.by_value) or None,
        "types": f"{', '.join(bundle.types)} (need spec.model.trustedTypes)" if bundle.types else None,
        "warning": "a row's result depends on the rows scored with it" if bundle.batch_dependent else None,
        **{_LABELS.get(key, key): str(value) for key, value in bundle.trained.items() if value},
    }
    for key, value in lines.items():
        if value:
            echo(f"{printable(key, ''):<10}  {printable(value, '')}")
    echo("columns")
    for column in bundle.columns:
        echo(printable(f"  {column.name}: {_type(column)}", ""))
    echo("results")
    for method, columns in bundle.results.items():
        shown = ", ".join(column.name for column in columns[:_MANY])
        echo(f"  {method}: {shown}{f', … ({len(columns)} columns)' * (len(columns) > _MANY)}")
    if bundle.steps:
        echo("steps, run once for each distinct row of a batch")
        for name, reason in bundle.steps.items():
            echo(printable(f"  {name}: {f'no, {reason}' if reason else 'yes'}", ""))
    if bundle.gaps:
        echo("not carried by one input format")
        for gap in bundle.gaps:
            echo(f"  {gap.message}")
    if bundle.others:
        echo(f"not read by the model, but known to --keep: {', '.join(column.name for column in bundle.others)}")
    for warning in bundle.warnings:
        echo(f"warning: {warning}", err=True)
