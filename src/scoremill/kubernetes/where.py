"""Which Kubernetes, and which of its namespaces."""

from __future__ import annotations

from typing import TypedDict


class Where(TypedDict, total=False):
    """Where to look on Kubernetes; what is not given, or None, is as for kubectl.

    Parameters
    ----------
    namespace : str, optional
        Namespace; by default, that of the context.
    context : str, optional
        Context of the kubeconfig; by default, the current one.
    kubeconfig : str, optional
        Path of the kubeconfig; by default, `KUBECONFIG` or `~/.kube/config`.

    """

    namespace: str | None
    context: str | None
    kubeconfig: str | None
