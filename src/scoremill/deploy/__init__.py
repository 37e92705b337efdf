"""WHERE it runs: values in, Kubernetes objects out as plain dicts; observed objects in, the cause of a wait out."""

from .cluster import dask_cluster, worker_memory
from .diagnosis import Cause, Observed, diagnose
from .names import is_cluster_name, labels, selector
from .objects import autoscaler, cluster_objects, owned_by
from .tls import Certificates, issue

__all__ = [
    "Cause",
    "Certificates",
    "Observed",
    "autoscaler",
    "cluster_objects",
    "dask_cluster",
    "diagnose",
    "is_cluster_name",
    "issue",
    "labels",
    "owned_by",
    "selector",
    "worker_memory",
]
