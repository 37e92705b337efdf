"""Certificates of a client for a cluster."""

from __future__ import annotations

from distributed import Security


def security_from(ca: str, certificate: str, key: str) -> Security:
    """Return the security of a client from PEM texts, which stay in memory; Dask writes files only during a call."""
    return Security(require_encryption=True, tls_ca_file=ca, tls_client_cert=certificate, tls_client_key=key)
