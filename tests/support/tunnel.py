"""A way to a server that can be cut, or fall silent, as networks do; what goes through it is not understood."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Tunnel:
    """Connections from `port` of this machine to a server."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        self._is_cut = False
        self._flows = threading.Event()
        self._flows.set()
        self.connections = 0
        """How many there have been."""

    def cut(self) -> None:
        """Every connection ends, and so does every new one, until `restore`."""
        with self._changed:
            self._is_cut = True
            for each in self._open:
                _close(each)

    def silence(self) -> None:
        """Drop everything silently until `restore`."""
        self._flows.clear()

    def restore(self) -> None:
        """New connections work; those that were cut or silent end."""
        self.cut()
        self._is_cut = False
        self._flows.set()

    def wait_for_connections(self, count: int) -> None:
        """Returns once there have been so many; AssertionError after a minute."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.connections >= count, 60), self.connections

    def serve(self) -> None:
        """Takes connections until `close`."""
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=[near], daemon=True).start()

    def close(self) -> None:
        """Everything ends."""
        _close(self._listener)
        self.restore()

    def _connect(self, near: socket.socket) -> None:
        with self._changed:
            self.connections += 1
            self._changed.notify_all()
            if self._is_cut:
                near.close()
                return
            far = socket.create_connection(self._server)
            self._open |= {near, far}
        with near, far:
            back = threading.Thread(target=self._pump, args=[far, near], daemon=True)
            back.start()
            self._pump(near, far)
            back.join()
        with self._changed:
            self._open -= {near, far}

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                target.sendall(data)
        for each in (source, target):
            _close(each)


@contextmanager
def tunnel(server: tuple[str, int]) -> Iterator[Tunnel]:
    """A tunnel while this is open."""
    made = Tunnel(server)
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.close()
        thread.join()


def _close(each: socket.socket) -> None:
    # Closing alone does not wake a thread that waits in accept or recv.
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
