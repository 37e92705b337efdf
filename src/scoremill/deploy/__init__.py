"""WHERE it runs: values in, Kubernetes objects out as plain dicts; observed objects in, the cause of a wait out."""

from . import names
from .allowed import forbidden_fields
from .cluster import dask_cluster, image_of, worker_memory
from .diagnosis import Cause, Observed, diagnose, diagnose_driver
from .driver import child_of, driver_access, driver_job
from .job import job_autoscaler, job_cluster, job_support, workers_of
from .memory import explained_by_kubelet, killed_worker
from .names import is_cluster_name, labels, selector
from .objects import autoscaler, cluster_objects, is_ready, owned_by
from .outcome import Driver, Outcome, drivers_of, outcome_of
from .secrecy import refuse_secrets
from .site import with_site
from .tls import Certificates, issue
from .why import waits_for, why

__all__ = [
    "Cause",
    "Certificates",
    "Driver",
    "Observed",
    "Outcome",
    "autoscaler",
    "child_of",
    "cluster_objects",
    "dask_cluster",
    "diagnose",
    "diagnose_driver",
    "driver_access",
    "driver_job",
    "drivers_of",
    "explained_by_kubelet",
    "forbidden_fields",
    "image_of",
    "is_cluster_name",
    "is_ready",
    "issue",
    "job_autoscaler",
    "job_cluster",
    "job_support",
    "killed_worker",
    "labels",
    "names",
    "outcome_of",
    "owned_by",
    "refuse_secrets",
    "selector",
    "waits_for",
    "why",
    "with_site",
    "worker_memory",
    "workers_of",
]
