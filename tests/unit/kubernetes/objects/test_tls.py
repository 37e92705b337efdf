"""Certificates of one cluster open no other, shown by handshakes between two sockets."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from scoremill.engines.dask.security import security_from
from scoremill.kubernetes.objects import Certificates, issue
from scoremill.kubernetes.objects.tls import secret

OURS, OTHERS = issue("trips", "scoring"), issue("trips", "scoring")


def context(purpose: ssl.Purpose, certificates: Certificates, folder: Path) -> ssl.SSLContext:
    """As strict as Python is from 3.13 on."""
    made = ssl.create_default_context(purpose, cadata=certificates.ca)
    made.check_hostname, made.verify_mode = False, ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    pem = folder / f"{id(made)}.pem"
    pem.write_text(certificates.certificate + certificates.key)
    made.load_cert_chain(pem)
    return made


def welcomed(server: ssl.SSLContext, client: ssl.SSLContext) -> bool:
    """Return whether both accept each other and what the server says arrives."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    theirs.settimeout(10)
    thread = threading.Thread(target=_welcome, args=(server, theirs))
    thread.start()
    try:
        # A client learns only by reading that its own certificate was refused.
        with client.wrap_socket(ours) as secured:
            return secured.recv(64) == b"welcome"
    except OSError:
        return False
    finally:
        ours.close()
        thread.join()


def _welcome(server: ssl.SSLContext, end: socket.socket) -> None:
    try:
        with server.wrap_socket(end, server_side=True) as secured:
            secured.sendall(b"welcome")
    except OSError:
        end.close()


def test_members_of_a_cluster_accept_each_other(tmp_path: Path) -> None:
    server, client = (
        context(purpose, OURS, tmp_path) for purpose in (ssl.Purpose.CLIENT_AUTH, ssl.Purpose.SERVER_AUTH)
    )
    assert welcomed(server, client)


@pytest.mark.parametrize(("serving", "calling"), [(OURS, OTHERS), (OTHERS, OURS)])
def test_a_certificate_of_another_authority_is_refused(tmp_path: Path, serving, calling) -> None:
    server = context(ssl.Purpose.CLIENT_AUTH, serving, tmp_path)
    client = context(ssl.Purpose.SERVER_AUTH, calling, tmp_path)
    assert not welcomed(server, client)


def test_a_client_that_trusts_us_but_is_another_authoritys_is_refused(tmp_path: Path) -> None:
    server = context(ssl.Purpose.CLIENT_AUTH, OURS, tmp_path)
    client = context(ssl.Purpose.SERVER_AUTH, Certificates(OURS.ca, OTHERS.certificate, OTHERS.key), tmp_path)
    assert not welcomed(server, client)


def test_a_client_without_a_certificate_is_refused(tmp_path: Path) -> None:
    server = context(ssl.Purpose.CLIENT_AUTH, OURS, tmp_path)
    client = ssl.create_default_context(cadata=OURS.ca)
    client.check_hostname = False
    assert not welcomed(server, client)


def test_the_certificate_names_the_scheduler_and_outlives_any_run() -> None:
    leaf = x509.load_pem_x509_certificate(OURS.certificate.encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["trips-scheduler.scoring.svc.cluster.local"]
    now = dt.datetime.now(dt.UTC)
    assert leaf.not_valid_before_utc < now - dt.timedelta(minutes=50)
    assert leaf.not_valid_after_utc > now + dt.timedelta(days=365)


def test_no_certificate_but_the_authoritys_own_can_sign() -> None:
    ca, leaf = (x509.load_pem_x509_certificate(text.encode()) for text in (OURS.ca, OURS.certificate))
    assert [each.extensions.get_extension_for_class(x509.BasicConstraints).value.ca for each in (ca, leaf)] == [
        True,
        False,
    ]
    assert OURS.ca not in OURS.key and "PRIVATE KEY" in OURS.key


def test_the_longest_names_fit_into_a_certificate() -> None:
    assert issue("a" * 53, "b" * 63).certificate


def test_the_secret_cannot_be_changed_and_keys_show_in_no_repr() -> None:
    assert secret("trips", "scoring", OURS)["immutable"] is True
    assert "PRIVATE" not in repr(OURS)
    assert "PRIVATE" not in repr(security_from(OURS.ca, OURS.certificate, OURS.key))
