"""From a job and what its model needs to a plan with every problem that can be known beforehand."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pyarrow as pa

from scoremill.discovery.asked import Asked, Wanted
from scoremill.discovery.compressed import with_compression
from scoremill.discovery.dialect.readable import with_suggestions
from scoremill.discovery.discover import THREADS, Excluded, chosen, discover
from scoremill.discovery.earlier import Earlier
from scoremill.discovery.problem import Problem
from scoremill.discovery.renames import matched, rename_problems
from scoremill.discovery.sample import Sample, take_sample
from scoremill.discovery.source import Source
from scoremill.errors import UsageError
from scoremill.naming import LEDGER
from scoremill.spec import Column, Csv, JobSpec, KeptColumn, RowCondition
from scoremill.spec.mention import mention
from scoremill.tabular.convert import arrow_dtypes, infer_dtypes
from scoremill.tabular.rename import Renaming
from scoremill.units import quoted

from .gaps import gap_problems
from .keep import kept_columns, kept_names, kinds_of, problems_of_format
from .partition import group_sources
from .plan import Plan
from .settings import Needs, Settings

ROW_ID = ("source", "position")
"""Columns that `rowId` writes: the object, and the byte offset (CSV) or row number (Parquet) in it."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of an input before it is read: its objects, and what the beginnings of some of them show."""

    sources: tuple[Source, ...]
    parquet_rows: int
    row_bytes: float
    headers: dict[str, tuple[str, ...]]
    renamed: dict[str, str]
    types: dict[str, str]
    """Types of the columns that a condition compares: from Parquet, or detected in text"""
    kinds: dict[str, pa.DataType]
    """Arrow types of kept columns of Parquet."""
    excluded: Excluded = field(default_factory=Excluded)
    earlier: Earlier | None = None
    """Objects that the outputs of `notScoredBy` have scored; None if the job names none."""


def build_plan(
    job: JobSpec,
    needs: Needs,
    results: Sequence[str],
    survey: Survey | None = None,
    earlier: Earlier | None = None,
) -> Plan:
    """The plan of `job`; its problems are in it, for the caller to show or to refuse.

    `results` are the names of the columns that the predictions will have. With a `survey` of the input, made by an
    earlier job, nothing is read. Objects that `earlier` holds are left out. UsageError where names collide.
    """
    problems: tuple[Problem, ...] = ()
    if survey is None:
        survey, problems = take_survey(job, needs, earlier=earlier)
    problems += tuple(gap_problems(needs.gaps, survey.sources, job.input.csv))
    _refuse_own_output(survey.sources, job.output.uri)
    keep = _keep(job, survey, results)
    problems += tuple(problems_of_format(job, keep))
    where = _typed(RowCondition(job.input.where).columns, job, needs, survey) if job.input.where else ()
    settings = Settings.of(job, needs, keep, where)
    groups = group_sources(list(survey.sources), settings.partition_bytes)
    return Plan(
        settings,
        tuple(groups),
        problems,
        row_bytes=survey.row_bytes,
        parquet_rows=survey.parquet_rows,
        headers=survey.headers,
        renamed=survey.renamed,
        excluded=survey.excluded,
        earlier=survey.earlier,
    )


def take_survey(
    job: JobSpec, needs: Needs, typed: Sequence[str] = (), earlier: Earlier | None = None
) -> tuple[Survey, tuple[Problem, ...]]:
    """What can be known of the job's input, and what is wrong with it; the types of `typed` columns too."""
    listing = discover(job.input, job.input_storage, earlier, rejects_objects=_rejects_objects(job))
    _refuse_own_output(listing.sources, job.output.uri)
    samples = _samples(listing.sources, job, _wanted(job, needs))
    sizes = [sample.row_bytes for sample in samples if sample.row_bytes]
    headers = {sample.source.uri: sample.names for sample in samples if sample.names is not None}
    compared = [*(RowCondition(job.input.where).columns if job.input.where else ()), *typed]
    types = _found_types(samples, list(dict.fromkeys(compared)), job.input.csv)
    kept = [name for name in kept_names(job, headers) if name not in job.input.csv.dtypes]
    kinds, conflicts = kinds_of(samples, [*kept, *typed])
    row_bytes = statistics.fmean(sizes) if sizes else 0.0
    sources = with_compression(
        listing.sources, (sample.source for sample in samples), job.input_storage, job.input.partition_bytes
    )
    changes = {old: new for sample in samples for old, new in sample.changes.items()}
    problems = (
        *listing.problems,
        *_problems(job, samples),
        *(conflicts[name] for name in kept if name in conflicts),
        *rename_problems(job.input.rename, samples, listing.sources),
    )
    survey = Survey(sources, listing.parquet_rows, row_bytes, headers, changes, types, kinds, listing.excluded, earlier)
    return survey, problems


def _refuse_own_output(sources: tuple[Source, ...], output: str) -> None:
    """Raise UsageError if the next run would read predictions as input."""
    own, ledger = f"{output.rstrip('/')}/", f"{output.rstrip('/')}/{LEDGER}/"
    inside = next((s.uri for s in sources if s.uri.startswith(own) and not s.uri.startswith(ledger)), None)
    if inside:
        raise UsageError(
            f"the input holds an object of the output: {inside}",
            "Write to a folder or prefix that `spec.input.uris` does not include, or give narrower `spec.input.uris`.",
            code="OutputOverlapsInput",
        )


