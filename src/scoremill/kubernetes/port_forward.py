"""Forward a local port to a pod: each connection is a stream of its own, to the pod that exists at the time."""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from scoremill.errors import ClusterError

from .api import Kube
from .api.transport import CONNECT_SECONDS, Transport

_DATA, _ERROR = 0, 1
"""Channels of a forwarded port; the first frame of each repeats the port's number."""
_CHUNK = 256 * 1024


class Forward:
    """A context manager that forwards `port` of 127.0.0.1 to `pod_port` of the pod.

    Each connection looks the pod up again, so that a scheduler that was replaced is reached as well.
    """

    def __init__(self, kube: Kube, pod: Callable[[], str | None], pod_port: int, port: int = 0) -> None:
        """`pod` returns the name of the pod to connect to, or None while there is none."""
        self._kube, self._pod, self._pod_port = kube, pod, pod_port
        try:
            self._listener = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise ClusterError(
                f"could not listen on port {port} of this machine: {error.strerror}",
                "Choose another port, or end the process that uses this one.",
                code="PortUnavailable",
            ) from None
        self.port: int = self._listener.getsockname()[1]
        self.error: str | None = None
        """Why the last connection failed, if it did."""
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name=f"forward to {self._pod_port}", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing alone does not wake a thread that is blocked in accept.
        _shut(self._listener)
        for local in list(self._open):
            _shut(local)

    def _accept(self) -> None:
        while True:
            try:
                local, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(local)
            threading.Thread(target=self._serve, args=(local,), daemon=True).start()

    def _serve(self, local: socket.socket) -> None:
        from websocket import WebSocketException

        remote = None
        try:
            pod = self._pod()
            if pod is None:
                raise ClusterError("the pod does not exist or is not ready")
            remote = stream(self._kube.transport, f"{self._kube.path('Pod', pod)}/portforward?ports={self._pod_port}")
            self.error = _pump(local, remote)
        except (OSError, ClusterError, WebSocketException) as error:
            self.error = str(error)
        finally:
            self._open.discard(local)
            _shut(local)
            if remote is not None:
                remote.shutdown()


def stream(transport: Transport, path: str) -> Any:
    """Open a websocket to `path` of the API server."""
    from kubernetes.stream.ws_client import websocket_proxycare
    from websocket import WebSocket, WebSocketException

    configuration = transport.configuration
    url = f"{configuration.host}{path}".replace("http", "ws", 1)
    header = [f"{key}: {value}" for key, value in transport.authorization().items()]
    options = {"header": [*header, "Sec-WebSocket-Protocol: v4.channel.k8s.io"], "timeout": CONNECT_SECONDS * 2}
    if configuration.proxy:
        options = websocket_proxycare(options, configuration, url, {})
    remote = WebSocket(sslopt=_tls(configuration))
    try:
        remote.connect(url, **options)
    except (OSError, WebSocketException) as error:
        status = getattr(error, "status_code", None)
        reason = f"HTTP {status}" if status else error
        raise ClusterError(
            f"could not forward a port through the Kubernetes API: {reason}", code="SchedulerUnreachable"
        ) from None
    remote.settimeout(None)
    return remote


def _tls(configuration: Any) -> dict[str, Any]:
    settings = {
        "cert_reqs": ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE,
        "ca_certs": configuration.ssl_ca_cert,
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
        "check_hostname": configuration.verify_ssl and configuration.assert_hostname is not False,
    }
    return {key: value for key, value in settings.items() if value is not None}


def _pump(local: socket.socket, remote: Any) -> str | None:
    """Copy bytes in both directions until one side ends; return the error that the pod's side reported, if any."""
    seen: set[int] = set()
    with selectors.DefaultSelector() as ready:
        ready.register(local, selectors.EVENT_READ)
        ready.register(remote.sock, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is local:
                    data = local.recv(_CHUNK)
                    if not data:
                        return None
                    remote.send_binary(bytes((_DATA,)) + data)
                    continue
                for channel, data in _frames(remote):
                    if channel not in seen:
                        seen.add(channel)
                    elif channel == _ERROR:
                        return data.decode(errors="replace")
                    else:
                        local.sendall(data)


def _frames(remote: Any) -> list[tuple[int, bytes]]:
    """Return the next frame, and those that TLS has decrypted with it."""
    from websocket import ABNF, WebSocketConnectionClosedException

    frames = []
    while True:
        opcode, frame = remote.recv_data_frame(control_frame=True)
        if opcode == ABNF.OPCODE_CLOSE:
            raise WebSocketConnectionClosedException("the API server closed the connection")
        if opcode == ABNF.OPCODE_BINARY and frame.data:
            frames.append((frame.data[0], frame.data[1:]))
        if not (isinstance(remote.sock, ssl.SSLSocket) and remote.sock.pending()):
            return frames


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The other side has closed the connection already.
        pass
    finally:
        end.close()
