"""Stores for contract tests: a folder, memory, an S3 server, a Google Cloud Storage server."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from scoremill.storage.filesystem import Store
from tests.support.gcs import gcs, gcs_endpoint
from tests.support.kubernetes_api import kubernetes_api, kubernetes_server
from tests.support.s3 import s3, s3_endpoint

__all__ = ["gcs", "gcs_endpoint", "kubernetes_api", "kubernetes_server", "s3", "s3_endpoint"]

PROTOCOLS = ("file", "memory", "s3", "gs")


@pytest.fixture(params=PROTOCOLS)
def store_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty root in each kind of store."""
    match request.param:
        case "file":
            return str(tmp_path / "root")
        case "memory":
            return f"memory://{secrets.token_hex(6)}"
        case "s3":
            return str(request.getfixturevalue("s3").uri("a root"))
        case _:
            return str(request.getfixturevalue("gcs").uri("a root"))


@pytest.fixture
def store(store_uri: str) -> Store:
    """The store at `store_uri`."""
    return Store(store_uri)