def _wanted(job: JobSpec, needs: Needs) -> Wanted:
    allowed = 1.0 if job.errors.max_fraction is None else job.errors.max_fraction
    where = RowCondition(job.input.where).columns if job.input.where else ()
    renaming = Renaming(tuple(job.input.rename.items()), job.input.match_columns == "Relaxed")
    return Wanted(needs.columns, Asked(job.output.keep, where, renaming), allowed)


def _samples(sources: tuple[Source, ...], job: JobSpec, wanted: Wanted) -> list[Sample]:
    csv, hive = job.input.csv, job.input.hive
    with ThreadPoolExecutor(THREADS) as pool:
        samples = list(
            pool.map(
                lambda source: take_sample(source, job.input_storage, csv, hive, wanted),
                chosen(source for source in sources if source.size),
            )
        )
    kept = kept_names(job, {sample.source.uri: sample.names or () for sample in samples})
    matching = (matched(sample, wanted.asked, wanted.columns, kept) for sample in samples)
    return with_suggestions(list(matching), csv, hive, wanted)


def _problems(job: JobSpec, samples: list[Sample]) -> Iterator[Problem]:
    """Yield the problems of the samples; a problem of many files is reported once."""
    found = [
        *(problem for sample in _judged(job, samples) for problem in sample.problems),
        *_not_everywhere(job, samples),
    ]
    seen = Counter((problem.severity, problem.about or problem.message) for problem in found)
    for problem in found:
        count = seen.pop((problem.severity, problem.about or problem.message), 0)
        if count > 1:
            yield replace(problem, where=f"{problem.where} and {count - 1} more")
        elif count:
            yield problem
    unused = [name for name in job.input.csv.dtypes if samples and not any(name in (s.names or ()) for s in samples)]
    for name in unused:
        yield Problem("warning", "`spec.input.csv.dtypes`", f"no file has a column {quoted(name)}")
    for name in job.input.csv.date_formats:
        if samples and not any(name in (sample.names or ()) for sample in samples):
            yield Problem("warning", "`spec.input.csv.dateFormats`", f"no file has a column {quoted(name)}")


def _rejects_objects(job: JobSpec) -> bool:
    return job.errors.on_file_error == "Reject"


def _judged(job: JobSpec, samples: list[Sample]) -> list[Sample]:
    """Return the samples; problems of unreadable ones are warnings if the job rejects objects and one can be read."""
    if not _rejects_objects(job) or all(sample.is_unreadable for sample in samples):
        return samples
    return [
        replace(sample, problems=tuple(replace(problem, severity="warning") for problem in sample.problems))
        if sample.is_unreadable
        else sample
        for sample in samples
    ]


def _not_everywhere(job: JobSpec, samples: list[Sample]) -> Iterator[Problem]:
    """Columns that `*` takes from the first file and that others do not have."""
    if "*" not in job.output.keep:
        return
    names = kept_names(job, {sample.source.uri: sample.names or () for sample in samples})
    for sample in samples:
        missing = [name for name in names if sample.names and name not in sample.names]
        if missing and not sample.problems:
            listed = ", ".join(map(quoted, missing))
            yield Problem(
                "error",
                sample.source.uri,
                f"{mention('spec.output.keep', ['*'])} takes the columns of the first file, and this one does not have {listed}",
                "Name the columns to keep, or give `spec.output.drop` for those that are not in every file.",
                code="ColumnMissing",
            )


def _keep(job: JobSpec, survey: Survey, results: Sequence[str]) -> tuple[KeptColumn, ...]:
    names = kept_names(job, survey.headers)
    taken = Counter([*names, *results, *(ROW_ID if job.output.row_id else ())])
    twice = [name for name, count in taken.items() if count > 1]
    if twice:
        raise UsageError(
            f"two columns of the output would be called {quoted(twice[0])}",
            "Leave it out of `spec.output.keep`, or give the result another name with `spec.output.columns`.",
            code="DuplicateOutputColumn",
        )
    return kept_columns(names, job, survey.kinds)


def _typed(names: Sequence[str], job: JobSpec, needs: Needs, survey: Survey) -> tuple[Column, ...]:
    """Columns of a condition with their types: as given, as the model has them, as Parquet has them, inferred."""
    known = {column.name: column for column in needs.columns}
    given, found = job.input.csv.dtypes, survey.types
    return tuple(
        Column(name, given[name]) if name in given else known.get(name, Column(name, found.get(name, "string")))
        for name in names
    )


def _found_types(samples: list[Sample], names: Sequence[str], csv: Csv) -> dict[str, str]:
    """Types of these columns: as Parquet has them, or inferred over the text of all samples and widened."""
    types: dict[str, str] = {}
    texts: dict[str, list[pa.ChunkedArray]] = {}
    for sample in samples:
        for name in names:
            if sample.rows is None or name not in sample.rows.column_names:
                continue
            if sample.source.format == "parquet":
                types.setdefault(name, arrow_dtypes(sample.rows.schema)[name])
            else:
                texts.setdefault(name, []).append(sample.rows[name])
    for name, columns in texts.items():
        table = pa.table(
            {name: pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())}
        )
        types[name] = infer_dtypes(table, csv)[name]
    return types
