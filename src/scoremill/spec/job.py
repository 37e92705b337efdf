"""The job: given by flags, in a file, or as a custom resource."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from scoremill.naming import is_kubernetes_name

from .base import Spec
from .cluster import Cleanup, Cluster, Credentials, Deadlines, Retry
from .input import Input
from .model import Model
from .output import Errors, Output
from .storage import Storage

API_VERSION = "scoremill.dev/v1alpha1"


class Metadata(Spec):
    """Kubernetes object metadata. Fields not listed here are accepted and ignored."""

    model_config = {**Spec.model_config, "extra": "allow"}

    name: Annotated[str, Field(max_length=253)] = "scoring"
    """Name of the job: lower-case letters, digits, `-`, and `.`."""
    namespace: str | None = None
    """Kubernetes namespace of the job."""
    labels: dict[str, str] = {}
    """Kubernetes labels of the job."""
    annotations: dict[str, str] = {}
    """Kubernetes annotations of the job."""

    @field_validator("name")
    @classmethod
    def _is_kubernetes_name(cls, name: str) -> str:
        if not is_kubernetes_name(name):
            raise ValueError(
                "must be lower-case letters, digits, '-' and '.', and begin and end with a letter or digit"
            )
        return name


class JobSpec(Spec):
    """Specification of a job."""

    model: Model
    """The model to score with."""
    input: Input
    """The objects to score."""
    output: Output
    """Where and how to write the predictions."""
    errors: Errors = Errors()
    """How to handle rows and objects that cannot be scored."""
    storage: Storage = Storage()
    """Settings of the object store. `model`, `input`, and `output` can override it."""
    cluster: Cluster = Cluster()
    """The Dask cluster to run on."""
    persist: bool = False
    """Load the input into the memory of the cluster before scoring."""
    credentials: Credentials = Credentials()
    """Storage credentials on Kubernetes."""
    retry: Retry = Retry()
    """How many times to retry after failures."""
    deadlines: Deadlines = Deadlines()
    """Time limits of the run."""
    cleanup: Cleanup = Cleanup()
    """What to keep after the job has finished."""
    suspend: bool = False
    """Suspend the job: its driver and cluster are deleted, and completed partitions are kept."""
    managed_by: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Controller that runs the job on Kubernetes. Defaults to the operator of scoremill, `scoremill.dev/operator`."""

    @property
    def model_storage(self) -> Storage:
        return self.model.storage or self.storage

    @property
    def input_storage(self) -> Storage:
        return self.input.storage or self.storage

    @property
    def output_storage(self) -> Storage:
        return self.output.storage or self.storage


class ScoringJob(Spec):
    """A job that scores objects with a model, as a YAML file or a custom resource."""

    api_version: Literal["scoremill.dev/v1alpha1"] = "scoremill.dev/v1alpha1"
    """API version of this format."""
    kind: Literal["ScoringJob"] = "ScoringJob"
    """Always `ScoringJob`."""
    metadata: Metadata = Metadata()
    """Kubernetes object metadata."""
    spec: JobSpec
    """Specification of the job."""
    status: dict[str, Any] | None = Field(default=None, exclude=True)
    """Status of the job, written by the operator. Ignored in files."""
