"""A job from Python, without a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from .base import Spec
from .job import ScoringJob
from .load import parse_job

Fields = Mapping[str, Any] | Spec
Location = str | os.PathLike[str]


def job(
    *,
    model: Location | Fields,
    input: Location | Iterable[Location] | Fields,
    output: Location | Fields,
    keep: Iterable[str] | None = None,
    name: str | None = None,
    **spec: Any,
) -> ScoringJob:
    """Return the job that the same fields in a job file would be.

    Parameters
    ----------
    model : str, path, or mapping
        URI of the bundle, or `spec.model` as a mapping.
    input : str, path, iterable of these, or mapping
        URIs or patterns of the input objects, or `spec.input` as a mapping.
    output : str, path, or mapping
        Folder or prefix to write to, or `spec.output` as a mapping.
    keep : iterable of str, optional
        Input columns to carry to the output; `["*"]` is all of them. Replaces `output["keep"]`.
    name : str, optional
        Name of the job. Without one, each `scoremill.submit` of the job makes a new name and so a new ScoringJob.
    **spec
        Other fields of the spec, such as `errors={"maxFraction": 0.1}`; fields are named as in a job file.

    Returns
    -------
    ScoringJob

    Raises
    ------
    UsageError
        If a field is unknown or has a wrong value; every wrong field is named.

    Examples
    --------
    >>> import scoremill
    >>> job = scoremill.job(model="bundle/", input="trips/*.csv", output="scores/", keep=["vendor"])
    >>> job.spec.output.keep
    ('vendor',)

    """
    fields: dict[str, Any] = {
        "model": _part(model, "uri"),
        "input": _part(input if isinstance(input, Mapping | Spec) else _uris(input), "uris"),
        "output": _part(output, "uri"),
        **{field: _part(value, field) if isinstance(value, Spec) else value for field, value in spec.items()},
    }
    if keep is not None:
        fields["output"]["keep"] = [keep] if isinstance(keep, str) else [*keep]
    metadata = {} if name is None else {"metadata": {"name": name}}
    return parse_job({"spec": fields, **metadata}, source="scoremill.job")


def _part(given: Any, field: str) -> dict[str, Any]:
    """Return a part of the spec: `given` if it is a mapping, else its `field`. What is wrong is found by `parse_job`."""
    if isinstance(given, Spec):
        return given.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dict(given) if isinstance(given, Mapping) else {field: _text(given)}


def _uris(given: Any) -> list[Any]:
    is_one = isinstance(given, str | os.PathLike) or not isinstance(given, Iterable)
    return [_text(each) for each in ([given] if is_one else given)]


def _text(given: Any) -> Any:
    return os.fspath(given) if isinstance(given, os.PathLike) else given
