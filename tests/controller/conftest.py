"""What several tests of the operator ask for."""

from __future__ import annotations

from tests.support.kubernetes_api import kubernetes_api, kubernetes_server

__all__ = ["kubernetes_api", "kubernetes_server"]
