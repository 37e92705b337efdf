"""Prepare a job before a worker starts: open the bundle, build the plan, check that they fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from scoremill.bundle import Bundle, open_bundle
from scoremill.discovery import Problem
from scoremill.errors import HINT, FitError, UsageError
from scoremill.planning import Needs, Plan, Survey, build_plan
from scoremill.spec import Column, Input, JobSpec, Model, Output, ScoringJob, Storage
from scoremill.spec.model import BATCH_ROWS
from scoremill.storage.uri import absolute
from scoremill.tabular.where import RowFilter
from scoremill.units import quoted
from scoremill.worker.results import Shape, result_columns
from scoremill.worker.work import ModelReference, Work

from .earlier import earlier_of

Part = TypeVar("Part", Model, Input, Output)


@dataclass(frozen=True)
class Prepared:
    """A job, its bundle, and the plan computed from both."""

    job: JobSpec
    bundle: Bundle
    plan: Plan

    @property
    def parity_rows(self) -> int:
        """Number of rows to score with the original model as well; 0 if no step of the model is accelerated."""
        model = self.job.model
        return 0 if model.accelerate == "Off" or all(self.bundle.steps.values()) else model.parity_rows

    def work(self, plan: Plan) -> Work:
        """Return the settings for the tasks of `plan`, which is this plan or its continuation."""
        spec = self.job
        return Work(
            settings=plan.settings,
            settings_hash=plan.settings_hash,
            model=ModelReference(
                self.bundle.uri,
                self.bundle.digest,
                spec.model_storage,
                spec.model.allow_version_skew,
                spec.model.trusted_types,
                accelerate=spec.model.accelerate == "Auto",
            ),
            output_uri=spec.output.uri,
            input_storage=spec.input_storage,
            output_storage=spec.output_storage,
            fail_on_row_error=spec.errors.on_row_error == "Fail",
            rejects_objects=spec.errors.on_file_error == "Reject",
            max_rejects=spec.errors.limit.most(plan.most_rows),
        )


def prepare(job: ScoringJob, survey: Survey | None = None, *, bundle: Bundle | None = None) -> Prepared:
    """Return the bundle and the plan of `job`; the plan lists its problems.

    `survey` and `bundle` are those of the job, if they are known already.

    Raises UsageError for a missing method or column or an untrusted bundle, SkewError for other versions.
    """
    spec = absolute_spec(job.spec)
    bundle = bundle or open_bundle(spec.model, spec.model_storage)
    method = spec.model.method or bundle.method
    results = _results(bundle, method, spec)
    needs = Needs(bundle.digest, method, bundle.columns, bundle.gaps, bundle.batch_rows or BATCH_ROWS)
    shape = Shape(tuple(spec.output.columns.items()), spec.output.threshold, spec.output.dtype)
    names = [column.name for _, column in result_columns(shape, results)]
    plan = build_plan(spec, needs, names, survey, None if survey else earlier_of(spec))
    if plan.settings.where is not None and not plan.errors:
        RowFilter(plan.settings.where, plan.settings.where_columns, plan.settings.csv).check()
    _refuse_folders(spec.output.partition_by, [*(column.name for column in plan.settings.keep), *names])
    return Prepared(spec, bundle, plan)


def _refuse_folders(folders: tuple[str, ...], columns: list[str]) -> None:
    """Raise UsageError if a folder is not a column of the output, or if every column is a folder."""
    for name in folders:
        if name not in columns:
            raise UsageError(
                f"`spec.output.partitionBy` names {quoted(name)}, which is not a column of the output",
                f"The columns are: {', '.join(columns)}.",
                code="InvalidPartitionBy",
            )
        if name.startswith(("_", ".")):
            raise UsageError(
                f"`spec.output.partitionBy`: {name}: readers skip folders whose names start with {quoted(name[0])}",
                "Choose another column.",
                code="InvalidPartitionBy",
            )
    if folders and set(columns) <= set(folders):
        raise UsageError(
            "`spec.output.partitionBy` leaves no column in the parts",
            "Add a column with `spec.output.keep`, or name fewer columns in `spec.output.partitionBy`.",
            code="InvalidPartitionBy",
        )


def absolute_spec(spec: JobSpec) -> JobSpec:
    """Return `spec` with absolute local paths, which are valid in every process."""
    model, source, output = spec.model, spec.input, spec.output
    return spec.model_copy(
        update={
            "model": _at(model, model.storage, uri=absolute(model.uri)),
            "input": _at(
                source,
                source.storage,
                uris=tuple(map(absolute, source.uris)),
                not_scored_by=tuple(one.model_copy(update={"uri": absolute(one.uri)}) for one in source.not_scored_by),
            ),
            "output": _at(output, output.storage, uri=absolute(output.uri)),
            "storage": _absolute_files(spec.storage),
        }
    )


def _at(part: Part, storage: Storage | None, **places: Any) -> Part:
    return part.model_copy(update={**places, "storage": storage and _absolute_files(storage)})


def _absolute_files(storage: Storage) -> Storage:
    files = {"ca_bundle": storage.ca_bundle, "options_file": storage.options_file}
    return storage.model_copy(update={name: absolute(path) for name, path in files.items() if path})


def refuse_problems(plan: Plan, more: Iterable[Problem] = ()) -> None:
    """Raise one error that lists every error of the plan and of `more`, if there are any.

    Its class is that of the problem with the lowest exit code, which a retry is least likely to solve.
    """
    refuse([*plan.errors, *more])


def refuse(problems: Iterable[Problem]) -> None:
    """Raise one error that lists all `problems` except warnings, if there are any."""
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        worst = min(errors, key=lambda problem: problem.error.exit_code)
        listed = "\n".join(_lines(errors))
        message, _, hint = listed.rpartition(f"\n{HINT}") if errors[-1].hint else (listed, "", None)
        raise worst.error(message, hint, worst.code)


def _lines(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield each problem, then its hint; problems in a row with the same hint share it."""
    for hint, alike in groupby(problems, key=lambda problem: problem.hint):
        yield from (problem.text for problem in alike)
        if hint:
            yield f"{HINT}{hint}"


def _results(bundle: Bundle, method: str, spec: JobSpec) -> tuple[Column, ...]:
    if method not in bundle.results:
        raise FitError(
            f"the model ({bundle.model_class}) has no method {quoted(method)}",
            f"Choose one of: {', '.join(bundle.results)}.",
            code="MethodMissing",
        )
    if spec.output.threshold is not None and (
        method != "predict" or len(bundle.results.get("predict_proba", ())) != 2 or len(bundle.classes or ()) != 2
    ):
        raise UsageError("`spec.output.threshold` needs `predict` of a classifier with two classes and probabilities")
    return bundle.results[method]
