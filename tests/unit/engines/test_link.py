import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from distributed import LocalCluster, Security

from scoremill.engines.dask.link import Link
from scoremill.engines.dask.security import security_from
from scoremill.errors import ClusterError
from scoremill.kubernetes.objects import issue
from tests.support.tls import certificate


def test_timeout_of_the_last_attempt_does_not_hide_the_cause_of_earlier_failures():
    with ExitStack() as stack, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        link = Link(address, None, (3.0, 3.0), lambda session, *, is_first: None)
        stack.callback(link.close)
        assert link.session() is None
        # The queue of connections is full from here on: an attempt gets no answer at all.
        listener.listen(0)
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        with pytest.raises(ClusterError, match=r"no connection within 3 s \(\[Errno 111\] Connection refused\)"):
            while link.session() is None:
                pass


def test_link_waits_no_longer_than_allowed_for_a_scheduler_that_accepts_connections_and_never_answers():
    with ExitStack() as stack, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        link = Link(address, None, (1.0, 1.0), lambda session, *, is_first: None)
        stack.callback(link.close)
        with pytest.raises(ClusterError, match="no Dask scheduler answers"):
            while link.session() is None:
                pass


@contextmanager
def proxy(context: ssl.SSLContext) -> Iterator[int]:
    """Serve the port that is returned, with a certificate of which the cluster knows nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with suppress(OSError), context.wrap_socket(connection, server_side=True):
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_proxy_that_answers_before_the_scheduler_is_not_taken_for_it(tmp_path: Path):
    issued = issue("trips", "scoring")
    own = security_from(**vars(issued))
    scheduler = Security(
        require_encryption=True,
        tls_ca_file=issued.ca,
        tls_scheduler_cert=issued.certificate,
        tls_scheduler_key=issued.key,
        tls_client_cert=issued.certificate,
        tls_client_key=issued.key,
    )
    with ExitStack() as stack:
        with proxy(certificate(tmp_path)[1]) as port:
            link = Link(f"tls://127.0.0.1:{port}", own, (60.0, 3.0), lambda session, *, is_first: None)
            stack.callback(link.close)
            assert link.session() is None
        stack.enter_context(LocalCluster(n_workers=0, scheduler_port=port, security=scheduler, dashboard_address=None))
        assert link.client.status == "running"


def test_proxy_that_answers_in_place_of_the_scheduler_is_an_error_that_names_its_certificate(tmp_path: Path):
    own = security_from(**vars(issue("trips", "scoring")))
    with proxy(certificate(tmp_path)[1]) as port:
        link = Link(f"tls://127.0.0.1:{port}", own, (1.0, 1.0), lambda session, *, is_first: None)
        with pytest.raises(ClusterError, match=r"no connection within 1 s .*self-signed certificate"):
            while link.session() is None:
                pass
