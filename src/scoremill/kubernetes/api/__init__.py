"""All calls to the Kubernetes API: a timeout on every call, and a ScoremillError for every rejection."""

from .client import Kube
from .configuration import connect, current_context
from .failures import Conflict, NoPlace, NotPermitted, Unavailable, VersionExpired
from .kinds import KINDS, Object

__all__ = [
    "KINDS",
    "Conflict",
    "Kube",
    "NoPlace",
    "NotPermitted",
    "Object",
    "Unavailable",
    "VersionExpired",
    "connect",
    "current_context",
]
