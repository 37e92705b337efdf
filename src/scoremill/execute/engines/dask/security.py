"""How a client proves to a cluster who it is."""

from __future__ import annotations

from distributed import Security


def security_from(ca: str, certificate: str, key: str) -> Security:
    """The security of a client with these texts in PEM, which stay in memory: Dask's own copies last for one call."""
    return Security(require_encryption=True, tls_ca_file=ca, tls_client_cert=certificate, tls_client_key=key)
