"""WHERE it runs: values in, Kubernetes objects out as plain dicts; observed objects in, the cause of a wait out."""

from . import names
from .cluster import dask_cluster, worker_memory
from .diagnosis import Cause, Observed, diagnose
from .names import is_cluster_name, labels, selector
from .objects import autoscaler, cluster_objects, owned_by
from .secrecy import refuse_secrets
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
    "names",
    "owned_by",
    "refuse_secrets",
    "selector",
    "worker_memory",
]
