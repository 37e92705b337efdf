"""`scoremill dataset load|list|drop`, and `scoremill score --dataset`: inputs held in a running cluster's memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from scoremill.errors import UsageError
from scoremill.units import format_bytes

from .flags.clusters import check_address, place_options, places_of
from .flags.options import FLAGS, job_from
from .views.display import echo, say
from .views.document import print_document
from .views.logs import verbose_option
from .views.progress import Progress

if TYPE_CHECKING:
    from distributed import Security

    from scoremill.events import Watcher
    from scoremill.execute.datasets.dataset import Dataset
    from scoremill.execute.engines.dask.engine import OnDask
    from scoremill.ledger import Manifest
    from scoremill.spec import Workers

Command = TypeVar("Command", bound=Callable[..., Any])
_INPUT = tuple(
    flag for flag in FLAGS if flag.path.startswith(("spec.input.", "spec.storage.")) and flag.name != "--input"
)


@click.group("dataset")
def dataset_group() -> None:
    """Hold an input in a cluster's memory: read it once, score it with several models in seconds each."""


def _on_a_cluster(command: Command) -> Command:
    command = verbose_option(place_options(command))
    command = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)
    return click.option("--cluster", required=True, metavar="WHERE",
                        help="A cluster of `scoremill cluster up`, or a scheduler's address: tcp://… or tls://…")(command)  # fmt: skip


def _input_options(command: Command) -> Command:
    for flag in reversed(_INPUT):
        command = click.option(flag.name, help=flag.help, **(flag.settings or {}))(command)
    return command


@dataset_group.command("load")
@click.argument("uris", nargs=-1, required=True, metavar="INPUT...")
@click.option("--name", required=True, help="What to call the dataset.")
@click.option("--for", "bundles", multiple=True, metavar="BUNDLE",
              help="Load what this model reads; may be given several times.")  # fmt: skip
@click.option("--columns", "kept", multiple=True, help="Load these columns too: a,b; '*' is all of them.")
@_input_options
@_on_a_cluster
@click.option("--quiet", is_flag=True, help="No progress.")
def load_command(
    uris: tuple[str, ...], name: str, bundles: tuple[str, ...], kept: tuple[str, ...], cluster: str, as_json: bool,
    quiet: bool, **flags: Any,
) -> None:  # fmt: skip
    """Read INPUT, paths, URIs or globs of CSV or Parquet, into the memory of a cluster's workers.

    It stays there until it is dropped or the cluster ends. What a lost worker held is read again.

    \b
    Examples:
      scoremill dataset load 's3://b/2009/*.csv' --name trips --cluster tcp://host:8786 --for s3://models/tips/1
      scoremill dataset load 's3://b/2009/*.csv' --name trips --cluster tcp://host:8786 --columns fare,vendor
    """
    from scoremill.execute.datasets.load import load

    job = job_from(None, {**flags, "model": "unread", "input": uris, "keep": kept}, writes=False)
    with _engine(cluster, flags) as engine, Progress(quiet=quiet) as progress:
        dataset, by_worker = load(name, job.spec, bundles, engine, [progress])
    if as_json:
        print_document(**_fields(dataset), workers=by_worker)
        return
    echo(
        f"{dataset.name}: {dataset.rows:,} rows, {dataset.rejected:,} that cannot be read, "
        f"{format_bytes(dataset.bytes)} in memory"
    )
    for worker, size in by_worker.items():
        echo(f"  {worker}  {format_bytes(size)}")


@dataset_group.command("list")
@_on_a_cluster
def list_command(cluster: str, as_json: bool, **flags: Any) -> None:
    """List what a cluster holds.

    \b
    Example:
      scoremill dataset list --cluster tcp://host:8786
    """
    from scoremill.execute.datasets.dataset import datasets

    with _engine(cluster, flags) as engine:
        found = datasets(engine)
    if as_json:
        print_document(datasets=[_fields(dataset) for dataset in found])
        return
    for dataset in found:
        fields = _fields(dataset)
        echo(f"{dataset.name}  {dataset.rows:,} rows  {format_bytes(dataset.bytes)}  loaded {fields['loaded']}")
        echo(f"  from     {', '.join(dataset.input.uris)}")
        echo(f"  columns  {', '.join(fields['columns'])}")
        if dataset.input.where:
            echo(f"  where    {dataset.input.where}")


@dataset_group.command("drop")
@click.argument("name")
@_on_a_cluster
def drop_command(name: str, cluster: str, as_json: bool, **flags: Any) -> None:
    """Let a cluster forget the dataset NAME; what it was loaded from is left alone.

    \b
    Example:
      scoremill dataset drop trips --cluster tcp://host:8786
    """
    from scoremill.execute.datasets.dataset import drop

    with _engine(cluster, flags) as engine:
        drop(engine, name)
    if as_json:
        print_document(dropped=name)
    else:
        echo(f"dropped {name}")


def score_loaded(
    name: str, cluster: str, job: str | None, flags: dict[str, Any], watchers: list[Watcher], *, wait: bool
) -> Manifest:
    """The manifest of scoring the dataset `name`, whose input the job has where it names none."""
    from scoremill.execute.datasets.dataset import OnDataset, find, score_dataset

    with _engine(cluster, flags) as engine:
        dataset = find(engine, name)
    with _reached(cluster, flags) as (address, security, workers):
        loaded = dataset.input.model_dump(mode="json", by_alias=True, exclude_none=True)
        parsed = job_from(job, flags, under={"spec": {"input": loaded}})
        asked = parsed.spec.cluster.within(workers)
        skewed = parsed.spec.model.allow_version_skew
        over = OnDataset(name, address, asked, parsed.spec.deadlines, security, allow_version_skew=skewed)
        return score_dataset(dataset, parsed, over, watchers, wait=wait)


@contextmanager
def _engine(cluster: str, flags: dict[str, Any]) -> Iterator[OnDask]:
    """A connection to the cluster."""
    from scoremill.execute.engines.dask.engine import OnDask
    from scoremill.spec import Cluster, Deadlines

    check_address(cluster)
    with (
        _reached(cluster, flags) as (address, security, _),
        OnDask(address, Cluster(), Deadlines(), security) as engine,
    ):
        engine.wait(say)
        yield engine


@contextmanager
def _reached(cluster: str, flags: dict[str, Any]) -> Iterator[tuple[str, Security | None, Workers | None]]:
    """The scheduler's address, how to prove who we are, and the workers that may come."""
    from scoremill.kubernetes.objects import names

    if cluster in names.RESERVED:
        raise UsageError(
            "a local cluster ends with the command, and so would a dataset in its memory",
            "Start one that stays: `scoremill cluster up NAME`, or `dask scheduler` and `dask worker`, and give its "
            "name or address (tcp://host:8786).",
        )
    if "://" in cluster:
        yield cluster, None, None
        return
    from scoremill.execute.place import connected
    from scoremill.kubernetes.clusters import named

    with connected(named(cluster, places_of(flags))) as found:
        yield found.address, found.security, found.workers


def _fields(dataset: Dataset) -> dict[str, Any]:
    """What people and programs are told of a dataset."""
    return {
        "name": dataset.name,
        "uris": list(dataset.input.uris),
        "where": dataset.input.where,
        "columns": list(dataset.columns),
        "rows": dataset.rows,
        "rejected": dataset.rejected,
        "partitions": len(dataset.pieces),
        "bytes": dataset.bytes,
        "loaded": datetime.fromtimestamp(dataset.loaded, UTC).isoformat(timespec="seconds"),
    }
