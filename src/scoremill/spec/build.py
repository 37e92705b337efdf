"""A job from Python, without a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .job import ScoringJob
from .load import parse_job

Fields = Mapping[str, Any]


def job(
    *,
    model: str | Fields,
    input: str | Iterable[str] | Fields,
    output: str | Fields,
    keep: Iterable[str] | None = None,
    name: str | None = None,
    **spec: Any,
) -> ScoringJob:
    """Return the job that the same fields in a job file would be.

    Parameters
    ----------
    model : str or mapping
        URI of the bundle, or `spec.model` as a mapping.
    input : str, iterable of str, or mapping
        URIs or patterns of the input objects, or `spec.input` as a mapping.
    output : str or mapping
        Folder or prefix to write to, or `spec.output` as a mapping.
    keep : iterable of str, optional
        Input columns to carry to the output; `["*"]` is all of them.
    name : str, optional
        Name of the job; on Kubernetes, a name is made if none is given.
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
    >>> job = job(model="bundle/", input="trips/*.csv", output="scores/", keep=["vendor"])
    >>> job.spec.output.keep
    ('vendor',)

    """
    fields: dict[str, Any] = {
        "model": {"uri": model} if isinstance(model, str) else dict(model),
        "input": dict(input)
        if isinstance(input, Mapping)
        else {"uris": [input] if isinstance(input, str) else [*input]},
        "output": {"uri": output} if isinstance(output, str) else dict(output),
        **spec,
    }
    if keep is not None:
        fields["output"]["keep"] = [keep] if isinstance(keep, str) else [*keep]
    return parse_job({"spec": fields, **({"metadata": {"name": name}} if name else {})}, source="scoremill.job")
