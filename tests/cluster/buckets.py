"""Buckets of the cluster's object stores, with the interface that contract tests' buckets have."""

from __future__ import annotations

import json
import secrets
import urllib.request
from dataclasses import dataclass

from tests.cluster.stores import Server
from tests.support import gcs, s3


@dataclass(frozen=True, slots=True)
class Store:
    """An object store that the test and the cluster's pods reach at one address."""

    server: Server

    def bucket(self) -> s3.Bucket | gcs.Bucket:
        """Create an empty bucket; its `environment` lets any process reach it, in a pod or on this machine."""
        name = f"bucket-{secrets.token_hex(6)}"
        if self.server.kind == "s3":
            return self._s3(name)
        body = json.dumps({"name": name}).encode()
        url = f"{self.server.endpoint}/storage/v1/b?project=test"
        with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})):
            return gcs.Bucket(self.server.endpoint, name)

    def _s3(self, name: str) -> s3.Bucket:
        from s3fs import S3FileSystem

        key, secret = s3.CREDENTIALS["AWS_ACCESS_KEY_ID"], s3.CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
        S3FileSystem(endpoint_url=self.server.endpoint, key=key, secret=secret).mkdir(name)
        return s3.Bucket(self.server.endpoint, name)
