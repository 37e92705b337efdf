"""The CustomResourceDefinitions, made from the models: what `kubectl apply` takes, shows and explains.

What is chosen and why: docs/design/0008-operator.md, Definitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from scoremill.naming import SCALABLE

from ..cluster import Cluster
from ..job import API_VERSION, JobSpec, ScoringJob
from .schedule import ScheduleSpec, ScheduleStatus, ScoringSchedule
from .status import JobStatus
from .structural import Rules, Schema, structural

GROUP, VERSION = API_VERSION.split("/")

RULES: Mapping[str, Rules] = {
    "Cluster": (
        ("!has(self.workers) || self.workers > 0 || has(self.maxWorkers)", "workers is 0, so maxWorkers is needed"),
        (
            "!has(self.maxWorkers) || (has(self.workers) ? self.workers : 1) <= self.maxWorkers",
            "workers is above maxWorkers",
        ),
    ),
    "Csv": (
        (
            "self.header != (has(self.columns) && size(self.columns) > 0)",
            "columns names the columns of files without a header: give it where header is false, and only there",
        ),
        ("self.delimiter != self.quote", "delimiter and quote are the same character"),
        (
            "!has(self.escape) || !(self.escape in [self.delimiter, self.quote])",
            "escape is the same character as delimiter or quote",
        ),
        (
            "!has(self.comment) || !(self.comment in [self.delimiter, self.quote])",
            "comment is the same character as delimiter or quote",
        ),
        ("!has(self.escapeUnquoted) || !self.escapeUnquoted || has(self.escape)", "escapeUnquoted needs escape"),
    ),
    "Input": (
        (
            "!has(self.since) || self.since != 'LastSuccess'",
            "LastSuccess is for the jobTemplate of a ScoringSchedule; give a time here",
        ),
        (
            "!has(self.since) || !has(self.until) || self.since == 'LastSuccess'"
            " || timestamp(self.since) <= self.until",
            "since is after until",
        ),
    ),
    "Output": (
        (
            "self.csvFormulas == 'Keep' || self.format == 'csv'",
            "csvFormulas: Escape is for CSV output, so format must be csv",
        ),
    ),
    "Storage": (
        (
            "!has(self.endpoint) || !self.endpoint.matches('://([^/?#]*@|.*[?].)')",
            "endpoint is a URL with a user, a password or a query; a job never holds a credential",
        ),
    ),
    "ScheduleSpec": (
        ("!self.schedule.contains('TZ=')", "a schedule holds no time zone; timeZone does"),
        (
            r"self.schedule.matches('^(@[a-z]+|\\s*[^@\\s]\\S*(\\s+\\S+){4}\\s*)$')",
            "a schedule has five fields: minute, hour, day of the month, month, day of the week",
        ),
    ),
}
"""By the name of the model."""


def definitions() -> dict[str, Schema]:
    """The CustomResourceDefinitions by their full names."""
    both = [_definition(ScoringJob, JobSpec, JobStatus), _definition(ScoringSchedule, ScheduleSpec, ScheduleStatus)]
    return {each["metadata"]["name"]: each for each in both}


def _definition(resource: type[BaseModel], spec: type[BaseModel], status: type[BaseModel]) -> Schema:
    kind = resource.__name__
    names = {"kind": kind, "listKind": f"{kind}List", "plural": f"{kind.lower()}s", "singular": kind.lower()}
    root: Schema = {
        "type": "object",
        "description": resource.__doc__,
        "required": ["spec"],
        "properties": {"spec": structural(spec, RULES), "status": structural(status, RULES)},
    }
    subresources: Schema = {"status": {}}
    if kind == "ScoringJob":
        root["x-kubernetes-validations"] = list(_fixed_once_started())
        subresources["scale"] = _SCALE
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": subresources,
        "additionalPrinterColumns": list(_columns(kind)),
        "schema": {"openAPIV3Schema": root},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {**names, "shortNames": [_SHORT_NAMES[kind]], "categories": ["scoremill"]},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


_SCALE = {
    "specReplicasPath": ".spec.cluster.workers",
    "statusReplicasPath": ".status.cluster.workers.ready",
}
_SHORT_NAMES = {"ScoringJob": "smj", "ScoringSchedule": "sms"}
"""`sj` is KEDA's."""

_COLUMNS = {
    "ScoringJob": (
        ("Phase", "string", ".status.phase", 0),
        ("Progress", "string", ".status.progress.summary", 0),
        ("Rows", "integer", ".status.progress.rows.done", 0),
        ("Rejected", "integer", ".status.progress.rows.rejected", 0),
        ("Workers", "integer", ".status.cluster.workers.ready", 0),
        ("Age", "date", ".metadata.creationTimestamp", 0),
        ("Model", "string", ".spec.model.uri", 1),
        ("Output", "string", ".spec.output.uri", 1),
        ("Reason", "string", ".status.failure.reason", 1),
    ),
    "ScoringSchedule": (
        ("Schedule", "string", ".spec.schedule", 0),
        ("Time Zone", "string", ".spec.timeZone", 0),
        ("Suspend", "boolean", ".spec.suspend", 0),
        ("Last Schedule", "date", ".status.lastScheduleTime", 0),
        ("Last Success", "date", ".status.lastSuccessfulTime", 0),
        ("Age", "date", ".metadata.creationTimestamp", 0),
        ("Concurrency", "string", ".spec.concurrencyPolicy", 1),
        ("Next", "string", ".status.nextScheduleTime", 1),
        ("Active", "string", ".status.active[*]", 1),
    ),
}


def _columns(kind: str) -> Iterator[Schema]:
    for name, type_, path, priority in _COLUMNS[kind]:
        yield {"name": name, "type": type_, "jsonPath": path} | ({"priority": priority} if priority else {})


def _fixed_once_started() -> Iterator[Schema]:
    # On the root: a rule on an optional field itself does not see it come or go.
    started = "has(oldSelf.status) && has(oldSelf.status.startTime)"
    for name in _names(JobSpec):
        if name == "managedBy":
            yield {"rule": _same(name), "message": "spec.managedBy cannot be changed"}
        elif name == "cluster":
            for inner in _names(Cluster):
                if inner not in SCALABLE:
                    yield _fixed(started, f"{name}.{inner}", f"has(self.spec.{name}) && has(oldSelf.spec.{name})")
        elif name != "suspend":
            yield _fixed(started, name)


def _names(model: type[BaseModel]) -> Iterator[str]:
    return (field.alias or key for key, field in model.model_fields.items())


def _fixed(started: str, path: str, given: str = "") -> Schema:
    message = f"spec.{path} cannot be changed once the job has started; only spec.suspend and the number of workers can"
    return {"rule": f"!({started}) || ({given and given + ' && '}{_same(path)})", "message": message}


def _same(path: str) -> str:
    here, before = f"self.spec.{path}", f"oldSelf.spec.{path}"
    return f"has({here}) == has({before}) && (!has({here}) || {here} == {before})"
