"""Where the Kubernetes API is, and by which way."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubernetes.config import incluster_config

from scoremill.kubernetes.api import configuration


def test_a_pod_asks_its_own_api_by_no_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module, name, content in (
        (configuration, "_IN_POD", "science"),
        (incluster_config, "SERVICE_TOKEN_FILENAME", "token"),
        (incluster_config, "SERVICE_CERT_FILENAME", "certificate"),
    ):
        place = tmp_path / name
        place.write_text(content)
        monkeypatch.setattr(module, name, place)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "")

    found = configuration.connect()

    assert (found.transport.host, found.namespace) == ("https://10.96.0.1:443", "science")
    assert found.transport._pool.connection_from_url(found.transport.host).proxy is None
