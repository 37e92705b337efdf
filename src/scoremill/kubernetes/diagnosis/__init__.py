"""Find out why something waits or failed, from observed Kubernetes objects alone; pure."""

from .cause import Cause, ObservedCluster, diagnose, diagnose_driver
from .memory import explained_by_kubelet, killed_worker
from .outcome import Driver, Outcome, drivers_of, outcome_of
from .why import waits_for, why

__all__ = [
    "Cause",
    "Driver",
    "ObservedCluster",
    "Outcome",
    "diagnose",
    "diagnose_driver",
    "drivers_of",
    "explained_by_kubelet",
    "killed_worker",
    "outcome_of",
    "waits_for",
    "why",
]
