"""A commented job file for a model and its input, with what can be detected filled in."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from .spec import ScoringJob, parse_job, read_yaml
from .units import MIB, exact_size, printable

if TYPE_CHECKING:
    from .bundle import Bundle
    from .execute.coordinator.prepare import Prepared
    from .planning import Plan
    from .spec import Csv, JobSpec

_MANY = 20
"""Columns named in a comment."""
_SPREAD = 16
"""Partitions that a small input is split into, so that several workers share it."""
_SOUGHT = 3
"""Input files whose dialect is detected."""
_SECTIONS = {
    "model": "The model bundle.",
    "input": "The objects to score: paths, URIs, or globs of CSV or Parquet files.",
    "output": "Where the predictions are written. Running the job again resumes an interrupted run.",
    "errors": "Rejected rows are written to _errors/ with their reasons. The run fails if more than this fraction is rejected.",
    "storage": "How the object store is reached.",
}
"""Comment of each section."""
_CLUSTER = """\
  # The workers. By default, a local run starts one for each core.
  # cluster:
  #   workers: 4
  #   memory: 4GiB
"""


@dataclass(frozen=True)
class Draft:
    """A job file that was planned without an error.

    Attributes
    ----------
    text : str
        The job file, as YAML with comments.
    job : ScoringJob
        The job in it.
    plan : Plan
        Its plan; `plan.problems` has the warnings.
    dialect : str
        Flags of the CSV dialect that was detected; empty if the default, or that of the given job, fits.

    """

    text: str
    job: ScoringJob
    plan: Plan
    dialect: str


def draft_job(job: ScoringJob) -> Draft:
    """Return a commented job file for `job`, with the CSV dialect and a partition size filled in.

    Nothing is written. The file has the columns that the model reads, and those that the output could keep, as
    comments.

    Parameters
    ----------
    job : ScoringJob
        From `scoremill.job`; model, input and output are enough.

    Returns
    -------
    Draft
        `text` is the content of the job file.

    Raises
    ------
    ScoremillError
        What `scoremill.plan` raises, and one error with all errors of the plan.

    Examples
    --------
    >>> job = scoremill.job(model="bundle/", input="trips/*.csv", output="scores/")  # doctest: +SKIP
    >>> Path("job.yaml").write_text(scoremill.draft_job(job).text)  # doctest: +SKIP

    """
    from .discovery.dialect.fields import fields_between
    from .execute.coordinator.prepare import refuse_problems

    csv = _detected(job)
    given = job.spec.input.csv
    first = _prepared(job, csv)
    text = _text(job, csv, first)
    drafted = parse_job(read_yaml(text), source="the drafted job")
    prepared = _prepared(drafted, drafted.spec.input.csv)
    refuse_problems(prepared.plan)
    return Draft(text, drafted, prepared.plan, fields_between(given, csv))


def _prepared(job: ScoringJob, csv: Csv) -> Prepared:
    from .execute.coordinator.prepare import prepare

    read = job.spec.input.model_copy(update={"csv": csv})
    return prepare(job.model_copy(update={"spec": job.spec.model_copy(update={"input": read})}))


def _detected(job: ScoringJob) -> Csv:
    """Return the dialect in which the first CSV file with a problem can be read, or that of the job."""
    from .bundle import open_bundle
    from .discovery import discover
    from .discovery.asked import Asked, Wanted
    from .discovery.dialect.readable import readable_dialect
    from .discovery.discover import chosen
    from .discovery.sample import take_sample
    from .execute.coordinator.prepare import absolute_spec
    from .tabular.rename import Renaming

    spec = absolute_spec(job.spec)
    bundle = open_bundle(spec.model, spec.model_storage)
    given, storage, csv = spec.input, spec.input_storage, spec.input.csv
    renaming = Renaming(tuple(given.rename.items()), given.match_columns == "Relaxed")
    wanted = Wanted(bundle.columns, Asked(spec.output.keep, (), renaming), 1.0)
    files = (source for source in discover(given, storage).sources if source.size and source.format == "csv")
    for source in chosen(files)[:_SOUGHT]:
        sample = take_sample(source, storage, csv, given.hive, wanted)
        if found := readable_dialect(sample, csv, given.hive, wanted):
            return found
    return csv


def _text(job: ScoringJob, csv: Csv, prepared: Prepared) -> str:
    fields = job.model_dump(mode="json", by_alias=True, exclude_unset=True)
    head = {"apiVersion": job.api_version, "kind": job.kind, "metadata": {"name": job.metadata.name}}
    head["metadata"] |= fields.get("metadata", {})
    sections = _sections(fields["spec"], job.spec, csv, prepared.plan)
    comments = _comments(job.spec, csv, prepared)
    return "".join(
        [
            "# `scoremill score FILE` runs this job. `scoremill schema` prints all fields; flags override them.\n",
            _yaml(head),
            "spec:\n",
            *(_section(name, part, comments.get(name, ())) for name, part in sections.items()),
            *([] if "cluster" in sections else [_CLUSTER]),
        ]
    )


def _sections(given: dict[str, Any], spec: JobSpec, csv: Csv, plan: Plan) -> dict[str, Any]:
    """Return the parts of the spec: those that are given, with what was detected."""
    sections = {**given, "errors": {"maxFraction": spec.errors.max_fraction} | given.get("errors", {})}
    read = {**given["input"]}
    read["partitionBytes"] = exact_size(_partition_bytes(spec, plan))
    if dialect := csv.model_dump(mode="json", by_alias=True, exclude_defaults=True):
        read["csv"] = dialect
    sections["input"] = read
    return sections


def _partition_bytes(spec: JobSpec, plan: Plan) -> int:
    """Return the partition size that is given, or one that gives a small input several partitions."""
    size = spec.input.partition_bytes
    if "partition_bytes" in spec.input.model_fields_set:
        return size
    while size > MIB and plan.bytes < _SPREAD * size:
        size //= 2
    return size


def _comments(spec: JobSpec, csv: Csv, prepared: Prepared) -> dict[str, list[str]]:
    """Return the lines of comment that end a section."""
    bundle = prepared.bundle
    found = {"model": [f"Columns that the model reads: {_columns(bundle)}"]}
    if spec.model.method is None:
        methods = f"Method to call, one of {', '.join(bundle.results)}:"
        found["model"] += [methods, f"method: {bundle.method}"]
    if csv != spec.input.csv:
        found["input"] = ["The dialect was detected from the beginning of a file. Check it."]
    if (others := _not_read(bundle, prepared.plan)) and not spec.output.keep:
        found["output"] = ["Columns of the input to copy to the output:", f"keep: {_flow(others)}"]
    return found


def _not_read(bundle: Bundle, plan: Plan) -> list[str]:
    from .planning import match_columns

    return list(match_columns(plan, [column.name for column in bundle.columns]).surplus)


def _columns(bundle: Bundle) -> str:
    named = {column.name: column.dtype for column in bundle.columns[:_MANY]}
    more = len(bundle.columns) - len(named)
    return f"{_flow(named)}{f' and {more:,} more' if more else ''}"


def _section(name: str, part: Any, comments: Iterable[str]) -> str:
    lines = [f"  # {_SECTIONS[name]}\n"] if name in _SECTIONS else []
    return "".join([*lines, textwrap.indent(_yaml({name: part}), "  "), *_commented(comments)])


def _commented(lines: Iterable[str]) -> Iterator[str]:
    # Names come from files and bundles: a line break in one must not end the comment.
    return (f"    # {printable(line, kept='')}\n" for line in lines)


def _yaml(value: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
    return text


def _flow(value: Any) -> str:
    """Return a list or a mapping of texts on one line, whatever characters they have."""
    shape: dict[str, Any] = {"default_flow_style": True, "sort_keys": False, "width": float("inf")}
    text: str = yaml.safe_dump(value, allow_unicode=True, **shape).strip()
    return text if text.isprintable() else yaml.safe_dump(value, default_style='"', **shape).strip()
