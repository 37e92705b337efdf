"""Issue the certificates of one cluster, by an authority of its own whose key is discarded after signing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from . import names

_LIFETIME = dt.timedelta(days=2 * 365)
_CLOCKS = dt.timedelta(hours=1)
"""How much a node's clock can be behind the clock of this process."""


@dataclass(frozen=True)
class Certificates:
    """Certificates and key as PEM. One certificate serves all roles, because Dask checks only the signature."""

    ca: str
    certificate: str
    key: str = field(repr=False)


def issue(cluster: str, namespace: str) -> Certificates:
    """Issue certificates by a new authority, which can never sign another one because its key is discarded."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = _name(f"{cluster} in {namespace}")
    ca = _builder(ca_name, ca_name, ca_key.public_key(), ca_key.public_key())
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca = ca.add_extension(_usage(signs=True), critical=True)
    leaf = _builder(_name("dask"), ca_name, key.public_key(), ca_key.public_key())
    leaf = leaf.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    leaf = leaf.add_extension(_usage(signs=False), critical=True)
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    leaf = leaf.add_extension(both, critical=False)
    leaf = leaf.add_extension(
        x509.SubjectAlternativeName([x509.DNSName(names.scheduler_host(cluster, namespace))]), critical=False
    )
    signed = [_pem(builder.sign(ca_key, hashes.SHA256())) for builder in (ca, leaf)]
    return Certificates(signed[0], signed[1], _key_pem(key))


def secret(cluster: str, namespace: str, certificates: Certificates) -> dict[str, Any]:
    """Render the Secret with the certificates, which scheduler and workers mount and clients read."""
    texts = (certificates.ca, certificates.certificate, certificates.key)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": names.secret_name(cluster), "namespace": namespace, "labels": names.labels(cluster)},
        "type": "Opaque",
        "immutable": True,
        "stringData": dict(zip(names.TLS_FILES, texts, strict=True)),
    }


def _builder(subject: Any, issuer: Any, public: Any, authority: Any) -> Any:
    from cryptography import x509

    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
    )


def _usage(*, signs: bool) -> Any:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    # A common name has at most 64 characters.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _pem(certificate: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return str(certificate.public_bytes(Encoding.PEM).decode())


def _key_pem(key: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
