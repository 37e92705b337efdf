"""Render Kubernetes manifests as plain dicts; pure."""

from . import names
from .allowed import forbidden_fields
from .cluster import autoscaler, cluster_objects, dask_cluster, image_of
from .driver import child_of, driver_access, driver_job
from .job import job_autoscaler, job_cluster, job_support, workers_of
from .names import labels, selector
from .network import Network
from .pod import refuse_secrets
from .resource import Resource, age, owned_by
from .template import with_site
from .tls import Certificates, issue

__all__ = [
    "Certificates",
    "Network",
    "Resource",
    "age",
    "autoscaler",
    "child_of",
    "cluster_objects",
    "dask_cluster",
    "driver_access",
    "driver_job",
    "forbidden_fields",
    "image_of",
    "issue",
    "job_autoscaler",
    "job_cluster",
    "job_support",
    "labels",
    "names",
    "owned_by",
    "refuse_secrets",
    "selector",
    "with_site",
    "workers_of",
]
