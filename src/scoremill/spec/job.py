"""The job: what a user asks for, whether by flags, in a file or as a custom resource."""

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
    """Of Kubernetes' object metadata, what scoremill itself reads; the rest is accepted and left alone."""

    model_config = {**Spec.model_config, "extra": "allow"}

    name: Annotated[str, Field(max_length=253)] = "scoring"
    """The job's name: lower-case letters, digits, `-` and `.`."""
    namespace: str | None = None
    """Namespace of the job on Kubernetes."""
    labels: dict[str, str] = {}
    """Labels of the job on Kubernetes."""
    annotations: dict[str, str] = {}
    """Annotations of the job on Kubernetes."""

    @field_validator("name")
    @classmethod
    def _is_kubernetes_name(cls, name: str) -> str:
        if not is_kubernetes_name(name):
            raise ValueError(
                "must be lower-case letters, digits, '-' and '.', and begin and end with a letter or digit"
            )
        return name


class JobSpec(Spec):
    """What to score, with what, to where, and under which limits."""

    model: Model
    """The model."""
    input: Input
    """The data."""
    output: Output
    """The predictions."""
    errors: Errors = Errors()
    """Rows that cannot be scored."""
    storage: Storage = Storage()
    """How stores are reached; model, input and output may each have their own."""
    cluster: Cluster = Cluster()
    """The Dask cluster."""
    persist: bool = False
    """Whether the input is first loaded into the cluster's memory."""
    credentials: Credentials = Credentials()
    """Credentials on Kubernetes."""
    retry: Retry = Retry()
    """Attempts."""
    deadlines: Deadlines = Deadlines()
    """Time limits."""
    cleanup: Cleanup = Cleanup()
    """What is left behind on Kubernetes."""
    suspend: bool = False
    """Whether the job waits, holding nothing."""
    managed_by: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Who runs the job on Kubernetes; scoremill's operator where it is not given or `scoremill.dev/operator`."""

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
    """One request to score objects with a model; a YAML file and a custom resource alike."""

    api_version: Literal["scoremill.dev/v1alpha1"] = "scoremill.dev/v1alpha1"
    """Version of this format."""
    kind: Literal["ScoringJob"] = "ScoringJob"
    """Always `ScoringJob`."""
    metadata: Metadata = Metadata()
    """Name and labels."""
    spec: JobSpec
    """What is asked."""
    status: dict[str, Any] | None = Field(default=None, exclude=True)
    """Written by the operator; ignored in files."""
