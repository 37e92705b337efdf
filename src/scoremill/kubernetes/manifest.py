"""Convert a job to a ScoringJob resource."""

from __future__ import annotations

import secrets

from scoremill.errors import UsageError
from scoremill.spec import JobSpec, ScoringJob, parse_job
from scoremill.storage.uri import protocol_of
from scoremill.units import quoted

from .api import Object


def manifest(job: ScoringJob) -> Object:
    """Return the manifest of the ScoringJob, without defaults; it gets a random name if none is given."""
    refuse_unreachable(job.spec)
    fields: Object = job.model_dump(mode="json", by_alias=True, exclude_unset=True)
    metadata = dict(fields.get("metadata", {}))
    if "name" not in metadata:
        metadata["name"] = f"scoring-{secrets.token_hex(3)}"
    return {"apiVersion": job.api_version, "kind": job.kind, "metadata": metadata, "spec": fields["spec"]}


def refuse_unreachable(spec: JobSpec) -> None:
    """Raise UsageError for relative paths, which do not exist in a pod."""
    for what, uri in (
        ("model", spec.model.uri),
        *(("input", uri) for uri in spec.input.uris),
        ("output", spec.output.uri),
    ):
        if protocol_of(uri) == "file" and "://" not in uri and not uri.startswith("/"):
            raise UsageError(
                f"{what}: {quoted(uri)} is a path on this machine, which pods cannot read",
                "Use a URI such as s3://bucket/prefix, or the absolute path of a volume that spec.cluster.template adds "
                "to the pods.",
                code="InvalidUri",
            )


def asks_the_same(one: Object, other: Object) -> bool:
    """Return whether two ScoringJobs have the same spec, ignoring written-out defaults and `suspend`."""
    asked = [parse_job(each).spec.model_copy(update={"suspend": False}) for each in (one, other)]
    return asked[0] == asked[1]
