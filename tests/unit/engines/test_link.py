import socket
from contextlib import ExitStack

import pytest

from scoremill.engines.dask.link import Link
from scoremill.errors import ClusterError


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
